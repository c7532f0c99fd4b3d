# SPDX-License-Identifier: GPL-2.0-or-later
"""The one table that a run ends with: which clock, which core, how many ns, and why. Assumes report
documents of schema 1; a metric that a run lacks is shown as a dash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.errors import Status
from runner.report.names import core_words
from runner.report.reasons import figure, known, why

NARROW = 118
REASON = 30
Run = dict[str, Any]


def switches_lines(runs: Sequence[Run]) -> list[str]:
    """A sentence for each lifted core: the switches that it was found to have."""
    found = {core_words(run): run["switches"] for run in runs if run["core"] == "linux" and run["vehicle"] != "linux"}
    return [f"{core} has {switches.replace(',', ', ') if switches not in ('', 'none') else 'none'} of the switches"
            for core, switches in found.items()]


def within_1ns(run: Run) -> str:
    """The time after which |e| stayed within 1 ns; a dash if it never did."""
    value = run["metrics"].get("converged_1ns_s")
    if not isinstance(value, (int, float)) or value < 0:
        return "-"
    return f"{value:.3f} s" if value < 100 else f"{value:.0f} s"


def verdict(run: Run) -> Text:
    """pass, with how many claims are known not to hold, FAIL or skipped, in its colour."""
    if run.get("skipped"):
        return Text("skipped", style="yellow")
    if not run["ok"]:
        return Text("FAIL", style="bold red")
    expected = len(known(run))
    return Text(f"pass, {expected} known" if expected else "pass", style="green")


def _comparison(compared: Run, reasons: bool) -> list[str | Text]:
    """The row of a lifted core that was compared with another."""
    verdict_ = {True: Text("pass", style="green"), False: Text("differs", style="bold yellow"), None: Text("-")}
    words = compared["words"].removeprefix(f"{compared['against']}: ")
    return ["virtual", core_words(compared), str(compared["hz"]), f"as {compared['against']}", *["-"] * 4,
            verdict_[compared["equal"]], *([Text(words)] if reasons else [])]


def table(runs: Sequence[Run], reasons: bool = True, comparisons: Sequence[Run] = ()) -> Table:
    """The table itself; reasons: with the column that says why."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    made.add_column("clock", no_wrap=True)
    made.add_column("core", min_width=6, max_width=30, overflow="fold")
    for title in ("HZ", "scenario"):
        made.add_column(title, no_wrap=True)
    for title in ("max ns", "rms ns", "drift ns/s", "<1 ns at"):
        made.add_column(title, justify="right", no_wrap=True)
    made.add_column("claims", no_wrap=True)
    if reasons:
        made.add_column("why", overflow="fold", ratio=1, min_width=REASON)
    for run in runs:
        metrics = run["metrics"]
        row: list[str | Text] = [
            run["clock"], core_words(run), str(run["hz"] or "-"), run["scenario"],
            figure(metrics.get("max_abs_ns")), figure(metrics.get("rms_ns")),
            figure(metrics.get("drift_ns_per_s")), within_1ns(run), verdict(run),
        ]
        made.add_row(*row, *([Text(why(run))] if reasons else []))
    for compared in comparisons:
        made.add_row(*_comparison(compared, reasons))
    return made


def show(runs: Sequence[Run], to: Console, comparisons: Sequence[Run] = ()) -> None:
    """The table and a line for all of it. The reasons go below where they do not fit beside; where there is
    no terminal, whose width cannot be changed, nothing is cut."""
    bare = table(runs, False, comparisons)
    least = console(1000).measure(bare).maximum
    wide = to.width >= max(NARROW, least + 2 + REASON)
    if to.is_terminal or to.width >= least:
        to.print(table(runs, True, comparisons) if wide else bare)
    else:
        to.print(bare, width=least)
    for run in [] if wide else runs:
        if reason := why(run):
            to.print(f"{run['scenario']}, {run['clock']} clock, {core_words(run)}: {reason}", markup=False)
    for each in [] if wide else comparisons:
        to.print(f"{core_words(each)}, beside {each['words']}", markup=False, soft_wrap=True)
    for line in switches_lines(runs):
        to.print(line, markup=False, soft_wrap=True)
    to.print(verdict_line(runs), markup=False, soft_wrap=True)


def status(runs: Sequence[Run], comparisons: Sequence[Run] = ()) -> Status:
    """Of all runs together: failed if one did, skipped if all were; DIFFERS if all hold, and a lifted core does not
    behave as the one that decides."""
    found = _status(runs)
    differs = any(each["decides"] and each["equal"] is False for each in comparisons)
    return Status.DIFFERS if differs and found is Status.PASSED else found


def _status(runs: Sequence[Run]) -> Status:
    if not runs:
        return Status.CANNOT_RUN
    if any(run["ok"] is False for run in runs):
        return Status.FAILED
    return Status.SKIPPED if all(run.get("skipped") for run in runs) else Status.PASSED


def verdict_line(runs: Sequence[Run]) -> str:
    """All of it in one line."""
    failed = [run for run in runs if run["ok"] is False]
    skipped = [run for run in runs if run.get("skipped")]
    passed = len(runs) - len(failed) - len(skipped)
    words = [f"{passed} of {len(runs)} runs passed"]
    if failed:
        words.append(f"{len(failed)} failed: {', '.join(run['scenario'] for run in failed)}")
    if skipped:
        words.append(f"{len(skipped)} skipped")
    return ", ".join(words)


def console(width: int | None = None) -> Console:
    """Stdout; wide enough for the table where it is not a terminal."""
    made = Console(highlight=False, soft_wrap=False)
    if width or not made.is_terminal:
        made = Console(highlight=False, width=width or NARROW)
    return made

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

from tickbench.errors import Status

ALL_SWITCHES = ("all", "remainder,clawback,tail,divzero,reference,feed,skew,host")
NARROW = 118
Run = dict[str, Any]


def core_words(run: Run) -> str:
    """The core and, where it is not the whole series, its switches."""
    if run["core"] == "linux":
        kernel = run.get("kernel") or {}
        return f"linux-{kernel.get('release') or kernel.get('revision') or '?'}"
    switches = run["switches"]
    if switches in ALL_SWITCHES or not switches:
        return "native"
    return f"native, {switches.replace(',', ' ')}"


def number(value: Any, digits: int = 3) -> str:
    """A figure in at most about eight characters: picoseconds where it is small."""
    if not isinstance(value, (int, float)):
        return "-"
    if value != 0 and abs(value) < 0.5 * 10**-digits:
        return f"{value:.0e}"
    return f"{value:.{digits if abs(value) < 1000 else 1}f}"


def converged(run: Run) -> Any:
    """Seconds until |e| stayed within 1 ns; -1 is how a vehicle says that it did not."""
    for name in ("converged_1ns_s", "converged_10ns_s", "converged_s"):
        value = run["metrics"].get(name)
        if isinstance(value, (int, float)) and value >= 0:
            return value
    return None


def why(run: Run) -> str:
    """In a sentence, what made the figures what they are."""
    if run.get("skipped"):
        return str(run["skipped"])
    broken = [claim for claim in run.get("claims", []) if not claim["ok"]]
    if broken:
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        return f"does not hold: {broken[0]['sentence']}{more}"
    metrics, reasons = run["metrics"], []
    late = metrics.get("late_tick_max_us")
    drift = metrics.get("drift_ns_per_s")
    if metrics.get("backwards"):
        reasons.append(f"time went back {metrics['backwards']} times")
    if isinstance(late, (int, float)) and late > 0:
        reasons.append(f"latest tick {number(late, 1)} us after its time")
    if isinstance(drift, (int, float)) and abs(drift) >= 1:
        lacks = [name for name in ("remainder", "clawback", "skew")
                 if run["core"] == "native" and run["switches"] not in ("", "all")
                 and name not in run["switches"].split(",")]
        reasons.append("drifts" + (f": {', '.join(lacks)} off" if lacks else ""))
    elif run["clock"] == "virtual" and not reasons:
        reasons.append("ticks on time: dithering alone")
    return "; ".join(reasons)


def verdict(run: Run) -> Text:
    if run.get("skipped"):
        return Text("skipped", style="yellow")
    return Text("pass", style="green") if run["ok"] else Text("FAIL", style="bold red")


def table(runs: Sequence[Run]) -> Table:
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("clock", "core", "HZ", "scenario"):
        made.add_column(title, overflow="fold")
    for title in ("max |e| ns", "rms ns", "drift ns/s", "within 1 ns after"):
        made.add_column(title, justify="right")
    made.add_column("claims")
    made.add_column("why", overflow="fold", ratio=1, min_width=20)
    for run in runs:
        metrics, settled = run["metrics"], converged(run)
        made.add_row(
            run["clock"], core_words(run), str(run["hz"] or "-"), run["scenario"],
            number(metrics.get("max_abs_ns")), number(metrics.get("rms_ns")),
            number(metrics.get("drift_ns_per_s")),
            "-" if settled is None else f"{number(settled, 2)} s",
            verdict(run), Text(why(run)),
        )
    return made


def status(runs: Sequence[Run]) -> Status:
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

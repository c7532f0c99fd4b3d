# SPDX-License-Identifier: GPL-2.0-or-later
"""What each change of the series is worth: the native core with each switch alone removed and alone
added (on top of following the line at all), and every kernel at hand, on three counters, with ticks on
time, late and tickless. Assumes the host process and its scenarios lock, nohz, slew and recalibrate.

`make ladder` is this: ./tickbench ladder --linux 6.1,6.12,7.2,7.3 --markdown docs/ladder.md"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from runner import BUILD, options, simulate
from runner.errors import need_built, output_error, CannotRun, Problem, Status
from runner.report.table import console

SWITCHES = ("remainder", "clawback", "tail", "divzero", "reference", "feed", "skew")
COUNTERS = {2_596_146_000: "TSC of 2596.146 MHz", 1_000_000_000: "counter of 1 GHz",
            3_579_545: "ACPI PM timer, 3.579545 MHz"}
RATE_PPM = "12.345678"
OFFSET_NS = 10_000
LATE_NS = 900_000  # of a tick of 1 ms
MODES = {"on time": ("lock",), "late": ("lock", f"late_ns={LATE_NS}"), "tickless": ("nohz",)}
COLUMNS = (*(f"{mode}: {what}" for mode in MODES for what in ("drift ns/s", "max ns", "rms ns")),
           "10 us slewed: within 1 ns after", "rest at the end, ns", "time_offset left",
           "tick while recalibrating")
FOLLOWING = ("reference", "feed")
BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->\n"


@dataclass(frozen=True)
class Rung:
    """One row's core."""

    label: str
    program: Path
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """One rung on one counter; None: never, or not to be had."""

    errors: tuple[tuple[float, float, float], ...]  # by mode: drift in ns/s, max and rms error in ns
    arrives_s: float | None
    rest_ns: float | None
    left: int | None  # of time_offset, in its unit, ns * 2^32 / HZ
    recalibrates: str


def native_rungs(program: Path) -> list[Rung]:
    """All, all but each, none, what it takes to follow a line, and each on top of that."""
    def rung(label: str, switches: Sequence[str]) -> Rung:
        text = "all" if len(switches) == len(SWITCHES) else ",".join(switches) or "none"
        return Rung(label, program, (f"switches={text}",))

    return [
        rung("native, all", SWITCHES),
        *(rung(f"all but {off}", [name for name in SWITCHES if name != off]) for off in SWITCHES),
        rung("native, none", ()),
        *(rung(f"only {on}", [on]) for on in FOLLOWING),
        rung("reference and feed", FOLLOWING),
        *(rung(f"+ {on}", [*FOLLOWING, on]) for on in SWITCHES if on not in FOLLOWING),
    ]


def linux_rung(label: str, program: Path) -> Rung:
    """A kernel's own core, in the host process that it was linked into."""
    return Rung(label, program, ("core=linux",))


def command(rung: Rung, counter_hz: int, seconds: int, scenario: str, *more: str) -> list[str]:
    """tickbench-sim's arguments for one experiment: counter_hz in Hz, seconds of virtual time."""
    return [f"scenario={scenario}", f"counter_hz={counter_hz}", f"rate_ppm={RATE_PPM}",
            f"duration={seconds}", *rung.arguments, *more]


def _recalibrates(rung: Rung, counter_hz: int) -> str:
    """Whether a tick that finds cycle_interval 0 is skipped; a core that divides by it is given up."""
    (run,) = simulate.runs(rung.program, command(rung, counter_hz, 10, "recalibrate"))
    if "a tick divided by zero" in run["notes"]:
        return "divides by zero"
    if any("does not end" in note for note in run["notes"]):
        return "does not end"
    return "is skipped" if run["ok"] or run["metrics"]["backwards"] == 0 else "fails"


def measure(rung: Rung, counter_hz: int, seconds: int) -> Figures:
    """One rung on one counter of counter_hz Hz, `seconds` of virtual time in each mode. CannotRun if the
    program ends with another status than 0 or 1."""
    arguments: list[str] = []
    for scenario, *more in MODES.values():
        arguments += [*command(rung, counter_hz, seconds, scenario, *more), "+"]
    *modes, slew = simulate.runs(rung.program, [*arguments, *command(
        rung, counter_hz, 400, "slew", f"offset_ns={OFFSET_NS}")])
    arrived = slew["metrics"]
    mean = arrived.get("plus_end_mean_ns")
    return Figures(
        tuple((run["metrics"]["drift_ns_per_s"], run["metrics"]["max_abs_ns"], run["metrics"]["rms_ns"])
              for run in modes),
        arrived.get("plus_converged_1ns_s"), None if mean is None else mean - OFFSET_NS,
        arrived.get("plus_time_offset_left"), _recalibrates(rung, counter_hz))


def _number(value: float) -> str:
    """Three significant places or so; nothing that is not 0 reads as 0."""
    if value == 0:
        return "0"
    if abs(value) < 0.0005:
        return f"{value:.0e}"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.0f}"


def cells(figures: Figures) -> list[str]:
    """A row of the table, as text, in the order of COLUMNS."""
    numbers = [value for mode in figures.errors for value in mode]
    arrives = "never" if figures.arrives_s is None else f"{figures.arrives_s:.0f} s"
    rest = "-" if figures.rest_ns is None else _number(figures.rest_ns)
    left = "-" if figures.left is None else str(figures.left)
    return [*map(_number, numbers), arrives, rest, left, figures.recalibrates]


def markdown(title: str, rows: Sequence[tuple[str, Figures]]) -> str:
    """A table for a document, under a heading."""
    lines = [f"### {title}", "", f"| core | {' | '.join(COLUMNS)} |",
             "| --- |" + " ---: |" * (len(COLUMNS) - 1) + " --- |"]
    lines += [f"| {label} | {' | '.join(cells(figures))} |" for label, figures in rows]
    return "\n".join(lines) + "\n"


def replace_tables(document: str, tables: str, marks: tuple[str, str] = (BEGIN, END)) -> str:
    """The document with what stands between its two marks replaced."""
    begin, end = marks
    if begin not in document or end not in document:
        raise CannotRun(Problem.USAGE,
                        f"the document lacks the lines that the tables go between: {begin.strip()} and {end.strip()}")
    before, rest = document.split(begin, 1)
    return before + begin + "\n" + tables + "\n" + end + rest.split(end, 1)[1]


def write_tables(path: Path, tables: str, marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Into a document, between its marks; a new one has nothing else. CannotRun if it cannot be written."""
    try:
        document = path.read_text() if path.exists() else f"# What each change is worth\n\n{marks[0]}{marks[1]}"
        path.write_text(replace_tables(document, tables, marks))
    except OSError as error:
        raise output_error(error, path) from error


def shown(title: str, rows: Sequence[tuple[str, Figures]]) -> Table:
    """For a terminal; no figure is ever cut or wrapped, so it may be wider than that is."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    made.add_column("core", no_wrap=True)
    for column in COLUMNS:
        made.add_column(textwrap.fill(column, 13), justify="right", no_wrap=True)
    for label, figures in rows:
        made.add_row(label, *cells(figures))
    return made


def wide_enough(made: Table) -> Console:
    """Stdout, at least as wide as a table."""
    return console(max(console().width, console(1000).measure(made).maximum))


def main(arguments: Sequence[str]) -> int:
    from runner.lift import lift, trees

    parser = options.Parser("ladder", "Measures the effect of each change of the series.")
    parser.add_argument("--linux", default="", help="kernels beside the native core, joined by commas")
    parser.add_argument("--seconds", type=int, default=1000, help="of each run (default %(default)s)")
    parser.add_argument("--markdown", type=Path, help="a document: its tables are replaced")
    parser.add_argument("--build", type=Path, default=BUILD, help="(default %(default)s)")
    given = parser.parse_args(arguments)
    rungs = native_rungs(need_built(given.build / "tickbench-sim"))
    rungs += [linux_rung(*each) for each in lift.simulators(trees.words(given.linux), given.build)]
    tables = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for counter_hz, title in COUNTERS.items():
            measured = list(pool.map(lambda rung: measure(rung, counter_hz, given.seconds), rungs))
            rows = [(rung.label, figures) for rung, figures in zip(rungs, measured)]
            tables.append(markdown(title, rows))
            made = shown(f"{title}, HZ 1000, rate +{RATE_PPM} ppm, {given.seconds} s", rows)
            wide_enough(made).print(made)
    if given.markdown:
        write_tables(given.markdown, "\n".join(tables))
    return Status.PASSED

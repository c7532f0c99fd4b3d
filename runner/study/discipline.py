# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench discipline`: which way of disciplining a clock is better? Each policy, on the same core and the same
noise (scenario/discipline.c), beside each other in a table for each noise. The cells are a matrix's: measured on all
cores of this machine, and kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from runner import BUILD, options, output
from runner.errors import CannotRun, Problem, Status
from runner.lift import words as core_words
from runner.report import report, table
from runner.report.progress import stderr
from runner.report.reasons import figure
from runner.study import cells, matrix, parallel

Run = dict[str, Any]
POLICIES = ("free", "ideal", "reference", "phc2sys")
# The parts of a host's noise by name, as words of tickbench-sim. `host` is all of them.
PARTS = {
    "quiet": (),
    "white": ("white_ns=10",),
    "flicker": ("flicker_ppb=0.1",),
    "walk": ("walk_ppb=0.01",),
    "temperature": ("wander_ppb=20", "wander_s=600"),
}
NOISES = {**PARTS, "host": tuple(word for words in PARTS.values() for word in words)}


@dataclass(frozen=True)
class Column:
    """Of the table: a metric, and its title."""

    metric: str
    title: str


COLUMNS = (
    Column("rms_ns", "rms ns"), Column("max_abs_ns", "max ns"), Column("lock_s", "locks in s"),
    Column("freq_step_max_ns", "max ns"), Column("freq_step_back_s", "back in s"),
    Column("phase_step_rms_ns", "rms ns"), Column("phase_step_back_s", "back in s"), Column("core_calls", "calls"))


def parser() -> options.Parser:
    """The options of `tickbench discipline`."""
    made = options.Parser("discipline", "Disciplines one core in several ways, on the same noise.",
                          "./tickbench discipline [options] [name=value ...]")
    add = made.add_argument
    add("words", nargs="*", metavar="name=value", help="parameters of scenario discipline, for all policies")
    add("--core", default="native", metavar="CORE", help="native, a tree, TREE@REV, a release (default %(default)s)")
    add("--policies", default=",".join(POLICIES), metavar="NAME,...", help="(default %(default)s)")
    add("--noise", default="white,host", metavar="NAME,...",
        help=f"of {', '.join(NOISES)} (default %(default)s)")
    add("--json", action="store_true", help="print report.json on stdout and nothing else there")
    add("--again", action="store_true", help="measure again: keep no result of an earlier run")
    add("--jobs", type=options.positive, metavar="N", help="at the same time (default: one a core)")
    add("--build", type=Path, default=BUILD, metavar="FOLDER", help="(default %(default)s)")
    add("--output", type=Path, metavar="FOLDER", help="where the results are written (default: discipline in the "
        "build folder)")
    return made


def matrix_of(core: str, policies: Sequence[str], noises: Sequence[str], words: Sequence[str]) -> cells.Matrix:
    """A cell for each noise and policy. CannotRun for a noise that there is not."""
    for name in noises:
        if name not in NOISES:
            raise CannotRun(Problem.USAGE, f"there is no noise {name}; there are: {', '.join(NOISES)}")
    if wrong := [word for word in words if word.startswith(("scenario=", "policy=", "clock=", "core="))]:
        raise CannotRun(Problem.USAGE, f"{wrong[0]} is said by an option, or is always the same")
    hz = next((word.partition("=")[2] for word in words if word.startswith("hz=")), "1000")
    made = []
    for noise in noises:
        for policy in policies:
            axes = (("noise", noise), ("policy", policy), ("hz", hz))
            made.append(cells.Cell("discipline", core, axes, (
                "scenario=discipline", f"policy={policy}", *NOISES[noise], *words)))
    return cells.Matrix((core,), tuple(made), "the command line")


def measured(wanted: cells.Matrix, given: options.argparse.Namespace, folder: Path, console: Console) -> list[Run]:
    """A run for each cell."""
    matrix.check(wanted, given.build / "tickbench-sim")
    found = matrix.programs(wanted, given.build, lambda words: console.print(words, markup=False, soft_wrap=True))
    tasks = {cell: matrix.Task(found[cell.core, cell.hz], cell.words) for cell in wanted.cells}
    results = matrix.Results(given.build, given.again)
    missing = matrix.measure(list(dict.fromkeys(tasks.values())), results, parallel.Hosts((), None, given.jobs), folder)
    if missing:
        raise CannotRun(Problem.MATRIX_CELLS, "some cells could not be measured", missing)
    runs = []
    for cell, task in tasks.items():
        line = results.get(task)
        assert line is not None
        runs.append(matrix.run_of(line) | {"cell": dict(cell.axes)})
    return runs


def table_of(noise: str, runs: Sequence[Run]) -> Table:
    """The policies under one noise."""
    said = " ".join(NOISES[noise])
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left",
                 title=f"noise: {noise}" + (f" ({said})" if said else ""))
    made.add_column("policy")
    for column in COLUMNS:
        made.add_column(column.title, justify="right")
    for run in runs:
        made.add_row(run["cell"]["policy"], *(
            figure(run["metrics"].get(column.metric), 0 if column.metric == "core_calls" else 2) for column in COLUMNS))
    return made


def show(runs: Sequence[Run], noises: Sequence[str], console: Console) -> None:
    """A table for each noise."""
    for noise in noises:
        console.print()
        console.print(table_of(noise, [run for run in runs if run["cell"]["noise"] == noise]))


def main(arguments: Sequence[str]) -> Status:
    given = parser().parse_intermixed_args(list(arguments))
    core_words.parse(given.core)
    noises, policies = given.noise.split(","), given.policies.split(",")
    wanted = matrix_of(given.core, policies, noises, given.words)
    folder = given.output or given.build / "discipline"
    with output.prepared(folder):
        runs = measured(wanted, given, folder, stderr())
        document = {"schema": report.SCHEMA, "runs": runs}
        report.write(document, folder / output.REPORT)
        if given.json:
            json.dump(document, sys.stdout, indent=1)
            print()
        else:
            show(runs, noises, table.console())
    return table.status(runs)

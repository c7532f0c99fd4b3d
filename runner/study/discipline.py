# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench discipline`: which way of disciplining a clock is better? Each policy, on the same core and the same
noise (scenario/discipline.c), beside each other in a table for each noise. The cells are a matrix's: measured on all
cores of this machine, and kept."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from runner import options, output
from runner.errors import CannotRun, Problem, Status
from runner.lift import words as core_words
from runner.report import plot, report, table
from runner.report.progress import stderr
from runner.study import cells, matrix, parallel, records

Run = dict[str, Any]
POLICIES = ("ideal", "reference", "reference:at-once", "reference:linear", "reference:step", "freqhold", "linear",
            "phc2sys", "chrony", "pll", "fll", "free")
# What stands behind the colon: how `reference` corrects the phase.
RULES = {"at-once": ("phase_by=at-once",), "linear": ("phase_by=linear",), "step": ("phase_by=step",),
         "v3": ("phase_at=last", "phase_unit=ns"), "last": ("phase_at=last",), "ns": ("phase_unit=ns",)}
# The parts of a host's noise by name, as words of tickbench-sim. `host` is all of them.
PARTS = {
    "quiet": (),
    "white": ("white_ns=10",),
    "flicker": ("flicker_ppb=0.1",),
    "walk": ("walk_ppb=0.01",),
    "temperature": ("wander_ppb=20", "wander_s=600"),
}
NOISES = {**PARTS, "host": tuple(word for words in PARTS.values() for word in words)}


PICTURE = "discipline.png"
PEAK = re.compile(r"peak_\d+_ns")
STABILITY = re.compile(r"(adev|tdev|mtie)_1e(\d+)_(?:ppb|ns)")


@dataclass(frozen=True)
class Column:
    """Of the table: a metric, its title, and how many decimals it has."""

    metric: str
    title: str
    digits: int = 2


COLUMNS = (
    Column("rms_ns", "rms\nns"), Column("max_abs_ns", "max\nns"), Column("mean_ns", "mean\nns"),
    Column("within_1us_s", "in 1 µs\nafter s", 1), Column("within_134ns_s", "in 134 ns\nafter s", 1),
    Column("freq_step_max_ns", "freq step:\nmax ns", 1), Column("freq_step_back_s", "freq step:\nback in s", 1),
    Column("phase_step_rms_ns", "phase step:\nrms ns", 1), Column("phase_step_back_s", "phase step:\nback in s", 1),
    Column("adev_1s", "ADEV 1 s\nppb", 3), Column("tdev_1s", "TDEV 1 s\nns", 3),
    Column("mtie_100s", "MTIE 100 s\nns"), Column("core_calls", "calls", 0))


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
    add("--vary", metavar="NAME=VALUE,...", help="each policy with each of these values of a parameter")
    add("--columns", metavar="METRIC,...", help=f"of the table: of {', '.join(each.metric for each in COLUMNS)}")
    add("--markdown", action="store_true", help="print the tables as Markdown, as docs/discipline.md has them")
    add("--json", action="store_true", help="print report.json on stdout and nothing else there")
    add("--again", action="store_true", help="measure again: keep no result of an earlier run")
    add("--jobs", type=options.positive, metavar="N", help="at the same time (default: one a core)")
    options.folders(made, "discipline")
    return made


def policy_words(policy: str) -> tuple[str, ...]:
    """`phc2sys`, or `reference:RULE`. CannotRun for a rule that there is not."""
    name, *rules = policy.split(":")
    if rules and (name != "reference" or not set(rules) <= set(RULES)):
        raise CannotRun(Problem.USAGE, f"there is no policy {policy}; the rules are reference:{', :'.join(RULES)}")
    return (f"policy={name}", *(word for rule in rules for word in RULES[rule]))


def varied(words: str | None) -> tuple[str, ...]:
    """`page_s=1,16,64` as page_s=1, page_s=16, page_s=64; an empty word where nothing varies."""
    if words is None:
        return ("",)
    name, equals, values = words.partition("=")
    if not (name and equals and values):
        raise CannotRun(Problem.USAGE, f"--vary {words} is not NAME=VALUE,VALUE,...")
    return tuple(f"{name}={value}" for value in values.split(","))


def matrix_of(core: str, policies: Sequence[str], noises: Sequence[str], words: Sequence[str],
              vary: Sequence[str] = ("",)) -> cells.Matrix:
    """A cell for each noise, policy and varied word. CannotRun for a noise that there is not."""
    for name in noises:
        if name not in NOISES:
            raise CannotRun(Problem.USAGE, f"there is no noise {name}; there are: {', '.join(NOISES)}")
    if wrong := [word for word in words if word.startswith(("scenario=", "policy=", "clock=", "core="))]:
        raise CannotRun(Problem.USAGE, f"{wrong[0]} is said by an option, or is always the same")
    hz = next((word.partition("=")[2] for word in words if word.startswith("hz=")), "1000")
    made = []
    for noise, policy, word in itertools.product(noises, policies, vary):
        rate = word.partition("=")[2] if word.startswith("hz=") else hz
        axes = (("noise", noise), ("policy", f"{policy} {word}".strip()), ("hz", rate))
        made.append(cells.Cell("discipline", core, axes, (
            "scenario=discipline", *policy_words(policy), *NOISES[noise], *words, *([word] if word else []))))
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


def over_tau(run: Run) -> plot.Tau:
    """The run's largest errors over time, and its statistics of the settled part."""
    found: dict[str, dict[int, float]] = {"adev": {}, "tdev": {}, "mtie": {}}
    for name, value in run["metrics"].items():
        if match := STABILITY.fullmatch(name):
            found[match[1]][int(match[2])] = value
    decades = sorted(found["adev"])
    peaks = [float(run["metrics"][name]) for name in sorted(filter(PEAK.fullmatch, run["metrics"]))]
    piece = float(run["params"]["duration_ms"]) / 1000 / max(1, len(peaks))
    return plot.Tau(run["cell"]["policy"], [n * piece for n in range(len(peaks) + 1)], peaks,
                    [10**k / float(run["hz"]) for k in decades],
                    *([found[name][k] for k in decades] for name in ("adev", "tdev", "mtie")))


def value(run: Run, metric: str) -> float | None:
    """A metric, or a statistic at a tau: `adev_1s`. None: the run has none."""
    name, _, tau = metric.partition("_")
    if name not in ("adev", "tdev", "mtie"):
        found = run["metrics"].get(metric)
        return float(found) if isinstance(found, (int, float)) else None
    curve = over_tau(run)
    wanted = float(tau.removesuffix("s"))
    near = [at for at, each in enumerate(curve.tau) if wanted / 3 < each < wanted * 3]
    values: Sequence[float] = getattr(curve, name)
    return values[near[0]] if near else None


def cell_of(run: Run, column: Column) -> str:
    """What the table has of a run."""
    found = value(run, column.metric)
    if found is None:
        return "never" if column.metric.endswith("_s") else "-"
    return f"{found:.{column.digits if abs(found) < 10000 else 0}f}"


def chosen(names: str | None) -> tuple[Column, ...]:
    """The columns of these metrics; all of them where none are named."""
    if names is None:
        return COLUMNS
    by_metric = {column.metric: column for column in COLUMNS}
    for name in names.split(","):
        if name not in by_metric:
            raise CannotRun(Problem.USAGE, f"the table has no {name}; it has {', '.join(by_metric)}")
    return tuple(by_metric[name] for name in names.split(","))


def table_of(noise: str, runs: Sequence[Run], columns: Sequence[Column]) -> Table:
    """The policies under one noise."""
    said = " ".join(NOISES[noise])
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left",
                 title=f"noise: {noise}" + (f" ({said})" if said else ""))
    made.add_column("policy", no_wrap=True)
    for column in columns:
        made.add_column(column.title, justify="right", no_wrap=True)
    for run in runs:
        made.add_row(run["cell"]["policy"], *(cell_of(run, column) for column in columns))
    return made


def by_noise(runs: Sequence[Run], noises: Sequence[str]) -> list[tuple[str, list[Run]]]:
    """The runs of each noise."""
    return [(noise, [run for run in runs if run["cell"]["noise"] == noise]) for noise in noises]


def show(runs: Sequence[Run], noises: Sequence[str], columns: Sequence[Column], console: Console) -> None:
    """A table for each noise."""
    for noise, its in by_noise(runs, noises):
        console.print()
        made = table_of(noise, its, columns)
        # Nothing is cut where there is no terminal.
        wide = console if console.is_terminal else table.console(table.console(1000).measure(made).maximum)
        wide.print(made)


def markdown(runs: Sequence[Run], noises: Sequence[str], columns: Sequence[Column]) -> list[str]:
    """The same as lines of Markdown."""
    lines = []
    for noise, its in by_noise(runs, noises):
        titles = ["policy", *(" ".join(column.title.split("\n")).strip() for column in columns)]
        lines += ["", f"noise: {noise} {'`' + ' '.join(NOISES[noise]) + '`' if NOISES[noise] else ''}".strip(), "",
                  f"| {' | '.join(titles)} |", "|" + " --- |" * len(titles)]
        lines += [f"| {run['cell']['policy']} | " + " | ".join(cell_of(run, column) for column in columns) + " |"
                  for run in its]
    return lines


def main(arguments: Sequence[str]) -> Status:
    given = parser().parse_intermixed_args(list(arguments))
    core_words.parse(given.core)
    columns = chosen(given.columns)
    noises, policies = given.noise.split(","), given.policies.split(",")
    words = [records.kept(word, given.build) for word in given.words]
    wanted = matrix_of(given.core, policies, noises, words, varied(given.vary))
    folder = given.output or given.build / "discipline"
    with output.prepared(folder):
        runs = measured(wanted, given, folder, stderr())
        document = {"schema": report.SCHEMA, "runs": runs}
        report.write(document, folder / output.REPORT)
        picture = folder / PICTURE
        plot.over_tau([(f"noise: {noise}", [over_tau(run) for run in its if run["cell"]["policy"] != "free"])
                       for noise, its in by_noise(runs, noises)], picture)
        if given.json:
            json.dump(document, sys.stdout, indent=1)
            print()
        elif given.markdown:
            print("\n".join(markdown(runs, noises, columns)))
        else:
            console = table.console()
            show(runs, noises, columns, console)
            console.print(f"\nthe picture: {picture}", markup=False, soft_wrap=True)
    return table.status(runs)

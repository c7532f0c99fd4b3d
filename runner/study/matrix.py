# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures many experiments on many cores: every cell of a matrix (cells.py), on all cores of this machine or
on other hosts (parallel.py). A cell is one command of tickbench-sim, and its result one line of JSON, which is
kept: a matrix that was interrupted goes on, and one that was changed measures what is new.

A claim that fails for want of a switch is known (known=1). And each lifted core is held against the native core
with the switches that it has: on the virtual clock both must give the same figures.

`make matrix` is this: ./tickbench matrix"""

from __future__ import annotations

import functools
import json
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner import options, output, process, simulate
from runner.errors import need_built, CannotRun, Problem, Status
from runner.lift import words as core_words
from runner.report import ktap, report
from runner.report.progress import Work, stderr
from runner.study import cells, matrix_report, parallel
from runner.study.matrix_report import SAME
from runner.study.store import Store, key_of

Run = dict[str, Any]
BATCH_CELLS, BATCH_TICKS = 16, 20_000_000  # of one process: at most so many cells, and about so many ticks
CHECKED = 200  # experiments of one check: tickbench-sim takes 256
# Of how real time passed, or of how the wrapper around a kernel calls it: not of the core.
NOT_COMPARED = ("ticks_per_s", "ns_per_tick", "ns_per_read")


@dataclass(frozen=True)
class Program:
    """A core in a program: its name below the folder that hosts get, and the words that choose the core."""

    name: str
    path: Path
    words: tuple[str, ...]
    key: str  # of the program's content


@dataclass(frozen=True)
class Task:
    """What is run once, for however many cells want it."""

    program: Program
    words: tuple[str, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        return (*self.program.words, *self.words, "known=1", "samples=0")

    @property
    def name(self) -> str:
        return " ".join(self.arguments)

    def command(self) -> str:
        """What measures this cell alone."""
        return shlex.join([str(self.program.path), *self.arguments])

    def ticks(self) -> float:
        """About what it costs."""
        values = dict(word.split("=", 1) for word in self.words)
        if values.get("scenario") == "regress":
            return 200 * float(values.get("readings", "100")) + 5e5
        seconds = float(values.get("duration", "400"))
        return seconds * float(values.get("hz", "1000")) + 1e5


@dataclass(frozen=True)
class Plan:
    """The task of each cell; and of a lifted core's cell, the native core's at the same stage."""

    of_cell: dict[cells.Cell, Task]
    reference: dict[cells.Cell, Task]

    def tasks(self) -> list[Task]:
        return list(dict.fromkeys([*self.of_cell.values(), *self.reference.values()]))


def _program(name: str, path: Path, words: Sequence[str]) -> Program:
    return Program(re.sub(r"[^\w.+~-]", "_", name), path, tuple(words), key_of(need_built(path).read_bytes()))


def native_program(build: Path) -> Program:
    """The host process without a lifted core, and without a word that chooses one."""
    return _program("tickbench-sim", build / "tickbench-sim", [])


def programs(matrix: cells.Matrix, build: Path, say: Callable[[str], None]) -> dict[tuple[str, int], Program]:
    """By core and HZ: a kernel is lifted for each HZ that it is measured at. CannotRun if one cannot be had."""
    from runner.lift import lift
    from runner.lift.kbuild import Variant

    found: dict[tuple[str, int], Program] = {}
    wanted = dict.fromkeys((cell.core, cell.hz) for cell in matrix.cells)
    for core, hz in wanted:
        parsed = core_words.parse(core)
        if parsed.native:
            switches = "all" if parsed.switches is None else parsed.option
            found[core, hz] = _program("tickbench-sim", build / "tickbench-sim",
                                       ["core=native", f"switches={switches}"])
            continue
        done = lift.lift(core, Variant("um", hz, True), build)
        say(done.timing())
        found[core, hz] = _program(f"{done.tree.folder}-{done.variant.name}", done.folder / "tickbench-sim",
                                   ["core=linux"])
    return found


def _stage(program: Program) -> tuple[str, ...]:
    """The native core's words for the switches of a lifted one, told by its behaviour. A core that follows no
    line has tickbench's reference and feed."""
    (run,) = simulate.runs(program.path, [*program.words, "scenario=lock", "duration=0.001"])
    switches = [name for name in run["switches"].split(",") if name != "none"]
    if run["switches"] in ("all", "mailed"):
        return ("core=native", f"switches={run['switches']}")
    return ("core=native", "switches=" + ",".join(dict.fromkeys([*switches, "reference", "feed"])))


def plan(matrix: cells.Matrix, found: dict[tuple[str, int], Program], native: Program) -> Plan:
    """What is to be run. A core without divzero is not compared where its ticks meet a stopped counter."""
    stage = functools.cache(_stage)
    of_cell, reference = {}, {}
    for cell in matrix.cells:
        program = found[cell.core, cell.hz]
        of_cell[cell] = Task(program, cell.words)
        if program.words[0] == "core=linux":
            words = stage(program)
            if "scenario=recalibrate" not in cell.words or "divzero" in words[1] or "all" in words[1]:
                at_stage = Program(native.name, native.path, words, native.key)
                reference[cell] = Task(at_stage, cell.words)
    return Plan(of_cell, reference)


def check(matrix: cells.Matrix, native: Path) -> None:
    """CannotRun (MATRIX) for words that tickbench-sim does not take, with the line of their block."""
    def refused(some: Sequence[cells.Cell]) -> str:
        joined = [word for cell in some for word in ("+", *cell.words)][1:]
        status, said = process.hear([str(need_built(native)), "--check", *joined])
        return said.strip().removeprefix("tickbench-sim: ").split("; --help")[0] if status else ""

    unique = list({cell.words: cell for cell in matrix.cells}.values())
    for at in range(0, len(unique), CHECKED):
        some = unique[at:at + CHECKED]
        if not refused(some):
            continue
        cell = next(cell for cell in some if refused([cell]))
        line = f", line {cell.line}" if cell.line else ""
        raise CannotRun(Problem.MATRIX, f"{matrix.source}{line}, block \"{cell.block}\": {refused([cell])}")


class Results:
    """The lines of tasks that were measured, now or before."""

    def __init__(self, build: Path, again: bool) -> None:
        self.build, self.again = build, again
        self._stores: dict[str, Store] = {}

    def _store(self, task: Task) -> Store:
        key = task.program.key
        if key not in self._stores:
            self._stores[key] = Store(self.build, "matrix", key)
            if self.again:
                self._stores[key].clear()
        return self._stores[key]

    def get(self, task: Task) -> dict[str, Any] | None:
        return self._store(task).get(task.name)

    def put(self, task: Task, line: dict[str, Any]) -> None:
        self._store(task).put(task.name, line)


def batches(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks of one program, as many as one process runs; the longest first, so that no long one is left to
    the end."""
    made: list[list[Task]] = []
    room: dict[str, tuple[list[Task], float]] = {}
    for task in sorted(tasks, key=lambda each: -each.ticks()):
        batch, ticks = room.get(task.program.name, ([], 0.0))
        if not batch or len(batch) == BATCH_CELLS or ticks + task.ticks() > BATCH_TICKS:
            batch, ticks = [], 0.0
            made.append(batch)
        batch.append(task)
        room[task.program.name] = (batch, ticks + task.ticks())
    return made


def shell_command(batch: Sequence[Task]) -> str:
    """One process for a batch. Its status says whether it ran: what the claims say stands in its lines."""
    joined = [word for task in batch for word in ("+", *task.arguments)][1:]
    run = shlex.join([f"./{batch[0].program.name}", "--json", *joined])
    return f"{run}; case $? in 0|1|4) true;; *) false;; esac"


def measure(tasks: Sequence[Task], results: Results, hosts: parallel.Hosts, folder: Path) -> str:
    """Runs what is not kept. Words about what did not come to its end; empty if all did."""
    todo = [task for task in tasks if results.get(task) is None]
    if not todo:
        return ""
    made = batches(todo)
    with Work(stderr(), "matrix", len(tasks), len(tasks) - len(todo), "experiments",
              sum(task.ticks() for task in todo)) as work:
        def heard(job: int, line: str) -> None:
            try:
                said = json.loads(line)
                task = made[job][said["run"]]
            except (ValueError, KeyError, TypeError, IndexError):
                return  # damaged on the way: the cell counts as not measured
            if results.get(task) is None:
                results.put(task, said)
                work.add(words=task.program.name, cost=task.ticks())

        outcome = parallel.run([shell_command(batch) for batch in made],
                               {task.program.name: task.program.path for task in todo}, hosts, folder, heard)
    lines = []
    for job, batch in enumerate(made):
        for task in batch:
            if results.get(task) is None:
                lines.append(f"{task.command()} ({outcome.failed.get(job, 'it said nothing')})")
    if not lines:
        return ""
    more = [f"and {len(lines) - 20} more"] if len(lines) > 20 else []
    return "\n".join([*outcome.words.strip().splitlines()[-10:], "not measured:", *lines[:20], *more])


def run_of(line: dict[str, Any]) -> Run:
    """A run of the report's schema, of what tickbench-sim --json said of it."""
    made = ktap.Run(line["scenario"], params=line["params"], notes=line["notes"])
    made.metrics = {name: ktap.Metric(float(value), "") for name, value in line["metrics"].items()}
    made.claims = [ktap.Claim(number, each["ok"], each["sentence"], each["skipped"], each["todo"])
                   for number, each in enumerate(line["claims"], 1)]
    made.result = ktap.Claim(1, line["ok"] is not False, made.name)
    return report.run_object(made, report.Vehicle("sim"), None, None)


def _differs(run: Run, native: Run) -> str:
    """The first metrics that differ, in words."""
    names = [name for name in run["metrics"] if name in native["metrics"] and name not in NOT_COMPARED
             and run["metrics"][name] != native["metrics"][name]]
    return ", ".join(f"{name} {run['metrics'][name]} and not {native['metrics'][name]}" for name in names[:3])


def _with_claims(run: Run, claims: Sequence[cells.Claim]) -> Run:
    """The run with the claims of its row."""
    has = set(run["switches"].split(","))
    for claim in claims:
        value = run["metrics"].get(claim.metric)
        ok = isinstance(value, (int, float)) and claim.holds(value)
        lacks = [name for name in claim.rests_on if name not in has and "all" not in has]
        words = claim.words() if value is not None else f"{claim.words()} (there is no such metric)"
        todo = f"the core lacks {', '.join(lacks)}" if lacks and not ok else None
        run["claims"].append({"sentence": words, "ok": ok, "skipped": None, "todo": todo})
    return run


def judge(cell: cells.Cell, run: Run, native: Run | None) -> Run:
    """The run of a cell with the claims of its row. native: of the native core with a lifted one's switches. What
    that core fails too, the stage explains: it is known. And the two must have the same figures."""
    run = _with_claims(run, cell.claims)
    run["cell"] = {"block": cell.block, "core": cell.core, **dict(cell.axes)}
    if run["ok"] is None:
        return run
    if native is not None:
        _hold_against(run, _with_claims(native, cell.claims))
    run["ok"] = all(claim["ok"] or claim["todo"] is not None for claim in run["claims"] if claim["sentence"] != SAME)
    return run


def _hold_against(run: Run, native: Run) -> None:
    failed = {claim["sentence"] for claim in native["claims"] if not claim["ok"]}
    for claim in run["claims"]:
        if not claim["ok"] and claim["todo"] is None and claim["sentence"] in failed:
            claim["todo"] = "the native core fails it too, with the same switches"
    wrong = _differs(run, native)
    run["claims"].append({"sentence": SAME, "ok": not wrong, "skipped": None, "todo": None})
    if wrong:
        run["notes"].append(f"not as native at its stage: {wrong}")


def status(runs: Sequence[Run]) -> Status:
    """Failed if a claim fails, DIFFERS if only a lifted core is not as native at its stage."""
    if any(run["ok"] is False for run in runs):
        return Status.FAILED
    if any(matrix_report.differs(run) for run in runs):
        return Status.DIFFERS
    return Status.SKIPPED if runs and all(run["skipped"] for run in runs) else Status.PASSED


def speeds(found: dict[tuple[str, int], Program]) -> dict[str, float]:
    """Million ticks a second of each core, one after the other, alone; by core."""
    made: dict[str, float] = {}
    for (core, hz), program in found.items():
        if core not in made:
            (run,) = simulate.runs(program.path, [*program.words, "scenario=rate", f"hz={hz}"])
            made[core] = round(run["metrics"]["ticks_per_s"] / 1e6, 1)
    return made


def parser() -> options.Parser:
    """The options of `tickbench matrix`."""
    made = options.Parser("matrix", "Measures many experiments on many cores.")
    add = made.add_argument
    add("file", nargs="?", type=Path, metavar="FILE.toml", help="the matrix (default: the one that --print shows)")
    add("--print", action="store_true", help="print the matrix as TOML, and measure nothing")
    add("--cores", metavar="CORE,...", help="these cores in place of the matrix's")
    add("--commands", action="store_true", help="print each cell's own command, and measure nothing")
    add("--json", action="store_true", help="print report.json on stdout and nothing else there, and draw no picture")
    add("--again", action="store_true", help="measure all cells again: keep no result of an earlier run")
    add("--sshlogin", action="append", default=[], metavar="HOSTS",
        help="run on these hosts, as GNU parallel names them: 8/user@host,: (: is this one)")
    add("--ssh", metavar="COMMAND", help="what is run in place of ssh (or PARALLEL_SSH)")
    add("--jobs", type=options.positive, metavar="N", help="at the same time on each host (default: one a core)")
    options.folders(made, "matrix")
    return made


def main(arguments: Sequence[str]) -> int:
    given = parser().parse_args(arguments)
    matrix = cells.read(given.file, (given.cores or "").split(",") if given.cores else ())
    if given.print:
        print(cells.DEFAULT if given.file is None else given.file.read_text(), end="")
        return Status.PASSED
    for core in matrix.cores:
        core_words.parse(core)
    check(matrix, given.build / "tickbench-sim")
    console = stderr()
    native = native_program(given.build)
    found = programs(matrix, given.build, lambda words: console.print(words, markup=False, soft_wrap=True))
    planned = plan(matrix, found, native)
    if given.commands:
        for cell in matrix.cells:
            print(planned.of_cell[cell].command())
        return Status.PASSED
    folder = given.output or given.build / "matrix"
    hosts = parallel.Hosts(tuple(word for words in given.sshlogin for word in words.split(",") if word),
                           given.ssh, given.jobs)
    with output.prepared(folder):
        results = Results(given.build, given.again)
        missing = measure(planned.tasks(), results, hosts, folder)
        if missing:
            raise CannotRun(Problem.MATRIX_CELLS, "some cells could not be measured", missing)
        runs = []
        for cell in matrix.cells:
            lines = [results.get(planned.of_cell[cell]), results.get(planned.reference[cell])
                     if cell in planned.reference else None]
            measured, at_stage = (None if line is None else run_of(line) for line in lines)
            assert measured is not None
            runs.append(judge(cell, measured, at_stage))
        document = {"schema": report.SCHEMA, "runs": runs, "million_ticks_per_s": speeds(found)}
        report.write(document, folder / output.REPORT)
        if given.json:
            json.dump(document, sys.stdout, indent=1)
            print()
        else:
            matrix_report.draw(runs, matrix.cores, [folder / name for name in matrix_report.PICTURES])
            matrix_report.show(document, [planned.of_cell[cell].command() for cell in matrix.cells], folder)
    return status(runs)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Which lines of a kernel's timekeeping.c and ntp.c the default checks reach, and which scenario and which
operation of the comparison reaches each function. Counts with gcov, in a lifted core whose two units are
compiled for it in a folder of their own.

`make coverage LINUX=7.3` is this: ./tickbench coverage 7.3"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich import box
from rich.table import Table

from runner import BUILD, options, process, scenarios
from runner.errors import CannotRun, Problem, Status
from runner.lift import kbuild, lift
from runner.lift.kbuild import Variant
from runner.report import progress
from runner.report.table import console
from runner.study.ladder import write_tables
from runner.study.workshop import DIFF, SIM, link_commands, unit_of

MARKS = ("<!-- coverage -->\n", "<!-- end of coverage -->\n")
UNITS = ("timekeeping", "ntp")
LIST = Path(__file__).with_name("unreached.txt")
# With a section for each datum, the linker script can place the counters where a fresh start does not reset them.
FLAGS = ("--coverage", "-fdata-sections", "-fno-early-inlining", "-g0", "-w")
TICKS = 20000  # of each operation alone
MIXED = ("mixed", 2_000_000)  # all operations together, and ticks
BASE = "ticks"  # what every script has beside its operation


@dataclass(frozen=True)
class Step:
    """A program to run: a scenario of the host process, or an operation of the comparison."""

    kind: str  # scenario, operation
    name: str
    command: tuple[str, ...]


@dataclass
class Function:
    """One function of the tree: how often each of its lines was run."""

    file: str
    name: str
    lines: dict[int, int] = field(default_factory=dict)
    reached: dict[str, list[str]] = field(default_factory=lambda: {"scenario": [], "operation": []})

    @property
    def hit(self) -> int:
        return sum(count > 0 for count in self.lines.values())

    @property
    def missed(self) -> list[int]:
        return sorted(line for line, count in self.lines.items() if not count)


def prepare(build: Path, lifted: Path, kbuild_folder: Path, folder: Path) -> None:
    """A copy of the lift with its two units compiled for gcov, and both programs linked."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(lifted, folder, ignore=shutil.ignore_patterns(
        "tickbench*", "linux.o", "core_*.o", *(f"wrap_{name}.*" for name in UNITS)))
    for name in UNITS:
        unit = unit_of(lifted, name, kbuild_folder)
        made = (folder / f"wrap_{name}.o").resolve()
        status, said = process.hear(
            [*unit.command, f'-DLIFT_{name.upper()}="{unit.path}"', *FLAGS, "-c", "-o", str(made),
             str(lift.ROOM / f"tk/linux/wrap_{name}.c")], cwd=kbuild_folder, env=kbuild.environment())
        if status:
            raise CannotRun(Problem.LIFT, f"{unit.path} does not compile with --coverage", said)
    for line in link_commands(build, folder):
        links = any(line.rstrip().find(f"/{name} ") >= 0 for name in (DIFF, SIM))
        status, said = process.hear(["bash", "-c", line + (" --coverage" if links else "")], cwd=lift.ROOM)
        if status:
            raise CannotRun(Problem.LIFT, "the core with counters does not link", said)


def counts(folder: Path, paths: dict[str, Path]) -> dict[tuple[str, str], dict[int, int]]:
    """By file and function: how often each line was run since the counters were removed last."""
    found: dict[tuple[str, str], dict[int, int]] = {}
    for unit, path in paths.items():
        done = subprocess.run(["gcov", "--json-format", "--stdout", f"wrap_{unit}.gcno"], cwd=folder,
                              capture_output=True, text=True)
        if done.returncode:
            raise CannotRun(Problem.LIFT_TOOL, "gcov cannot read its counters", done.stderr)
        for each in json.loads(done.stdout)["files"]:
            if Path(each["file"]).name != path.name or "tk/linux" in each["file"]:
                continue
            for line in each["lines"]:
                if "function_name" in line:
                    lines = found.setdefault((path.name, line["function_name"]), {})
                    lines[line["line_number"]] = lines.get(line["line_number"], 0) + line["count"]
    return found


def run(step: Step, folder: Path, paths: dict[str, Path]) -> dict[tuple[str, str], dict[int, int]]:
    """The counts of one step alone."""
    for left in folder.glob("*.gcda"):
        left.unlink()
    subprocess.run([str(folder / step.command[0]), *step.command[1:]], cwd=folder, capture_output=True)
    return counts(folder, paths)


def steps(folder: Path, by_default: Iterable[str]) -> list[Step]:
    """All scenarios that run by default, and all operations."""
    listed = subprocess.run([str(folder / DIFF), "--list"], capture_output=True, text=True).stdout.split()
    found = [Step("operation", name, (DIFF, "--only", name, "--random", "1", str(TICKS))) for name in listed]
    found.append(Step("operation", MIXED[0], (DIFF, "--random", "1", str(MIXED[1]))))
    return found + [Step("scenario", name, (SIM, "core=linux", f"scenario={name}")) for name in by_default]


def measure(todo: Sequence[Step], folder: Path, paths: dict[str, Path],
            said: Callable[[str], None]) -> dict[tuple[str, str], Function]:
    """Runs the steps, and adds up what they reached. said() is told of each that has ended."""
    functions: dict[tuple[str, str], Function] = {}
    # Every program first probes which switches the core has: what that calls is nobody's reach.
    probing = run(Step("", "", (DIFF, "--stage")), folder, paths)
    for step in todo:
        for (file, name), lines in run(step, folder, paths).items():
            function = functions.setdefault((file, name), Function(file, name))
            for line, count in lines.items():
                function.lines[line] = function.lines.get(line, 0) + count
            before = probing.get((file, name), {})
            if any(count > before.get(line, 0) for line, count in lines.items()):
                function.reached[step.kind].append(step.name)
        said(f"{step.kind} {step.name}")
    return dict(sorted(functions.items()))


def share(functions: Iterable[Function]) -> float:
    """Of all lines that hold code, those that were run, 0 to 1."""
    every = list(functions)
    return sum(each.hit for each in every) / max(1, sum(len(each.lines) for each in every))


def read_list(text: str) -> dict[tuple[str, str], str]:
    """The committed list of reasons, by file and function. CannotRun if a line is not FILE FUNCTION REASON."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            words = line.split(None, 2)
            if len(words) != 3:
                raise CannotRun(Problem.USAGE, f"{LIST.name}:{number}: not FILE FUNCTION REASON")
            found[words[0], words[1]] = words[2]
    return found


def reached_by(function: Function, kind: str, all_of_kind: int) -> str:
    """The names of what reaches a function, shortened: `every` if all do, `ticks` if time passing does."""
    names = [name for name in function.reached[kind] if name != MIXED[0]] or function.reached[kind]
    all_of_kind -= kind == "operation"
    if not names:
        return "-"
    if len(names) == all_of_kind:
        return "every one"
    if kind == "operation" and BASE in names:
        return BASE
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def cells(function: Function, todo: Sequence[Step], reasons: dict[tuple[str, str], str]) -> list[str]:
    """A row of the table, in the order of HEADINGS."""
    number = {kind: sum(step.kind == kind for step in todo) for kind in ("scenario", "operation")}
    reason = reasons.get((function.file, function.name), "") if function.missed else ""
    return [function.file, function.name, str(len(function.lines)), f"{share([function]) * 100:.0f}",
            *(reached_by(function, kind, number[kind]) for kind in ("scenario", "operation")), reason]


HEADINGS = ("file", "function", "lines", "%", "scenario", "operation", "why the rest is not")


def markdown(title: str, functions: Sequence[Function], todo: Sequence[Step],
             reasons: dict[tuple[str, str], str]) -> str:
    """The table of the document, with a line about the whole."""
    lines = [total_line(title, functions), "", f"| {' | '.join(HEADINGS)} |",
             "| --- | --- | ---: | ---: | --- | --- | --- |"]
    for each in functions:
        row = cells(each, todo, reasons)
        lines.append(f"| {row[0]} | `{row[1]}` | {' | '.join(row[2:])} |")
    return "\n".join(lines) + "\n"


def total_line(title: str, functions: Sequence[Function]) -> str:
    count, hit = sum(len(each.lines) for each in functions), sum(each.hit for each in functions)
    return f"{title}: {hit} of {count} lines in {len(functions)} functions, {share(functions) * 100:.1f} %"


def shown(functions: Sequence[Function], todo: Sequence[Step], reasons: dict[tuple[str, str], str]) -> Table:
    """For a terminal: the functions with lines that were not run."""
    made = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("file", "function", "lines", "%", "lines not run", "why"):
        made.add_column(heading, justify="right" if heading in ("lines", "%") else "left")
    for each in functions:
        if each.missed:
            row = cells(each, todo, reasons)
            made.add_row(*row[:4], ranges(each.missed), row[6])
    return made


def ranges(lines: Sequence[int]) -> str:
    """Line numbers, with runs joined: 3-5 8."""
    parts: list[list[int]] = []
    for line in lines:
        if parts and line == parts[-1][1] + 1:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    return " ".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def document(title: str, functions: Sequence[Function]) -> dict[str, object]:
    """For --json."""
    return {"tree": title, "share": round(share(functions), 4), "functions": [
        {"file": each.file, "function": each.name, "lines": len(each.lines), "missed": each.missed,
         "scenarios": each.reached["scenario"], "operations": each.reached["operation"]} for each in functions]}


def main(arguments: Sequence[str]) -> int:
    parser = options.Parser("coverage", "Counts which lines of a kernel's core the default checks run.")
    parser.add_argument("linux", help="PATH, PATH@REV or a release (7.3)")
    parser.add_argument("--markdown", type=Path, help="a document: its table is replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else, on stdout")
    parser.add_argument("--build", type=Path, default=BUILD, help="(default %(default)s)")
    given = parser.parse_args(arguments)
    missing = kbuild.missing_tools(("gcov",))
    if missing:
        raise CannotRun(Problem.LIFT_TOOL, f"counting lines needs {', '.join(missing)}")
    variant = Variant("um", 1000, True)
    done = lift.lift(given.linux, variant, given.build, (DIFF, SIM))
    build = done.folder.parents[2]
    kbuild_folder = (done.folder.parent / "kbuild" / variant.kbuild_name).resolve()
    folder = done.folder.parent / "coverage"
    prepare(build, done.folder, kbuild_folder, folder)
    paths = {name: unit_of(done.folder, name, kbuild_folder).path for name in UNITS}
    todo = steps(folder.resolve(), [each.name for each in scenarios.read(build).named([])])
    with progress.Work(progress.stderr(), "coverage", len(todo), unit="runs") as work:
        functions = list(measure(todo, folder.resolve(), paths, lambda words: work.add(words=words)).values())
    reasons = read_list(LIST.read_text())
    if given.markdown:
        write_tables(given.markdown, markdown(done.tree.label, functions, todo, reasons), MARKS)
    if given.json:
        print(json.dumps(document(done.tree.label, functions), indent=1))
    else:
        console(140).print(shown(functions, todo, reasons))
        print(total_line(done.tree.label, functions))
    return Status.PASSED

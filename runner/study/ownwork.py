# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds and judges broken forms of tickbench's own code, as workshop.py does with a kernel's: a copy of the build
folder, in which the objects of one file are compiled from its broken form, as make would compile them. The native
core and what the cores share are judged by the comparison with a kernel and by the scenarios; the page, the
mailbox and the statistics by the tests of these files."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import CannotRun, Problem
from runner.lift import kbuild
from runner.lift.lift import ROOM
from runner.study.workshop import DIFF, SIM, Children, Trial, Verdict, what_it_says

CORE = ("tk/native/*.c", "tk/reference.c")
TESTED = {"vmclock/*.c": ("page-tests", "tests/test_page.py"), "lib/stats.c": ("lib-tests", "tests/test_lib.py")}
COPIED = ("free", "host", "native", "san", "tests", "scenarios.json", SIM)


@dataclass(frozen=True)
class Judge:
    """What judges a file: make's goals, and trials of programs or a file of tests."""

    goals: tuple[str, ...]
    trials: tuple[Trial, ...] = ()
    tests: str = ""


def files() -> list[str]:
    """The sources that are broken, relative to the repository."""
    found = [path for pattern in (*CORE, *TESTED) for path in sorted(ROOM.glob(pattern))]
    return [str(path.relative_to(ROOM)) for path in found]


def judge_of(file: str, lifts: Sequence[str]) -> Judge:
    """`lifts`: the folders of lifted cores, relative to the build folder."""
    for pattern, (goal, tests) in TESTED.items():
        if Path(file).match(pattern):
            return Judge((goal,), tests=tests)
    diffs = [f"{lifted}/{DIFF}" for lifted in lifts]
    return Judge((*diffs, SIM), (
        *(Trial("comparison", diff, ("--random", "1", "300000"), 20.0) for diff in diffs),
        Trial("scenarios", SIM, (), 40.0),
        Trial("pulses", SIM, ("scenario=pps",), 20.0),  # only a run that asks for it has these
        *(Trial("comparison", diff, ("--random", "2", "2000000"), 60.0) for diff in diffs)))


class OwnBench:
    """A copy of the build folder. Its judge() is called as a Workbench's is."""

    def __init__(self, build: Path, folder: Path, lifts: Sequence[str]) -> None:
        self.build, self.lifts = folder.resolve(), lifts
        self.children = Children()
        self.scripts: dict[str, list[str]] = {}
        self.whole: dict[str, list[bytes]] = {}
        shutil.rmtree(folder, ignore_errors=True)
        for name in (*COPIED, *lifts):
            if (build / name).is_dir():
                shutil.copytree(build / name, folder / name, ignore=shutil.ignore_patterns(DIFF, "tickbench.*"))
            elif (build / name).exists():
                shutil.copy2(build / name, folder / name)

    def _make(self, *words: str) -> str:
        done = subprocess.run(["make", "-s", "--no-print-directory", "-C", str(ROOM), f"BUILD={self.build}", *words],
                              env=kbuild.environment(), capture_output=True, text=True)
        if done.returncode:
            raise CannotRun(Problem.PROGRAM_FAILED, f"make {' '.join(words)} failed", done.stderr)
        return done.stdout

    def _goals(self, judge: Judge) -> list[str]:
        return [goal if goal.endswith("-tests") else str(self.build / goal) for goal in judge.goals]

    def prepare(self, file: str, judge: Judge) -> None:
        """Builds what judges a file, and keeps the commands that make would run if the file had changed."""
        if file in self.scripts:
            return
        goals = self._goals(judge)
        self._make(*goals)
        said = self._make("-n", "-W", file, *goals)
        self.scripts[file] = [line for line in said.splitlines() if line.strip()]
        self.whole[file] = self._objects(file, (ROOM / file).read_text()) or []

    def _is_compile(self, line: str, file: str) -> bool:
        return " -c -o " in line and line.rstrip().endswith(f" {file}")

    def _objects(self, file: str, text: str) -> list[bytes] | None:
        """Compiles the broken text in each way; the objects without what the debugger needs. None: it does not
        compile."""
        source = self.build / "broken" / Path(file).name
        source.parent.mkdir(exist_ok=True)
        source.write_text(text)
        made = []
        for line in self.scripts[file]:
            if self._is_compile(line, file):
                command = shlex.split(line)[:-1] + ["-g0", "-w", f"-iquote{(ROOM / file).parent}", str(source)]
                if self.children.run(command, cwd=ROOM)[0]:
                    return None
                made.append(Path(command[command.index("-o") + 1]).read_bytes())
        return made

    def judge(self, unit: str, text: str, trials: object) -> Verdict:
        """`trials` are a Workbench's, and not used here."""
        began, file = time.monotonic(), f"{unit}.c"
        judge = judge_of(file, self.lifts)
        self.prepare(file, judge)

        def after(word: str, by: str = "") -> Verdict:
            return Verdict(word, by, round(time.monotonic() - began, 3))

        try:
            made = self._objects(file, text)
            if made is None:
                return after("uncompilable")
            if made == self.whole[file]:
                return after("same")
            by = self._report(file, judge)
            return after("reported", by) if by else after("unreported")
        finally:
            self._objects(file, (ROOM / file).read_text())
            self._link(file)

    def _link(self, file: str) -> bool:
        lines = [line for line in self.scripts[file] if not self._is_compile(line, file)]
        return not self.children.run(["bash", "-e"], cwd=ROOM, script="\n".join(lines) + "\n")[0]

    def _report(self, file: str, judge: Judge) -> str:
        if not self._link(file):
            return "the linker"
        for trial in judge.trials:
            if by := trial.run(self.build, self.children):
                return by
        return self._tests(judge.tests) if judge.tests else ""

    def _tests(self, tests: str) -> str:
        try:
            status, said = self.children.run(
                ["env", f"BUILD={self.build}", sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
                 "--no-header", tests], 120.0, cwd=ROOM)
        except subprocess.TimeoutExpired:
            return f"{tests}: does not end"
        return f"{tests}: {what_it_says(said)}" if status else ""


def unsound(bench: OwnBench, sources: Sequence[str]) -> str:
    """What reports a file that is not broken; empty if nothing does."""
    for file in sources:
        judge = judge_of(file, bench.lifts)
        bench.prepare(file, judge)
        if by := bench._report(file, judge):
            return f"{file}: {by}"
    return ""

# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds and judges broken forms of tickbench's own code, as workshop.py does with a kernel's: a copy of the build
folder, in which the object of one file is compiled from its broken form, as make would compile it. The native core
and what the cores share are judged by the comparison with kernels, by checks of their own and by the scenarios; the
page and the statistics by their properties.

A break is tried with the cheapest program first, and a program is linked only when it is its turn."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import CannotRun, Problem
from runner.lift import kbuild
from runner.lift.lift import ROOM
from runner.study.store import Store, key_of
from runner.study.workshop import DIFF, SIM, Children, Trial, Verdict

CORE = ("tk/native/*.c", "tk/*.c")
PAGE, STATISTICS = ("vmclock/*.c",), ("lib/stats.c", "lib/stability.c")
PROPERTIES = {PAGE: ("vmclock-tool", "tests/vmclock_properties.py"),
              STATISTICS: ("lib-tool", "tests/stats_properties.py")}
SHARED = ("properties.py", "pagetool.py")  # what the scripts import
COPIED = ("free", "host", "native", "san", "own", "tests", "scenarios.json", SIM)
# The first script of the comparison. A difference ends it, so that most breaks need a part of it.
SHORT, LONG = ("--random", "1", "300000"), ("--random", "2", "1000000")
# What only a run that asks for it has.
ASKED = ("pps", "regress", "killed", "device")


@dataclass(frozen=True)
class Step:
    """A program that judges, relative to the build folder, and what is tried with it."""

    goal: str
    trial: Trial


def files() -> list[str]:
    """The sources that are broken, relative to the repository."""
    found = [path for pattern in (*CORE, *PAGE, *STATISTICS) for path in sorted(ROOM.glob(pattern))]
    return [str(path.relative_to(ROOM)) for path in found]


def _script(path: Path) -> bytes:
    """What a program of properties says, with what all of them share."""
    return b"".join(each.read_bytes() for each in (path, *(path.with_name(name) for name in SHARED)))


def _properties(build: Path, script: str, goal: str, file: str) -> Step:
    return Step(goal, Trial("properties", sys.executable, (str(ROOM / script), str(build / goal), file), 10.0))


def steps_of(file: str, lifts: Sequence[str], build: Path) -> list[Step]:
    """What judges a file, the cheapest first. `lifts`: the folders of lifted cores, relative to the build folder."""
    for patterns, (tool, script) in PROPERTIES.items():
        if any(Path(file).match(pattern) for pattern in patterns):
            # With the product's own object, and then under the sanitizers.
            return [_properties(build, script, f"own/{tool}", file), _properties(build, script, tool, file)]
    diffs = [f"{lifted}/{DIFF}" for lifted in lifts]
    if file.endswith("/pps.c"):
        diffs.sort(key=lambda diff: "-pps" not in diff)
    compared = [Step(diff, Trial("comparison", diff, SHORT, 5.0)) for diff in diffs]
    own = [_properties(build, "tests/core_properties.py", "own/stage-check", file),
           Step("own/reference-check", Trial("reference-check", "own/reference-check", (), 5.0))]
    if "native" not in file:
        own.insert(0, _properties(build, "tests/core_properties.py", "own/lib-tool", file))
    scenarios = [Step(SIM, Trial("scenarios", SIM, (), 10.0)),
                 *(Step(SIM, Trial(name, SIM, (f"scenario={name}",), 10.0)) for name in ASKED)]
    if file.endswith(("/clocks.c", "/native.c")):  # what other processors call
        scenarios.append(Step(SIM, Trial("smp", SIM, ("scenario=smp",), 10.0)))
    longer = [Step(diff, Trial("comparison", diff, LONG, 15.0)) for diff in diffs[:1]]
    first = compared[:1] if "native" in file else []
    return [*first, *own, *compared[len(first):], *scenarios, *longer]


class OwnBench:
    """A copy of the build folder. Its judge() is called as a Workbench's is."""

    def __init__(self, build: Path, folder: Path, lifts: Sequence[str], sources: Sequence[str]) -> None:
        self.build, self.lifts, self.sources = folder.resolve(), lifts, sources
        self.children = Children()
        self.compiles: dict[str, dict[str, list[str]]] = {}  # of a file, by the object made
        self.links: dict[str, list[str]] = {}  # of a program
        self.needs: dict[tuple[str, str], list[str]] = {}  # of a file and a program: the objects that change
        self.whole: dict[tuple[str, str], bytes] = {}  # of a file and an object
        shutil.rmtree(folder, ignore_errors=True)
        for name in (*COPIED, *lifts):
            if (build / name).is_dir():
                shutil.copytree(build / name, folder / name, ignore=shutil.ignore_patterns(DIFF, "tickbench.*"))
            elif (build / name).exists():
                shutil.copy2(build / name, folder / name)
        self._prepare()

    def steps(self, file: str) -> list[Step]:
        return steps_of(file, self.lifts, self.build)

    def _make(self, *words: str) -> str:
        done = subprocess.run(["make", "-s", "--no-print-directory", "-C", str(ROOM), f"BUILD={self.build}", *words],
                              env=kbuild.environment(), capture_output=True, text=True)
        if done.returncode:
            raise CannotRun(Problem.PROGRAM_FAILED, f"make {' '.join(words)} failed", done.stderr)
        return done.stdout

    def _prepare(self) -> None:
        """Builds what judges the files, and keeps the commands that make would run if these had changed."""
        judged: dict[str, list[str]] = {}  # files, by program
        for file in self.sources:
            self.compiles[file] = {}
            for step in self.steps(file):
                judged.setdefault(step.goal, []).append(file)
        self._make(*(str(self.build / goal) for goal in judged))
        for goal, files_of_goal in judged.items():
            changed = [word for file in dict.fromkeys(files_of_goal) for word in ("-W", file)]
            lines = [line for line in self._make("-n", *changed, str(self.build / goal)).splitlines() if line.strip()]
            # Of the files that are not asked for, some may be compiled too: make does so if they are not up to date.
            self.links[goal] = [line for line in lines if " -c -o " not in line]
            for file in dict.fromkeys(files_of_goal):
                compiles = [shlex.split(line) for line in lines if self._is_compile(line, file)]
                made = {command[command.index("-o") + 1]: command for command in compiles}
                self.compiles[file].update(made)
                self.needs[file, goal] = list(made)

    def _is_compile(self, line: str, file: str) -> bool:
        return " -c -o " in line and line.rstrip().endswith(f" {file}")

    def _whole(self, file: str, made: str) -> bytes:
        if (file, made) not in self.whole:
            self.whole[file, made] = self._compile(file, made, (ROOM / file).read_text()) or b""
        return self.whole[file, made]

    def _compile(self, file: str, made: str, text: str) -> bytes | None:
        """The object of a text in place of the file's, without what a debugger needs. None: it does not compile."""
        source = self.build / "broken" / Path(file).name
        source.parent.mkdir(exist_ok=True)
        source.write_text(text)
        command = self.compiles[file][made][:-1] + ["-g0", "-w", f"-iquote{(ROOM / file).parent}", str(source)]
        return None if self.children.run(command, cwd=ROOM)[0] else Path(made).read_bytes()

    def judge(self, unit: str, text: str, trials: object) -> Verdict:
        """`trials` are a Workbench's, and not used here."""
        began, file = time.monotonic(), f"{unit}.c"
        compiled: set[str] = set()
        try:
            word, by = self._try(file, text, compiled)
            return Verdict(word, by, round(time.monotonic() - began, 3))
        finally:
            for made in compiled:
                Path(made).write_bytes(self.whole[file, made])

    def _try(self, file: str, text: str, compiled: set[str]) -> tuple[str, str]:
        """`compiled` gets the objects that are of the broken text."""
        linked: set[str] = set()
        for step in self.steps(file):
            if step.goal not in linked:
                for made in self.needs[file, step.goal]:
                    if made in compiled:
                        continue
                    whole = self._whole(file, made)
                    compiled.add(made)
                    if (found := self._compile(file, made, text)) is None:
                        return "uncompilable", ""
                    # The first one is the product's. A sanitizer's object knows the columns of its source.
                    if found == whole and len(compiled) == 1:
                        return "same", ""
                linked.add(step.goal)
                if not self._link(step.goal):
                    return "uncompilable", ""
            if by := step.trial.run(self.build, self.children):
                return "reported", by
        return "unreported", ""

    def _link(self, goal: str) -> bool:
        return not self.children.run(["bash", "-e"], cwd=ROOM, script="\n".join(self.links[goal]) + "\n")[0]

    def unsound(self) -> str:
        """What reports a file that is not broken; empty if nothing does."""
        tried: set[tuple[str, ...]] = set()
        for file in self.sources:
            for step in self.steps(file):
                what = (step.goal, *step.trial.arguments[:2])  # the third one of properties is the file
                if what in tried:
                    continue
                tried.add(what)
                self._link(step.goal)  # what was judged before may have left a broken one
                if by := step.trial.run(self.build, self.children):
                    return f"{file}: {by}"
        return ""

    def key(self, file: str) -> str:
        """A hash of all that a verdict on the file's breaks depends on."""
        steps = self.steps(file)
        parts: list[str | bytes] = [(ROOM / file).read_text()]
        for step in steps:
            parts += [(self.build / step.goal).read_bytes(), step.goal]
            parts += [_script(Path(word)) if word.endswith(".py") else word for word in step.trial.arguments
                      if word.endswith(".py") or not word.startswith("/")]
        return key_of(*parts)


class Stores:
    """A Store for each file, by its own key, so that a change of one file leaves the verdicts on others."""

    def __init__(self, build: Path, keys: Mapping[str, str]) -> None:
        self.stores = {file: Store(build, "mutants", f"own-{key}") for file, key in keys.items()}

    def get(self, name: str) -> dict[str, Any] | None:
        return self.stores[name.split()[0]].get(name)

    def put(self, name: str, result: dict[str, Any]) -> None:
        self.stores[name.split()[0]].put(name, result)

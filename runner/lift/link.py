# SPDX-License-Identifier: GPL-2.0-or-later
"""Links a lifted core, or two cores, into programs. The rules are the Makefile's. make is asked once how it would make
each file; as long as no source of this project changes, the same commands serve every folder, and only those run whose
inputs are newer. If anything is amiss, make itself does it, and says why it cannot.

The commands: lifts/recipes/PROGRAMS.json, with marks such as @folder@ for the folders."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner import process
from runner.errors import CannotRun, Problem
from runner.lift import kbuild
from runner.lift.digests import of_text
from runner.lift.units import ROOM, WRAPPERS

HERE, CORE_A, CORE_B = "@folder@", "@a@", "@b@"
# Folders that hold no source of a program.
ELSEWHERE = {"build", "tests", "docs", "runner", "lint", "fuzz", "__pycache__"}
MAKE_LOCK = "make.lock"
SUFFIXES = (".c", ".h", ".mk", ".ld", ".asm", ".S")
TRACED = re.compile(r"^\S+:\d+: (?:update )?target '([^']+)'")
MADE_BEFORE = (*(f"wrap_{name}.o" for name in WRAPPERS), "lift_has.h", "lift_identity.h")


def sources() -> str:
    """A digest of the names, sizes and modification times of this project's C sources and rules."""
    found = []

    def walk(folder: str) -> None:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in ELSEWHERE and not entry.name.startswith("."):
                    walk(entry.path)
            elif entry.name.endswith(SUFFIXES) or entry.name == "Makefile":
                stat = entry.stat()
                found.append(f"{entry.path} {stat.st_mtime_ns} {stat.st_size}")

    walk(str(ROOM))
    return of_text("\n".join(sorted(found)))


@dataclass(frozen=True)
class Step:
    """A file, and the commands that make it, with HERE for the folder."""

    target: str
    lines: tuple[str, ...]


def _marked(line: str, places: Mapping[str, Path]) -> str:
    """A line with marks in place of the folders, of which none is part of another."""
    for mark, folder in places.items():
        line = re.sub(rf"{re.escape(str(folder))}(?=[/\s'\"]|$)", mark, line)
    return line


def _traced(said: str, places: Mapping[str, Path]) -> list[Step]:
    """The steps in what `make -n --trace` prints."""
    steps: list[tuple[str, list[str]]] = []
    for line in said.replace("\\\n", " ").splitlines():
        found = TRACED.match(line)
        if found:
            steps.append((found.group(1), []))
        elif steps and line.strip():
            steps[-1][1].append(line.strip().lstrip("@"))
    marked = [Step(_marked(target, places), tuple(_marked(line, places) for line in lines))
              for target, lines in steps if lines]
    return [step for step in marked if step.target.startswith(tuple(f"{mark}/" for mark in places))]


class Linker:
    """Makes programs in one folder. CannotRun if a program cannot be linked."""

    def __init__(self, build: Path, folder: Path, programs: Sequence[str], label: str) -> None:
        self.build, self.label = build, label
        self.places: Mapping[str, Path] = {HERE: folder}
        self.targets = [f"{HERE}/{name}" for name in programs]
        self.newer = [f"{HERE}/{name}" for name in MADE_BEFORE]
        self.variables: Sequence[str] = ()
        self._start("+".join(sorted(programs)))

    def _start(self, name: str) -> None:
        self.recipe = self.build / "lift/recipes" / f"{name}.json"
        self.sources = sources()
        self.steps = self._read()

    def _read(self) -> list[Step]:
        """The commands, none if they are not those of the present sources."""
        try:
            held = json.loads(self.recipe.read_text())
            if held["sources"] == self.sources and held["build"] == str(self.build):
                return [Step(each["target"], tuple(each["lines"])) for each in held["steps"]]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return []

    def _placed(self, line: str) -> str:
        for mark, folder in self.places.items():
            line = line.replace(mark, str(folder))
        return line

    def _lines(self, step: Step) -> list[str]:
        return [self._placed(line) for line in step.lines]

    def _stale(self, step: Step) -> bool:
        """Whether one of the files that a step's commands name is newer than its target."""
        target = ROOM / self._placed(step.target)
        words = {word for line in self._lines(step) for word in shlex.split(line) if "=" not in word}
        try:
            made = target.stat().st_mtime_ns
            inputs = [ROOM / word for word in words if not word.startswith("-")]
            if any(path.is_file() and path != target and path.stat().st_mtime_ns > made for path in inputs):
                return True
            if target.suffix != ".o" or "-c" not in words:
                return False
            listed = target.with_suffix(".d").read_text().replace("\\\n", " ").split(":")[1].split()
            return any((ROOM / name).stat().st_mtime_ns > made for name in listed if name != str(target))
        except (OSError, IndexError):
            return True

    def _is_object(self, step: Step) -> bool:
        return any(" -c " in line for line in step.lines)

    def _job(self, step: Step) -> process.Job:
        return process.Job(["bash", "-e", "-c", "\n".join(self._lines(step))], ROOM, kbuild.environment())

    def objects(self) -> list[process.Job]:
        """What can be compiled beside the kernel's units: our own object of the folder."""
        return [self._job(step) for step in self.steps if self._is_object(step) and self._stale(step)]

    def link(self) -> None:
        """Makes what is older than its inputs."""
        if not self.steps or not self._run():
            self._make()

    def _run(self) -> bool:
        """By the kept commands: one step after the other, but the last ones, which need none of each other."""
        steps = [step for step in self.steps if not self._is_object(step)]
        if any(self._stale(step) for step in self.steps if self._is_object(step)):
            return False
        # Whether a program is stale is known once its objects are made: also one that was asked for by name.
        programs = {name for name in self.targets if not name.endswith(".o")}
        for step in steps:
            if step.target not in programs and self._stale(step) and self._failed([step]):
                return False
        return not self._failed([step for step in steps if step.target in programs and self._stale(step)])

    def _failed(self, steps: Sequence[Step]) -> bool:
        for step in steps:
            (ROOM / self._placed(step.target)).unlink(missing_ok=True)
        return any(status for status, _ in process.together([self._job(step) for step in steps]))

    def _goal(self, *words: str) -> list[str]:
        return ["make", "--no-print-directory", "-C", str(ROOM), f"BUILD={self.build}", *words,
                *(self._placed(word) for word in (*self.variables, *self.targets))]

    def _make(self) -> None:
        # Lifts into other folders make the same objects of ours: one at a time.
        folder = self.build / "lift"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / MAKE_LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            status, said = process.hear([*self._goal("-s", f"-j{os.cpu_count() or 1}")], env=kbuild.environment())
        if status == 0:
            self._learn()
        elif "undefined reference to" in said:
            raise CannotRun(Problem.LIFT_SYMBOL, f"{self.label} wants a symbol that the lift does not supply", said)
        else:
            raise CannotRun(Problem.LIFT, f"{self.label} does not link", said)

    def _learn(self) -> None:
        """Asks make for the commands of all that depends on what a lift changes; without what it says of the rest."""
        newer = [word for name in self.newer for word in ("-W", self._placed(name))]
        status, said = process.hear([*self._goal("-s", "-n", "--trace"), *newer], env=kbuild.environment())
        steps = _traced(said, self.places)
        if status or not steps:
            return
        try:
            self.recipe.parent.mkdir(parents=True, exist_ok=True)
            new = self.recipe.with_name(f"{self.recipe.name}.{os.getpid()}")
            new.write_text(json.dumps({"sources": self.sources, "build": str(self.build), "steps": [
                {"target": step.target, "lines": step.lines} for step in steps]}))
            new.rename(self.recipe)
        except OSError:
            pass  # the next lift asks again


class PairLinker(Linker):
    """Makes the program of two cores, which lie in folders of their own: each lifted, or native."""

    def __init__(self, build: Path, folder: Path, cores: Sequence[tuple[Path, bool]], program: str, label: str) -> None:
        (a, a_lifted), (b, b_lifted) = cores
        self.build, self.label = build, label
        self.places = {HERE: folder, CORE_A: a, CORE_B: b}
        self.targets = [f"{HERE}/{program}"]
        self.newer = [f"{mark}/linux.o" for mark, lifted in ((CORE_A, a_lifted), (CORE_B, b_lifted)) if lifted]
        self.variables = (f"PAIR={HERE}", f"PAIR_A={CORE_A}", f"PAIR_B={CORE_B}")
        kinds = "-".join("lifted" if lifted else "native" for lifted in (a_lifted, b_lifted))
        self._start(f"pair-{kinds}")

    def _learn(self) -> None:
        # Which of the two a command means can be told if they differ.
        if self.places[CORE_A] != self.places[CORE_B] and self.newer:
            super()._learn()

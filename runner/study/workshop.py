# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds and judges broken forms of a lifted core: compiles the one unit that is broken, links the comparison
and the host process with it in a folder of its own, and runs what `tickbench check` and `make run` run by
default, until something is reported. Assumes a folder that runner/lift/lift.py has made.

The kernel's headers are compiled once, into a header of the compiler's own form; a unit then takes a third of
the time."""

from __future__ import annotations

import contextlib
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner import process
from runner.errors import CannotRun, Problem, Status
from runner.lift import kbuild
from runner.lift.headers import parted
from runner.lift.lift import ROOM
from runner.report import ktap

DIFF, SIM = "tickbench-diff", "tickbench-sim"
QUIET = ("-g0", "-w")


@dataclass(frozen=True)
class Unit:
    """One of the kernel's files, and how its wrapper is compiled."""

    name: str  # timekeeping
    path: Path
    text: str
    command: tuple[str, ...]  # the compiler and its flags, without what names this unit's own files
    folder: Path  # where the command runs


@dataclass(frozen=True)
class Verdict:
    """What became of one break."""

    word: str  # reported, unreported, same (the same machine code), uncompilable
    by: str = ""  # what reported it
    seconds: float = 0.0


def unit_of(lifted: Path, name: str, kbuild_folder: Path) -> Unit:
    """From the command that the lift recorded for a wrapper."""
    recorded = (lifted / f"wrap_{name}.command").read_text().splitlines()
    words = recorded[:recorded.index("-c")]
    macro = f"-DLIFT_{name.upper()}="
    path = next(word for word in words if word.startswith(macro)).split('"')[1]
    kept = tuple(word for word in words if not word.startswith((macro, "-Wp,-M")))
    return Unit(name, Path(path), Path(path).read_text(), kept, kbuild_folder)


def _before(name: str) -> str:
    """What our wrapper of a unit says before it includes the tree's file."""
    return (ROOM / f"tk/linux/wrap_{name}.c").read_text().partition(f"#include LIFT_{name.upper()}")[0]


def _system_headers(text: str) -> list[str]:
    """What a file includes in angle brackets before its first line of code."""
    found = []
    for line in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).splitlines():
        if match := re.match(r"#include (<\S+>)", line):
            found.append(match[1])
        elif line.strip() and not line.startswith(("//", '#include "')):
            break
    return found


class Children:
    """Runs one program at a time, which another thread may end."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._ended = False

    def run(self, command: Sequence[str], limit: float | None = None, cwd: Path | None = None,
            script: str | None = None) -> tuple[int, str]:
        """The status, and what it wrote to stdout. One that uses more than `limit` seconds of a processor dies of
        SIGXCPU, however busy the machine is; TimeoutExpired after ten times as long, for one that only waits."""
        if self._ended:
            return -signal.SIGKILL, ""
        with subprocess.Popen(list(command), cwd=cwd, env=kbuild.environment(), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace") as child:
            self._child = child
            if limit is not None:
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(child.pid, resource.RLIMIT_CPU, (max(1, round(limit)), max(1, round(limit)) + 1))
            try:
                said, _ = child.communicate(script, None if limit is None else 10 * limit)
            except subprocess.TimeoutExpired:
                child.kill()
                raise
            finally:
                self._child = None
        return child.returncode, said

    def end(self) -> None:
        """Ends the program that runs, and lets none start."""
        self._ended = True
        if child := self._child:
            child.kill()

    @property
    def ended(self) -> bool:
        return self._ended


@dataclass
class Compiler:
    """Compiles a unit around any text of its file, into the folder it is given."""

    unit: Unit
    flags: list[str]

    @classmethod
    def prepare(cls, unit: Unit, folder: Path) -> Compiler:
        """Compiles the headers. Where the unit's object would have other symbols with them, does without."""
        plain = cls(unit, [*unit.command, "-iquote", str(unit.path.parent), *QUIET])
        flags, headers = parted(unit.command)
        header = folder / f"{unit.name}_headers.h"
        lines = [f'#include "{each}"' for each in headers]
        lines.append(_before(unit.name))
        lines += [f"#include {each}" for each in _system_headers(unit.text)]
        header.write_text("\n".join(lines) + "\n")
        base = [*flags, "-iquote", str(unit.path.parent), *QUIET]
        status, _ = process.hear([*base, "-x", "c-header", "-o", f"{header}.gch", str(header)],
                                 cwd=unit.folder, env=kbuild.environment())
        quick = cls(unit, [*base, "-include", str(header)])
        return plain if status or quick.symbols(folder) != plain.symbols(folder) else quick

    def symbols(self, folder: Path) -> list[str]:
        """The names, kinds and sizes of all symbols of the whole unit's object."""
        self.compile(self.unit.text, folder, Children())
        said = process.hear(["nm", "-f", "posix", str(folder / f"wrap_{self.unit.name}.o")])[1]
        return [" ".join([*words[:2], *words[3:]]) for line in said.splitlines() if (words := line.split())]

    def compile(self, text: str, folder: Path, children: Children) -> bytes | None:
        """The object's bytes; None if it does not compile. It is written to wrap_NAME.o in the folder."""
        name = self.unit.name
        source, wrapper, made = folder / f"{name}.c", folder / f"wrap_{name}.c", folder / f"wrap_{name}.o"
        source.write_text(text)
        wrapper.write_text(f'#define LIFT_{name.upper()} "{source.resolve()}"\n#include "tk/linux/wrap_{name}.c"\n')
        made.unlink(missing_ok=True)
        status, _ = children.run(
            [*self.flags, f"-fmacro-prefix-map={folder.resolve()}=.", "-c", "-o", str(made.resolve()),
             str(wrapper.resolve())], cwd=self.unit.folder)
        return None if status else made.read_bytes()


def link_commands(build: Path, folder: Path) -> list[str]:
    """How make links the two programs of a folder that has all objects but linux.o."""
    done = subprocess.run(
        ["make", "-n", "-s", "--no-print-directory", "-C", str(ROOM), f"BUILD={build}",
         *(str(folder / name) for name in (DIFF, SIM))],
        env=kbuild.environment(), capture_output=True, text=True)
    if done.returncode:
        raise CannotRun(Problem.LIFT, f"make cannot say how {folder} is linked", done.stderr)
    return [line for line in done.stdout.splitlines() if line.strip()]


class Workbench:
    """A folder with a copy of a lifted core, in which one unit at a time is replaced."""

    def __init__(self, build: Path, lifted: Path, folder: Path, compilers: Sequence[Compiler]) -> None:
        self.folder, self.compilers = folder, {each.unit.name: each for each in compilers}
        self.children = Children()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(lifted, folder, ignore=shutil.ignore_patterns(
            "tickbench*", "linux.o", *(f"wrap_{each.unit.name}.*" for each in compilers)))
        self.whole: dict[str, bytes] = {}
        for compiler in compilers:
            made = compiler.compile(compiler.unit.text, folder, self.children)
            if made is None:
                raise CannotRun(Problem.LIFT, f"{compiler.unit.path} does not compile by itself")
            self.whole[compiler.unit.name] = made
        commands = link_commands(build, folder)
        self.link_sim = [line for line in commands if f"/{SIM} " in line]
        self.link_diff = [line for line in commands if line not in self.link_sim]

    def _link(self, lines: Sequence[str]) -> bool:
        return self.children.run(["bash", "-e"], cwd=ROOM, script="\n".join(lines) + "\n")[0] == 0

    def judge(self, unit: str, text: str, trials: Sequence[Trial]) -> Verdict:
        """Compiles a broken text of one unit and tries it. The whole unit is put back afterwards."""
        began = time.monotonic()

        def after(word: str, by: str = "") -> Verdict:
            return Verdict(word, by, round(time.monotonic() - began, 3))

        try:
            made = self.compilers[unit].compile(text, self.folder, self.children)
            if made is None:
                return after("uncompilable")
            if made == self.whole[unit]:
                return after("same")
            if not self._link(self.link_diff):
                return after("uncompilable")
            linked_sim = False
            for trial in trials:
                if trial.program == SIM and not linked_sim:
                    linked_sim = self._link(self.link_sim)
                if by := trial.run(self.folder, self.children):
                    return after("reported", by)
            return after("unreported")
        finally:
            (self.folder / f"wrap_{unit}.o").write_bytes(self.whole[unit])


Claims = frozenset[tuple[str, str]]  # scenario and sentence


def failed_claims(said: str) -> Claims:
    """The claims of a run of scenarios that do not hold."""
    return frozenset((run.name, claim.sentence) for run in ktap.parse(said).runs for claim in run.claims
                     if not claim.passes)


@dataclass(frozen=True)
class Trial:
    """A program with arguments. Any status other than 0, and no end in time, is a report. `known`: claims that
    do not hold of the unbroken core either, so that they tell nothing of a break."""

    name: str
    program: str
    arguments: tuple[str, ...]
    limit: float  # seconds of a processor
    known: Claims = frozenset()

    def run(self, folder: Path, children: Children) -> str:
        """What it reported, in a few words; empty if nothing."""
        try:
            status, said = children.run([str(folder / self.program), *self.arguments], self.limit)
        except subprocess.TimeoutExpired:
            return f"{self.name}: does not end"
        if status in (-signal.SIGXCPU, -signal.SIGKILL):
            return f"{self.name}: does not end"
        if status < 0:
            return f"{self.name}: dies of signal {-status}"
        if not status:
            return ""
        more = sorted(failed_claims(said) - self.known) if self.program == SIM and status == Status.FAILED else []
        if self.known and not more:
            return ""
        return f"{self.name}: " + ("; ".join(f"{name}: {sentence}" for name, sentence in more) or what_it_says(said))

    def of_whole(self, folder: Path, children: Children) -> Trial:
        """This trial, for breaks of the core in a folder, which is unbroken: scenarios know its failed claims.
        CannotRun if it is reported otherwise: nothing could be told from its breaks."""
        status, said = children.run([str(folder / self.program), *self.arguments], self.limit)
        if not status:
            return self
        if self.program == SIM and status == Status.FAILED and (known := failed_claims(said)):
            return replace(self, known=known)
        raise CannotRun(Problem.LIFT_TREE, f"the tree is reported as it is ({self.name}: {what_it_says(said)}), so "
                                           "its breaks tell nothing")


def what_it_says(said: str) -> str:
    """What a program's output says differs or fails: fields of the comparison, claims of scenarios."""
    fields = re.findall(r"^  (\S.*?) +-?\d+ +-?\d+$", said, re.MULTILINE)
    if fields:
        return ", ".join(dict.fromkeys(fields))
    if failed := re.findall(r"^FAILED \S+::(\S+)", said, re.MULTILINE):
        return ", ".join(failed)
    claims = re.findall(r"^\s*not ok \d+ -? ?(.*?)(?: #.*)?$", said, re.MULTILINE)
    return "; ".join(dict.fromkeys(claims)) or "fails"

# SPDX-License-Identifier: GPL-2.0-or-later
"""Compiles our units around a kernel's files with the commands that kbuild saved. An object that was made
before by the same command of files with the same contents is taken again: for another revision of a tree in which
only one file changed, and for an edit that was undone.

The objects: lifts/units/VARIANT/UNIT/ with index.json, the latest first."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner import process
from runner.errors import CannotRun, Problem
from runner.lift import compilers, detect, kbuild
from runner.lift.compilers import Toolchain
from runner.lift.digests import MISSING, Digests, of_text
from runner.lift.headers import NAME as HEADERS, Headers, Maker
from runner.lift.prepared import Prepared

ROOM = Path(__file__).resolve().parent.parent.parent
# Our units: whose saved command compiles each, and the kernel's files that it includes, by macro.
WRAPPERS = {
    "timekeeping": ("timekeeping", {"LIFT_TIMEKEEPING": detect.TIMEKEEPING}),
    "ntp": ("ntp", {"LIFT_NTP": detect.NTP}),
    "vmclock": ("timekeeping", {"LIFT_VMCLOCK_HOST": detect.VMCLOCK_HOST}),
    "vdso": ("timekeeping", {"LIFT_VSYSCALL": detect.VSYSCALL, "LIFT_GETTIMEOFDAY": detect.GETTIMEOFDAY}),
}
VDSO_HEADERS = ROOM / "tk/linux/vdso"
KEPT = 48  # objects of a unit
# The clock of modification times runs a few milliseconds behind.
BEHIND_NS = 20_000_000


@dataclass
class Made:
    """An object that was compiled: of what, and the compiler's warnings."""

    key: str
    contents: dict[str, str]
    object: str
    warnings: str


class Crossed(Exception):
    """A tree of links led the compiler, by .., to another revision's file."""


@dataclass(frozen=True)
class Place:
    """Where a core is compiled: all paths absolute."""

    prepared: Prepared
    folder: Path  # of the lifted core
    shelf: Path  # of the objects that are kept
    digests: Digests  # of the tree
    toolchain: Toolchain


class Unit:
    """One of the wrappers."""

    def __init__(self, name: str, place: Place, first: Sequence[str], extra: Sequence[str]) -> None:
        self.name, self.place = name, place
        self.target = place.folder / f"wrap_{name}.o"
        self.record = place.folder / f"wrap_{name}.command"
        self.shelf = place.shelf / name
        saved, sources = WRAPPERS[name]
        compiler, *flags = compilers.adapt(place.toolchain, place.prepared.command(saved), place.prepared.out)
        self.command = [
            compiler, *first, *flags, *extra, f"-Wp,-MMD,{self.target.with_suffix('.dep')}",
            *(f'-D{macro}="{place.prepared.tree / source}"' for macro, source in sources.items()),
            "-c", "-o", str(self.target), str(ROOM / f"tk/linux/wrap_{name}.c"),
        ]
        anywhere = kbuild.moved(kbuild.moved(self.command, place.folder, Path("@folder")),
                                place.prepared.tree, Path("@tree"))
        self.key = of_text("\n".join([place.prepared.key, kbuild.compiler(compiler), *anywhere]))

    def _digest(self, name: str) -> str:
        """Of a name as in Made: of our folder after @, else of the tree, or absolute."""
        if not name.startswith("@"):
            return self.place.digests.of(name)
        try:
            return of_text((self.place.folder / name[1:]).read_text())
        except OSError:
            return MISSING

    def _index(self) -> list[Made]:
        try:
            return [Made(**each) for each in json.loads((self.shelf / "index.json").read_text())]
        except (OSError, ValueError, TypeError):
            return []

    def _recorded(self, made: Made) -> str:
        return "\n".join([*self.command, made.object, ""])

    def take(self) -> Made | None:
        """Puts an object that was made of the same into our folder, unless it is there; None if there is none."""
        for made in self._index():
            if made.key != self.key or any(self._digest(name) != digest for name, digest in made.contents.items()):
                continue
            try:
                there = self.target.exists() and self.record.read_text() == self._recorded(made)
                if not there:
                    self.target.unlink(missing_ok=True)
                    shutil.copyfile(self.shelf / made.object, self.target)
                    self._list(made)
                    self.record.write_text(self._recorded(made))
            except OSError:
                continue
            return made
        return None

    def _list(self, made: Made) -> None:
        """Writes what the object was made of as the compiler does, for whoever asks what a lift reads."""
        places = {"@": f"{self.place.folder}/", "/": ""}
        names = [places.get(name[0], f"{self.place.prepared.tree}/") + name.removeprefix("@") for name in made.contents]
        self.target.with_suffix(".dep").write_text(" \\\n ".join([f"{self.target.name}:", *names]) + "\n")

    def contents(self, listing: Path, since_ns: int) -> dict[str, str] | None:
        """What the compiler read, by content; None if a file was written since then. kbuild's own headers are
        part of the key, and what was precompiled is listed beside it."""
        found = {}
        out, folder, tree = (f"{each}/" for each in (self.place.prepared.out, self.place.folder,
                                                     self.place.prepared.tree))
        for named in listing.read_text().replace("\\\n", " ").split()[1:]:
            path = os.path.normpath(named)
            if "/../" in named and os.path.realpath(named) != os.path.realpath(path):
                raise Crossed
            if not path.startswith("/") or path.startswith((out, f"{folder}{HEADERS}")):
                continue
            if path.startswith(folder):
                # Written by the lift, under its lock.
                name = "@" + path[len(folder):]
                found[name] = self._digest(name)
                continue
            if os.stat(path).st_mtime_ns >= since_ns:
                return None
            name = path.removeprefix(tree)
            found[name] = self._digest(name)
        return found

    def keep(self, since_ns: int, warnings: str) -> None:
        """Puts the object that was compiled on the shelf."""
        contents = self.contents(self.target.with_suffix(".dep"), since_ns - BEHIND_NS)
        if contents is None:
            self.record.unlink(missing_ok=True)
            return
        self.shelf.mkdir(parents=True, exist_ok=True)
        made = Made(self.key, contents, f"{self.key[:12]}-{of_text(json.dumps(contents))[:12]}.o", warnings)
        shutil.copyfile(self.target, self.shelf / f"{made.object}.{os.getpid()}")
        (self.shelf / f"{made.object}.{os.getpid()}").rename(self.shelf / made.object)
        index = [made, *(each for each in self._index() if each.object != made.object)]
        for old in index[KEPT:]:
            (self.shelf / old.object).unlink(missing_ok=True)
        new = self.shelf / f"index.{os.getpid()}"
        new.write_text(json.dumps([vars(each) for each in index[:KEPT]]))  # asdict() copies all that is in it
        new.rename(self.shelf / "index.json")
        self.record.write_text(self._recorded(made))

    @property
    def headers(self) -> Headers | None:
        """Those that are compiled once: of the file that is edited most, by the tree's own compiler."""
        if self.name != "timekeeping" or self.place.toolchain.words:
            return None
        return Headers(self.place.folder, self.place.prepared.tree / detect.TIMEKEEPING, self.command, self.key)

    def quickest(self) -> list[str]:
        """The command, with headers that are compiled already if there are."""
        headers = self.headers
        return (headers.compiling(self._digest) if headers else None) or self.command

    def make_headers(self, maker: Maker) -> None:
        """Begins to make headers for the next time."""
        headers = self.headers
        if headers and not headers.compiling(self._digest):
            maker.make(headers, self.place.prepared.out, self.place.prepared.entry.locked(fcntl.LOCK_SH),
                       self._headers_contents)

    def _headers_contents(self, listing: Path, since_ns: int) -> dict[str, str] | None:
        try:
            return self.contents(listing, since_ns - BEHIND_NS)
        except Crossed:
            return None


def _again(missing: Sequence[Unit], jobs: Sequence[process.Job], done: list[tuple[int, str]], out: Path) -> None:
    """What failed with headers that were compiled before is compiled without."""
    for number, unit in enumerate(missing):
        if done[number][0] and jobs[number].command != unit.command:
            done[number] = process.together([process.Job(unit.command, out, kbuild.environment())])[0]


def compile_units(place: Place, label: str, first: Sequence[str], extra: Sequence[str],
                  beside: Sequence[process.Job] = (), meanwhile: Callable[[], None] | None = None,
                  maker: Maker | None = None) -> str:
    """Makes the wrappers' objects in the folder, with flags before and after kbuild's own, and runs
    other programs and a function beside them; the compiler's warnings. CannotRun with its words if a unit does not
    compile; Crossed if the tree must be whole. maker: makes headers for the next edit after an
    edit."""
    units = [Unit(name, place, first, extra) for name in WRAPPERS]
    taken = [unit.take() for unit in units]
    missing = [unit for unit, made in zip(units, taken) if not made]
    edited = [unit for unit in missing if unit.target.exists()]
    for unit in missing:
        unit.record.unlink(missing_ok=True)
        unit.target.unlink(missing_ok=True)
    since = time.time_ns()
    jobs = [process.Job(unit.quickest(), place.prepared.out, kbuild.environment()) for unit in missing]
    if maker:
        for unit in edited:
            unit.make_headers(maker)
    done = process.together([*jobs, *beside], meanwhile)
    _again(missing, jobs, done, place.prepared.out)
    words = "".join(said for _, said in done[:len(missing)])
    if any(status for status, _ in done[:len(missing)]):
        if re.search(r"^\S*/tk/linux/wrap_\w+\.[ch]:[0-9:]+ (fatal )?error:", words, re.MULTILINE):
            raise CannotRun(Problem.LIFT_SEAM, f"{label} is not as tk/linux expects a kernel", words)
        raise CannotRun(Problem.LIFT_EDIT, f"{label} does not compile", words)
    for unit, (_, said) in zip(missing, done):
        unit.keep(since, said)
    # Warnings name files of the tree that the object was first compiled of.
    return "".join(made.warnings for made in taken if made) + words

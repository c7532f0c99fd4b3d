# SPDX-License-Identifier: GPL-2.0-or-later
"""The headers that a tree's timekeeping.c begins with, compiled once: a quarter of the time that its unit takes to
compile after an edit. gcc takes them in place of the same #includes, which are then skipped by their guards, and
what comes out is the same code but for the order in which the last scheduling pass places instructions that do
not depend on each other. They are used only if every file that they were made of has the same contents; gcc itself
reads the headers instead if it does not take what was made.

In the folder of a lifted core: headers.h, which #includes what the command and the unit do and in that order;
headers.h.gch, which is made of it; headers.json, of what."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from runner import process
from runner.lift import detect
from runner.lift.digests import of_text

NAME = "headers.h"
UNIT_BEGINS = '#include "tk/linux/wrap_options.h"'
INCLUDE = re.compile(r"#\s*include\s*<[^<>]+>")
FEWEST = 3  # includes that are worth it
# Whose precompiled headers are used so.
COMPILERS = re.compile(r"(.*/)?gcc(-\d+)?")


def leading(source: str) -> list[str]:
    """The #include <...> lines that a C source begins with, up to the first line of another kind."""
    found = []
    for line in detect.without_comments(source).splitlines():
        if INCLUDE.fullmatch(line.strip()):
            found.append(line.strip())
        elif line.strip():
            break
    return found


def parted(command: Sequence[str]) -> tuple[list[str], list[str]]:
    """A command without its -include options, and the files that these name."""
    rest: list[str] = []
    files: list[str] = []
    words = iter(command)
    for word in words:
        if word == "-include":
            files.append(next(words))
        else:
            rest.append(word)
    return rest, files


@dataclass(frozen=True)
class Headers:
    """Of a unit: how it is compiled with them, and how they are made. command: the unit's, which ends with
    -c -o OBJECT SOURCE and has -Wp,-MMD,LIST."""

    folder: Path
    source: Path  # the tree's file
    command: Sequence[str]
    key: str  # the same for the same command and compiler

    def text(self) -> str:
        """The text of headers.h, empty if it is not worth it, or the compiler is another than gcc."""
        _, files = parted(self.command)
        block = leading(self.source.read_text(errors="replace"))
        if len(block) < FEWEST or not COMPILERS.fullmatch(self.command[0]):
            return ""
        return "\n".join([*(f'#include "{name}"' for name in files), UNIT_BEGINS, *block, ""])

    @property
    def _made(self) -> Path:
        return self.folder / f"{NAME}.gch"

    @property
    def _record(self) -> Path:
        return self.folder / "headers.json"

    def _state(self, text: str) -> str:
        return of_text(f"{self.key}\n{text}")

    def compiling(self, digest_of: Callable[[str], str]) -> list[str] | None:
        """The unit's command with the compiled headers; None if they are not there, or were made of anything else
        than what is there now."""
        try:
            held = json.loads(self._record.read_text())
            text = self.text()
            if (not text or held["state"] != self._state(text) or not self._made.exists()
                    or (self.folder / NAME).read_text() != text
                    or any(digest_of(name) != digest for name, digest in held["contents"].items())):
                return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        rest, _ = parted(self.command)
        return [*rest[:-4], "-include", str(self.folder / NAME), *rest[-4:]]

    def making(self, target: Path, listing: Path) -> list[str]:
        """The command that makes them."""
        rest, _ = parted(self.command[:-4])
        kept = [word for word in rest if not word.startswith("-Wp,-M")]
        return [*kept, f"-Wp,-MMD,{listing}", "-x", "c-header", "-c", "-o", str(target), str(self.folder / NAME)]

    def keep(self, text: str, new: Path, contents: dict[str, str]) -> None:
        """Puts what was made into its place, with what it was made of, while no other process lifts the tree."""
        with (self.folder.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._record.unlink(missing_ok=True)
            new.rename(self._made)
            self._record.write_text(json.dumps({"state": self._state(text), "contents": contents}))


class Maker:
    """A context in which headers are made beside other work, at the lowest priority: for whoever will compile the
    same unit again. finish() waits for them; without it they are given up at the end."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._kept = ExitStack()
        self._done: Callable[[], None] = lambda: None
        self._new: Path | None = None

    def __enter__(self) -> Maker:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child:
            process.end(self._child)
            self._child = None
        if self._new:
            self._new.unlink(missing_ok=True)
        self._kept.close()

    def make(self, headers: Headers, cwd: Path, lock: AbstractContextManager[None],
             contents: Callable[[Path, int], dict[str, str] | None]) -> None:
        """Begins, unless they cannot be made. lock is held until the end. contents: what a list of the compiler
        names, by content; None if a file was written since a time (ns)."""
        text = headers.text()
        if self._child or not text:
            return
        (headers.folder / NAME).write_text(text)
        self._new = headers.folder / f"{NAME}.{os.getpid()}"
        listing = headers.folder / f"{NAME}.dep"
        since = time.time_ns()
        self._kept.enter_context(lock)
        self._child = process.start(["nice", "-n", "19", *headers.making(self._new, listing)], subprocess.DEVNULL,
                                    subprocess.DEVNULL, cwd=cwd)
        new = self._new

        def done() -> None:
            made_of = contents(listing, since)
            self._kept.close()  # before a wait for another lock
            if made_of is not None:
                headers.keep(text, new, made_of)

        self._done = done

    def finish(self) -> None:
        """Waits for them, and keeps them, if none of their files changed meanwhile, and there is room."""
        if self._child and self._child.wait() == 0:
            with suppress(OSError):
                self._done()

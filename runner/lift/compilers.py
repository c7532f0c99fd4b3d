# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel's units by another compiler, or with further flags, than its build system chose: for the comparison
of two builds of one tree. Assumes a compiler with gcc's command line; flags that it does not know are dropped."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import CannotRun, Problem

# What clang says of a flag that it does not take has the flag in quotes, in one of several sentences.
REFUSED = re.compile(r"error: [^\n]*?'(-[^'\n]+)'")
ROUNDS = 8  # it names all unknown flags at once, then those whose value it does not know


@dataclass(frozen=True)
class Toolchain:
    """What differs from the tree's own build: cc is empty for its own compiler."""

    cc: str = ""
    cflags: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """For names of folders; empty if nothing differs."""
        words = [word for word in (self.cc, *self.cflags) if word]
        return "".join("-" + re.sub(r"[^A-Za-z0-9._+]", "_", word.lstrip("-")) for word in words)

    @property
    def words(self) -> str:
        """For people; empty if nothing differs."""
        return " ".join(word for word in (self.cc, *self.cflags) if word)


def check(toolchain: Toolchain) -> None:
    """CannotRun if there is no such compiler."""
    if toolchain.cc and not shutil.which(toolchain.cc):
        raise CannotRun(Problem.COMPILER, f"there is no compiler \"{toolchain.cc}\"")


def _takes(command: Sequence[str], folder: Path) -> tuple[bool, str]:
    done = subprocess.run([*command, "-fsyntax-only", "-x", "c", "/dev/null"], cwd=folder, text=True,
                          capture_output=True, errors="replace", env=None)
    return done.returncode == 0, done.stderr


def adapt(toolchain: Toolchain, command: Sequence[str], folder: Path) -> list[str]:
    """The command of a unit with this toolchain. `folder` is where it runs. CannotRun if the compiler takes
    neither the flags nor says which of them it does not know."""
    compiler, *flags = command
    if not toolchain.cc:
        return [compiler, *flags, *toolchain.cflags]
    # Its warnings of another compiler's source, and of flags that are not its own, are of no interest.
    quiet = ["-w", "-Wno-unknown-warning-option", "-Wno-error"]
    for _ in range(ROUNDS):
        full = [toolchain.cc, *flags, *quiet]
        taken, said = _takes(full, folder)
        if taken:
            return [*full, *toolchain.cflags]
        refused = set(REFUSED.findall(said))
        kept = [flag for flag in flags if flag not in refused and not any(
            name.endswith("=") and flag.startswith(name) for name in refused)]
        if len(kept) == len(flags):
            break
        flags = kept
    raise CannotRun(Problem.COMPILER, f"{toolchain.cc} does not take the kernel's flags", said)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What two kernels differ by, as patches: the differences of some files are cut into hunks, and those that need each
other to compile are put together. Tests and bench make histories and series of them, without a kernel's line in
this repository.

Hunks belong together if they stand in one function, or have a name in common that one of the two versions of a file
lacks: a member that is new, a function that moved."""

from __future__ import annotations

import difflib
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.lift import detect
from runner.study.own_git import environment

# Of kernel/time and its headers, what a lift compiles and 7.2 and 7.3 differ in.
FILES = ("kernel/time/timekeeping.c", "kernel/time/ntp.c", "kernel/time/ntp_internal.h",
         "kernel/time/timekeeping_internal.h", "include/linux/timekeeper_internal.h", "include/linux/timekeeping.h",
         "include/linux/posix-timers.h")
NEAR = 3  # lines: nearer changes are one hunk, as diff has it
NAME = re.compile(r"[A-Za-z_]\w*")
OPENS = re.compile(r"^[A-Za-z_][^;]*$")  # a line that begins a function, a structure or a label
INCLUDED = re.compile(r"^#include <linux/(\w+)\.h>", re.MULTILINE)  # what it declares begins with its name
Text = dict[str, list[str]]  # the lines of files, by their names in the tree


@dataclass(frozen=True)
class Hunk:
    """Lines a to b of a file, and what takes their place."""

    file: str
    a: int
    b: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Patch:
    """Hunks that need each other. words: none of them changes what the compiler sees."""

    hunks: tuple[Hunk, ...]
    words: bool

    @property
    def files(self) -> set[str]:
        return {hunk.file for hunk in self.hunks}


def read(tree: Path, files: Sequence[str] = FILES) -> Text:
    """The files of a tree."""
    return {name: (tree / name).read_text().splitlines(True) for name in files}


def of_file(name: str, old: Sequence[str], new: Sequence[str]) -> list[Hunk]:
    """The hunks of one file, in their order."""
    found: list[tuple[int, int, int, int]] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if kind == "equal":
            continue
        if found and a - found[-1][1] <= NEAR:
            a, c = found[-1][0], found[-1][2]
            found.pop()
        found.append((a, b, c, d))
    return [Hunk(name, a, b, tuple(new[c:d])) for a, b, c, d in found]


def with_hunks(old: Text, hunks: Sequence[Hunk]) -> Text:
    """The files with these hunks. They must be of these files, and none twice."""
    made = {name: list(lines) for name, lines in old.items()}
    for hunk in sorted(hunks, key=lambda each: -each.a):
        made[hunk.file][hunk.a:hunk.b] = hunk.lines
    return made


def _code(lines: Sequence[str]) -> list[str]:
    return detect.without_comments("".join(lines)).split()


def _function(old: Text, hunk: Hunk) -> str:
    """Where a hunk stands: the last line before it that begins at the margin."""
    for line in reversed(old[hunk.file][:hunk.a + 1]):
        if OPENS.match(line):
            return f"{hunk.file} {line}"
    return hunk.file


def _ties(old: Text, new: Text, hunk: Hunk) -> set[str]:
    """What a hunk shares with those that it needs."""
    names = set(NAME.findall("".join([*old[hunk.file][hunk.a:hunk.b], *hunk.lines])))
    here = set(NAME.findall("".join(old[hunk.file]))) ^ set(NAME.findall("".join(new[hunk.file])))
    headers = tuple(f"{name}_" for name in INCLUDED.findall("".join([*old[hunk.file][hunk.a:hunk.b], *hunk.lines])))
    ties = {name for name in here if "_" in name and (name in names or name.startswith(headers))}
    return ties | {_function(old, hunk)}


def patches(old: Text, new: Text) -> list[Patch]:
    """What leads from one version to another: patches, each of which changes something on its own. Those of words
    alone have one hunk each."""
    hunks = [hunk for name in old for hunk in of_file(name, old[name], new[name])]
    words = [hunk for hunk in hunks if _code(old[hunk.file]) == _code(with_hunks(old, [hunk])[hunk.file])]
    groups: list[tuple[set[str], list[Hunk]]] = []
    for hunk in hunks:
        if hunk in words:
            continue
        ties, together = _ties(old, new, hunk), [hunk]
        for group in [group for group in groups if group[0] & ties]:
            groups.remove(group)
            ties, together = ties | group[0], group[1] + together
        groups.append((ties, together))
    return [Patch((hunk,), True) for hunk in words] + [Patch(tuple(together), False) for _, together in groups]


def mbox(old: Text, series: Sequence[Patch], subjects: Sequence[str], folder: Path) -> bytes:
    """The patches in this order as git format-patch mails them. folder: an empty one, for a repository of the files."""
    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", "-C", str(folder), *arguments], env=environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, check=True).stdout

    git("init", "-q")
    done: list[Hunk] = []
    for subject, hunks in zip(["base", *subjects], [(), *(patch.hunks for patch in series)]):
        done += hunks
        for name, lines in with_hunks(old, done).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("".join(lines))
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", subject)
    return git("format-patch", "--stdout", "-n", "--cover-letter", f"HEAD~{len(series)}") + b"\n"

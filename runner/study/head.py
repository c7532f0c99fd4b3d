# SPDX-License-Identifier: GPL-2.0-or-later
"""What was edited in a git checkout since its HEAD, and HEAD's own core, to be compared with the edited one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import CannotRun
from runner.lift import lift, link, overlay, words
from runner.lift.kbuild import Variant
from runner.study import pairs
from runner.study.differ import Outcome
from runner.study.store import Store, key_of

# What an edit can change of a lifted core.
WATCHED = ("kernel/time", "include", "arch/x86", "arch/um", "lib/vdso")
HUNK = re.compile(r"^@@ [^@]* @@ .*?(\w+)\(", re.MULTILINE)


@dataclass(frozen=True)
class Edit:
    """What differs from HEAD, among what a lift compiles."""

    files: tuple[str, ...]
    functions: tuple[str, ...]

    def words(self) -> str:
        names = ", ".join(f"{name}()" for name in self.functions)
        return ", ".join(self.files) + (f": {names}" if names else "")


def _git(tree: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run([*overlay.GIT, "-C", str(tree), *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def edit_of(tree: Path) -> Edit | None:
    """What was edited since HEAD; None if that is nothing, or the tree is no git checkout."""
    if _git(tree, "cat-file", "-e", "HEAD:./kernel/time/timekeeping.c") is None:
        return None
    present = [name for name in WATCHED if (tree / name).exists()]
    said = _git(tree, "diff", "--no-ext-diff", "--no-color", "--relative", "-U0", "HEAD", "--", *present)
    if not said:
        return None
    files = re.findall(r"^diff --git a/.* b/(.*)$", said, re.MULTILINE)
    return Edit(tuple(dict.fromkeys(files)), tuple(dict.fromkeys(HUNK.findall(said))))


def _edited(word: str) -> tuple[Path, Edit] | None:
    """The checkout that a word names, and what was edited there."""
    path = Path(word).expanduser()
    edit = edit_of(path.resolve()) if path.is_dir() else None
    return (path.resolve(), edit) if edit else None


class Head:
    """What was edited in the checkout that a word names, and its HEAD's core beside the edited one's. That HEAD is
    equal to the native core is kept in build/work/check/: an edit that is equal to HEAD is it too."""

    def __init__(self, word: str, variant: Variant, build: Path) -> None:
        self._word, self._variant, self._build = word, variant, build
        self.edited: tuple[Path, Edit] | None = None
        self.reason = ""  # why HEAD cannot be lifted
        self._lifted: lift.Lifted | None = None
        self._ready = False

    def prepare(self) -> None:
        """Looks what was edited, and lifts HEAD; for the time that the edited tree's compiler takes."""
        if self._ready:
            return
        self._ready = True
        self.edited = _edited(self._word)
        if not self.edited:
            return
        try:
            self._lifted = lift.lift(f"{self.edited[0]}@HEAD", self._variant, self._build, ("core_a.o",))
        except CannotRun as error:
            self.reason = error.sentence

    def beside(self, tree: pairs.Side) -> pairs.Pair | None:
        """HEAD and the edited tree in one program; None, and a reason, if that cannot be."""
        if not self._lifted:
            return None
        side = pairs.Side(words.Core("HEAD", False), "HEAD", self._lifted.folder, self._lifted)
        try:
            return pairs.link(side, tree, self._variant.hz, self._build)
        except CannotRun as error:
            self.reason = error.sentence
            return None

    def _store(self, ticks: int, seed: int) -> Store | None:
        if not self._lifted:
            return None
        core = (self._lifted.folder / "linux.o").read_bytes()
        return Store(self._build, "check", key_of(core, link.sources(), self._variant.name, f"{ticks} {seed}"))

    def as_native(self, ticks: int, seed: int) -> list[Outcome]:
        """The outcomes of the comparison of HEAD with the native core, in which they were equal; none if that is not
        known."""
        store = self._store(ticks, seed)
        found = store.get("native") if store else None
        return [Outcome(each["ticks"], summary=each) for each in found["pieces"]] if found else []

    def is_as_native(self, ticks: int, seed: int, outcomes: Sequence[Outcome]) -> None:
        """Keeps that HEAD is equal to the native core: a core that is equal to HEAD was, with these outcomes."""
        store = self._store(ticks, seed)
        if store:
            store.put("native", {"pieces": [{**each.summary, "ticks": each.ticks} for each in outcomes]})

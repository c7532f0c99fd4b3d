# SPDX-License-Identifier: GPL-2.0-or-later
"""Lifts revisions before they are asked for: for bisect and series, which judge one while the next are compiled.
Assumes that a lift holds a lock on its folder, so that whoever wants the result meanwhile waits for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from runner import process
from runner.lift import lift
from runner.lift.kbuild import Variant


class Ahead:
    """A context: lifts for a variant, each in a process of its own. Words are as in runner/lift/trees.py."""

    def __init__(self, variant: Variant, build: Path) -> None:
        self._command = [sys.executable, "-IS", str(lift.ROOM / "tickbench"), "lift", *variant.options,
                         "--build", str(build.resolve())]
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children.values():
            process.end(child)

    def want(self, trees: Sequence[str]) -> None:
        """Lifts these, and gives up the others."""
        for word in [each for each in self._children if each not in trees]:
            process.end(self._children.pop(word))
        for word in trees:
            if word not in self._children:
                self._children[word] = process.start([*self._command, word], subprocess.DEVNULL, subprocess.DEVNULL)

    def wait(self, tree: str) -> None:
        """Until this one is lifted, if it was wanted. Whether it could be is told by lifting it again."""
        if child := self._children.pop(tree, None):
            child.wait()

# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernels that the tests lift: what Debian packages, or what LINUX names. Without a way to get at
one, its tests are skipped and say what is missing."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import build_path
from runner.errors import CannotRun, Problem
from runner.lift import lift, trees
from runner.lift.kbuild import Variant

# 6.12.107 has none of the fixes; the newest of each release may have moved on, and is told by its source.
RELEASES = ("6.1", "6.12.107", "6.12", "7.2", "7.3")


@dataclass(frozen=True)
class Kernel:
    """A word as after LINUX=."""

    word: str


KERNELS: tuple[Kernel, ...] = tuple(
    Kernel(word) for word in (trees.words(os.environ.get("LINUX", "")) or RELEASES))


@functools.cache
def lifted(kernel: Kernel, hz: int, *programs: str, arch: str = "um") -> lift.Lifted:
    """The kernel's core in these programs; lifted once, whatever number of tests and workers ask."""
    build = Path(os.path.relpath(build_path(), lift.ROOM))
    try:
        return lift.lift(kernel.word, Variant(arch, hz, True), build_path() if ".." in build.parts else build,
                         programs or None)
    except CannotRun as error:
        if error.problem in (Problem.LIFT_RELEASE, Problem.LIFT_TOOL):
            pytest.skip(error.words())
        raise

# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernels that the tests lift: those that Debian packages, or those that LINUX names. Where one cannot
be had, its tests are skipped and say what is missing. Fixtures of a kernel's checkout, and helpers to change
it, lift it and run it. conftest.py loads this module as a plugin."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import ROOT, build_path, make, plain_environment
from runner.errors import CannotRun, Problem
from runner.lift import detect, lift, trees
from runner.lift.kbuild import Variant

# 6.12.107 has none of the fixes. The newest of each other release may have some: its source tells.
RELEASES = ("6.1", "6.12.107", "6.12", "7.2", "7.3")


@dataclass(frozen=True)
class Kernel:
    """A kernel, by its word after LINUX=."""

    word: str


KERNELS: tuple[Kernel, ...] = tuple(
    Kernel(word) for word in (trees.words(os.environ.get("LINUX", "")) or RELEASES))
NEWEST = Kernel("7.3")
UM = Variant("um", 1000, True)
SOURCES = (detect.TIMEKEEPING, detect.NTP)
# A change that every tree takes, and that compiles: which way an error of exactly 0 is rounded.
BEFORE, AFTER = "tk->ntp_error > 0 ?", "tk->ntp_error >= 0 ?"


def build_word() -> Path:
    """The build folder as make was told it: relative to the repository if it is inside."""
    build = Path(os.path.relpath(build_path(), lift.ROOM))
    return build_path() if ".." in build.parts else build


@functools.cache
def lifted(kernel: Kernel, hz: int, *programs: str, arch: str = "um", pps: bool = False,
           smp: bool = False) -> lift.Lifted:
    """The kernel's core in these programs; lifted once for all tests and workers."""
    variant = Variant(arch, hz, True, pps=pps, smp=smp)
    try:
        return lift.lift(kernel.word, variant, build_word(), programs or None)
    except CannotRun as error:
        if error.problem in (Problem.LIFT_RELEASE, Problem.LIFT_TOOL):
            pytest.skip(error.words())
        raise


@pytest.fixture(scope="session", params=KERNELS, ids=lambda kernel: kernel.word)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return request.param


def git(tree: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(tree), "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments],
        check=True, capture_output=True, text=True).stdout.strip()


def replace(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git checkout of a kernel that was never configured."""
    source = lifted(NEWEST, 1000).tree.path
    tree = tmp_path_factory.mktemp("checkout") / "linux"
    shutil.copytree(source, tree, symlinks=True)
    git(tree, "init", "-q")
    git(tree, "add", "-f", ".")
    git(tree, "commit", "-q", "-m", "as released")
    git(tree, "tag", "v1")
    return tree


@pytest.fixture
def checkout(pristine: Path) -> Path:
    git(pristine, "reset", "-q", "--hard", "v1")
    git(pristine, "clean", "-qfdx")
    return pristine


def filled(folder: Path) -> Path:
    """A build folder that no other test uses, but with what does not depend on the lifted tree: copies of our own
    objects, and what kbuild prepares. That serves all trees in which the files that decide it are the same, and is
    shared by processes in use too."""
    build = make("all")
    for room in ("free", "host", "native"):
        # copy2 keeps the times, so that make finds the objects newer than their sources.
        shutil.copytree(build / room, folder / room, copy_function=shutil.copy2)
    kbuild = build / "lift/kbuild"
    kbuild.mkdir(parents=True, exist_ok=True)
    (folder / "lift").mkdir()
    (folder / "lift/kbuild").symlink_to(kbuild.resolve())
    return folder


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("build"))


def simulate(folder: Path, *arguments: str) -> list[str]:
    """The metrics and claims that the host process prints."""
    done = subprocess.run([str(folder / "tickbench-sim"), "core=linux", *arguments],
                          capture_output=True, text=True, timeout=100)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [line.strip() for line in done.stdout.splitlines() if "# metric" in line or "ok " in line]


def metric(lines: list[str], name: str) -> float:
    return next(float(line.split()[3]) for line in lines if line.startswith(f"# metric {name} "))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def refused(word: object, build: Path, variant: Variant = UM) -> CannotRun:
    with pytest.raises(CannotRun) as caught:
        lift.lift(str(word), variant, build)
    return caught.value


def lift_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ROOT / "tickbench"), "lift", *arguments], cwd=ROOT, text=True,
                          capture_output=True, timeout=100, env=plain_environment() | environment)

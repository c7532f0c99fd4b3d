# SPDX-License-Identifier: GPL-2.0-or-later
"""A revision of a tree, unpacked from git. If a neighbouring revision is there already, only what differs is
unpacked: the rest is links to the neighbour's files and folders. Assumes that a tree once unpacked is not changed.

A revision: lifts/NAME@COMMIT/tree, and beside it `whole`, which holds the commit, if it has no such links."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from runner.errors import CannotRun, Problem

# Reads only, also its index, and also the tree of another user.
GIT = ("git", "--no-optional-locks", "-c", "safe.directory=*")
# The part of a tree that kbuild wants for two objects of kernel/time, for git's pathspecs.
PATHSPECS = (
    "Makefile", "Kbuild", "Kconfig", "Documentation/Kconfig", ":(glob)**/Kconfig*", "scripts",
    "include", "arch/x86", "arch/um", "kernel", "lib", "init", "tools/include", "tools/objtool", "tools/lib",
    "tools/build", "tools/arch/x86", "tools/scripts", "tools/Makefile",
)
MOST = 2000  # differing files; more are unpacked whole


def is_whole(tree: Path) -> bool:
    """Whether all files of an unpacked tree are its own."""
    return tree.with_name("whole").exists()


def mark_whole(tree: Path, commit: str) -> None:
    """To be called after all files were unpacked."""
    tree.with_name("whole").write_text(commit)


def unpack(path: Path, commit: str, specs: list[str], folder: Path) -> None:
    """Unpacks the files that git's pathspecs name into a folder, which is removed if that fails."""
    archive = subprocess.Popen(
        [*GIT, "-C", str(path), "archive", "--format=tar", commit, "--", *specs],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert archive.stdout and archive.stderr
    unpacked = subprocess.run(["tar", "-x", "-C", str(folder)], stdin=archive.stdout,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    archive.stdout.close()
    words_of_git = archive.stderr.read()
    archive.stderr.close()
    if archive.wait() or unpacked.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        detail = (words_of_git + unpacked.stderr).decode(errors="replace")
        raise CannotRun(Problem.LIFT_TREE, f"{path} at {commit[:12]} cannot be unpacked", detail)


def _wanted(name: str) -> bool:
    """Whether a file is part of what a lift needs."""
    return os.path.basename(name).startswith("Kconfig") or any(
        name == spec or name.startswith(f"{spec}/") for spec in PATHSPECS)


def _differing(path: Path, before: str, after: str) -> tuple[list[str], list[str]] | None:
    """The files that a revision has and another has not or has otherwise, and those that it lacks; None if git
    cannot tell, or if they are too many."""
    done = subprocess.run(
        [*GIT, "-C", str(path), "diff-tree", "-r", "-z", "--no-renames", "--relative", "--name-status", before, after],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        errors="surrogateescape")
    if done.returncode:
        return None
    words = done.stdout.split("\0")[:-1]
    pairs = [(status, name) for status, name in zip(words[::2], words[1::2]) if _wanted(name)]
    if len(pairs) > MOST:
        return None
    return [name for status, name in pairs if status != "D"], [name for status, name in pairs if status == "D"]


def _parents(names: list[str]) -> set[str]:
    """The folders above the files, as relative names; the top is empty."""
    found = {""}
    for name in names:
        while name := os.path.dirname(name):
            found.add(name)
    return found


def _links(whole: Path, tree: Path, changed: set[str], opened: set[str]) -> None:
    """Links to all of a whole tree, but to the changed files; the opened folders become folders."""
    for folder in sorted(opened):
        if not (whole / folder).is_dir():
            continue
        (tree / folder).mkdir(parents=True, exist_ok=True)
        for entry in os.scandir(whole / folder):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if name not in changed and name not in opened:
                (tree / name).symlink_to(entry.path)


def lay(lifts: Path, name: str, path: Path, commit: str, tree: Path) -> bool:
    """Makes the tree of a revision out of the nearest one that is there; False if there is none near."""
    nearest: tuple[int, Path, tuple[list[str], list[str]]] | None = None
    for mark in sorted(lifts.glob(f"{name}@*/whole"), key=lambda mark: -mark.stat().st_mtime_ns)[:8]:
        found = _differing(path, mark.read_text(), commit)
        if found and (nearest is None or len(found[0]) + len(found[1]) < nearest[0]):
            nearest = len(found[0]) + len(found[1]), mark.with_name("tree"), found
    if not nearest or not (nearest[1] / "Makefile").exists():
        return False
    _, whole, (present, gone) = nearest
    new = tree.with_name("tree.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    _links(whole, new, {*present, *gone}, _parents([*present, *gone]))
    if present:
        unpack(path, commit, [f":(literal){each}" for each in present], new)
    new.rename(tree)
    return True

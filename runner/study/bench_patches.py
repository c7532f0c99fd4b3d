# SPDX-License-Identifier: GPL-2.0-or-later
"""The speed of series and bisect, for bench: over the patches that two packaged kernels differ by, from a build
folder in which nothing was lifted yet. Assumes that the kernels have been fetched.

The unit that a step compiles, compiled by its saved command beside it, is what a step is a ratio to."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import CannotRun, Problem, Status
from runner.lift import detect, kbuild, lift, trees
from runner.study import hunks, own_git

OLD, NEW = "7.2", "7.3"
FAR = ("6.1", "6.12.107", "6.12", "7.2", "7.3")  # whole kernels, of which the last does not drift
COUNT = 8  # patches of the series
KEPT = ("lift", "work", "pair", "bench", "series", "run", "compare", "check", "matrix", "lint")  # of a build folder


@dataclass(frozen=True)
class Steps:
    """Seconds of a whole command, of each step, and of a step's unit compiled by its saved command."""

    whole_s: float
    steps_s: list[float]
    compile_s: float

    @property
    def step_s(self) -> float:
        return statistics.median(self.steps_s)


def fresh(build: Path, folder: Path) -> Path:
    """A build folder with the programs of another, by links, in which nothing was lifted."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in build.resolve().iterdir():
        if path.name not in KEPT:
            (folder / path.name).symlink_to(path)
    return folder


def some(old: hunks.Text, new: hunks.Text) -> list[hunks.Patch]:
    """The patches of a series: the largest in the middle, one of words, and the first of the others."""
    *others, big = sorted((patch for patch in hunks.patches(old, new) if not patch.words),
                          key=lambda patch: len(patch.hunks))
    words = next(patch for patch in hunks.patches(old, new) if patch.words)
    rest = others[:COUNT - 2]
    return [*rest[:len(rest) // 2], big, words, *rest[len(rest) // 2:]]


def _run(*words: str) -> Any:
    """What a command of tickbench prints as JSON."""
    done = subprocess.run([str(lift.ROOM / "tickbench"), *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    if done.returncode not in (Status.PASSED, Status.FAILED):
        raise CannotRun(Problem.PROGRAM_FAILED, f"tickbench {words[0]} ended with status {done.returncode}",
                        done.stderr)
    return json.loads(done.stdout)


def compile_seconds(build: Path) -> float:
    """Of wrap_timekeeping.c, by the command that the latest lift in this build folder saved."""
    record = max((build / "lift").glob("*/um-*/wrap_timekeeping.command"), key=lambda path: path.stat().st_mtime_ns)
    *command, _ = [word for word in record.read_text().split("\n") if word]
    out = (record.parent.parent / "kbuild").iterdir()
    with tempfile.TemporaryDirectory() as scratch:
        command[command.index("-o") + 1] = f"{scratch}/unit.o"
        command = [f"-Wp,-MMD,{scratch}/unit.d" if word.startswith("-Wp,-MMD") else word for word in command]
        began = time.monotonic()
        subprocess.run(command, cwd=next(out).resolve(), env=kbuild.environment(), check=True, capture_output=True)
        return time.monotonic() - began


def series(build: Path, scratch: Path) -> Steps:
    """A series of eight patches, from nothing to its table."""
    lifts = (build / "lift").resolve()
    base = trees.resolve(OLD, lifts).path
    old, new = hunks.read(base), hunks.read(trees.resolve(NEW, lifts).path)
    chosen = some(old, new)
    folder = fresh(build, scratch / "series")
    (folder / "files").mkdir()
    box = folder / "series.mbox"
    box.write_bytes(hunks.mbox(old, chosen, [f"number {n}" for n, _ in enumerate(chosen, 1)], folder / "files"))
    began = time.monotonic()
    rows = _run("series", "--json", "--build", str(folder), OLD, str(box))["rows"]
    whole = time.monotonic() - began
    if len(rows) != 1 + COUNT or any(row["problem"] for row in rows):
        raise CannotRun(Problem.PROGRAM_FAILED, "a patch of the series was not measured")
    return Steps(whole, [row["seconds"]["row"] for row in rows[1:]], compile_seconds(folder))


def bisect(build: Path, scratch: Path) -> Steps:
    """A search among all patches that lead from one kernel to the next: which mended the rate?"""
    lifts = (build / "lift").resolve()
    base = trees.resolve(OLD, lifts).path
    old, new = hunks.read(base), hunks.read(trees.resolve(NEW, lifts).path)
    folder = fresh(build, scratch / "bisect")
    made = own_git.create(folder / "tree")
    made.ask("update-ref", "--no-deref", "HEAD", own_git.take_files(made, base, ()))
    made.ask("read-tree", "HEAD")
    found = hunks.patches(old, new)
    done: list[hunks.Hunk] = []
    for number, patch in enumerate(found, 1):
        done += patch.hunks
        for name, lines in hunks.with_hunks(old, done).items():
            (made.path / name).parent.mkdir(parents=True, exist_ok=True)
            (made.path / name).write_text("".join(lines))
        made.ask("add", *old)
        made.ask("commit", "-q", "-m", f"number {number}")
    return _searched(folder, made.path, f"HEAD~{len(found)}")


def _searched(folder: Path, tree: Path, first: str) -> Steps:
    """A search from a first commit to HEAD for the one that mended the rate."""
    began = time.monotonic()
    said = _run("bisect", "--json", "--build", str(folder), "--tree", str(tree), "--first-fixed", "--bad", first,
                "--good", "HEAD", "--claim", "lock.drift_ns_per_s < 1", "duration=20")
    whole = time.monotonic() - began
    return Steps(whole, [step["seconds"] for step in said["steps"]], compile_seconds(folder))


def far_history(made: own_git.Repository, kernels: Sequence[Path]) -> int:
    """Commits of whole kernels, with one after each that edits timekeeping.c; how many."""
    name, count = str(detect.TIMEKEEPING), 0
    parent: list[str] = []
    for kernel in kernels:
        (made.path / ".git/base-index").unlink(missing_ok=True)  # of the kernel before
        made.ask("read-tree", own_git.take_files(made, kernel, ()))
        for subject in (f"all of {kernel.name}", f"an edit of {kernel.name}"):
            commit = made.ask("commit-tree", "-m", subject, *parent, made.ask("write-tree"))
            parent, count = ["-p", commit], count + 1
            edited = made.path / "edited.c"
            edited.write_text((kernel / name).read_text() + "/* An edit. */\n")
            blob = made.ask("hash-object", "-w", str(edited))
            made.ask("update-index", "--cacheinfo", f"100644,{blob},{name}")
    made.ask("update-ref", "--no-deref", "HEAD", parent[1])
    return count


def bisect_far(build: Path, scratch: Path) -> Steps:
    """The same search among commits that are far apart: almost each step's kernel is one that kbuild has prepared
    nothing for."""
    lifts = (build / "lift").resolve()
    folder = fresh(build, scratch / "far")
    made = own_git.create(folder / "tree")
    count = far_history(made, [trees.resolve(word, lifts).path for word in FAR])
    return _searched(folder, made.path, f"HEAD~{count - 1}")

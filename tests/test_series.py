# SPDX-License-Identifier: GPL-2.0-or-later
"""Real patches: what two packaged kernels differ by under kernel/time, cut into hunks and shuffled among commits that
change nothing. series, bisect and the comparison must name the one that changes how the core behaves."""

from __future__ import annotations

import difflib
import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT, plain_environment
from liftable import NEWEST, Kernel, git, lifted
from runner.lift import detect, trees
from runner.study.store import key_of

OLDER = Kernel("7.2")
FILES = ("kernel/time/timekeeping.c", "kernel/time/ntp.c", "kernel/time/ntp_internal.h",
         "kernel/time/timekeeping_internal.h", "include/linux/timekeeper_internal.h", "include/linux/timekeeping.h",
         "include/linux/posix-timers.h")
SEED = 20260520


def code(text: str) -> list[str]:
    """What a compiler sees of a file, less its line breaks."""
    return detect.without_comments(text).split()


def hunks(old: list[str], new: list[str]) -> list[tuple[int, int, list[str]]]:
    """The places of `old` that are replaced, and with what."""
    return [(a, b, new[c:d]) for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, False).get_opcodes()
            if kind != "equal"]


def with_hunks(old: list[str], chosen: list[tuple[int, int, list[str]]]) -> str:
    lines = list(old)
    for a, b, text in sorted(chosen, reverse=True):
        lines[a:b] = text
    return "".join(lines)


class History:
    """Commits on the newest kernel that take it, hunk by hunk, to what the older one has in these files."""

    def __init__(self, tree: Path, older: Path) -> None:
        self.tree = tree
        self.before = {name: (tree / name).read_text().splitlines(True) for name in FILES}
        self.hunks = {name: hunks(self.before[name], (older / name).read_text().splitlines(True)) for name in FILES}
        self.done: dict[str, list[tuple[int, int, list[str]]]] = {name: [] for name in FILES}
        words = [(name, hunk) for name in FILES for hunk in self.hunks[name] if self._is_words(name, hunk)]
        self.words = words[:3]
        self.culprit = ""

    def _is_words(self, name: str, hunk: tuple[int, int, list[str]]) -> bool:
        return code("".join(self.before[name])) == code(with_hunks(self.before[name], [hunk]))

    def _commit(self, subject: str, chosen: list[tuple[str, tuple[int, int, list[str]]]]) -> None:
        for name, hunk in chosen:
            self.done[name].append(hunk)
        for name in {name for name, _ in chosen}:
            (self.tree / name).write_text(with_hunks(self.before[name], self.done[name]))
        git(self.tree, "commit", "-q", "-a", "-m", subject)

    def make(self) -> None:
        """In an order that a seed gives: hunks of comments, edits elsewhere, and all that changes the code."""
        code_hunks = [(name, hunk) for name in FILES for hunk in self.hunks[name] if (name, hunk) not in self.words]
        steps = [("words", [each]) for each in self.words] + [("code", code_hunks)] + [("else", [])] * 3
        random.Random(SEED).shuffle(steps)
        for number, (kind, chosen) in enumerate(steps, 1):
            if kind == "else":
                path = self.tree / "kernel/fork.c"
                path.write_text(path.read_text() + f"/* {number} */\n")
            self._commit(f"{kind}: number {number}", chosen)
            if kind == "code":
                self.culprit = git(self.tree, "rev-parse", "HEAD")


@pytest.fixture
def history(checkout: Path, built: Path) -> Iterator[History]:
    made = History(checkout, lifted(OLDER, 1000).tree.path)
    made.make()
    yield made
    # The checkout's name is another one next time: what was made of it is of no use then.
    for place in (checkout, *built.glob(f"work/series/{key_of(str(checkout))}/{checkout.name}")):
        for left in built.glob(f"lift/{trees._folder(place.resolve())}@*"):
            shutil.rmtree(left, ignore_errors=True)
    shutil.rmtree(built / "work/series" / key_of(str(checkout)), ignore_errors=True)


def tickbench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ROOT / "tickbench"), *arguments], cwd=ROOT, env=plain_environment(), text=True,
                          capture_output=True, timeout=600)


def test_series_and_bisect_name_the_commit_that_changes_the_core(
        history: History, built: Path, tmp_path: Path) -> None:
    """Of seven commits one changes the code: it loses three switches, and all others are equal to the row before."""
    lifted(NEWEST, 1000)
    tree = history.tree
    state = (git(tree, "rev-parse", "HEAD"), git(tree, "status", "--porcelain"), git(tree, "for-each-ref"))
    box = tmp_path / "t.mbox"
    box.write_text(git(tree, "format-patch", "--stdout", "--cover-letter", "-n", "v1..HEAD") + "\n")
    done = tickbench("series", "--build", str(built), "--output", str(tmp_path / "out"), "--json", f"{tree}@v1",
                     str(box))
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["patch"] for row in rows] == list(range(8))
    assert len({row["runs"][0]["params"]["tree"] for row in rows if row["lifted"]}) == 1 + len(history.words) + 1
    for row in rows[1:]:
        kind = row["subject"].split(":")[0]
        assert row["problem"] is None, row["said"]
        if kind == "code":
            assert row["equal"]["differs"] and row["changes"] and row["new_failed_claims"]
            assert row["switches_removed"] == ["remainder", "skew", "tail"] and row["switches_added"] == []
            assert set(row["files"]) == {name for name in FILES if history.hunks[name]}
        elif kind == "words":
            assert row["lifted"] and not row["equal"]["differs"] and not row["changes"]
        else:
            assert not row["lifted"] and row["files"] == ["kernel/fork.c"] and row["switches"]
    assert {"report.json", "series.png", "series.svg"} <= {path.name for path in (tmp_path / "out").iterdir()}
    found = tickbench("bisect", "--build", str(built), "--tree", str(tree), "--good", "v1", "--bad", "HEAD",
                      "--claim", "lock.drift_ns_per_s < 1", "duration=20")
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"the first bad commit is {history.culprit[:12]}" in found.stdout
    assert state == (git(tree, "rev-parse", "HEAD"), git(tree, "status", "--porcelain"), git(tree, "for-each-ref"))

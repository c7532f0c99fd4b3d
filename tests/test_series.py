# SPDX-License-Identifier: GPL-2.0-or-later
"""Real patches: what two packaged kernels differ by under kernel/time, cut into hunks and shuffled among commits that
change nothing. series, bisect and the comparison must name the one that changes how the core behaves."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from conftest import ROOT, plain_environment
from liftable import NEWEST, UM, Kernel, git, lifted
from runner.lift import trees
from runner.study import hunks, series
from runner.study.own_git import Repository
from runner.study.store import Store, key_of

OLDER = Kernel("7.2")
SEED = 20260520


class History:
    """Commits on the newest kernel that take it, patch by patch, towards what the older one has: one of comments,
    three of code, and some elsewhere, in an order that a seed gives."""

    def __init__(self, tree: Path, older: Path) -> None:
        self.tree, self.before = tree, hunks.read(tree)
        found = hunks.patches(self.before, hunks.read(older))
        # The fixes of the tick and of the second need each other: the patch with the most hunks is the culprit.
        *self.code, self.big = sorted((patch for patch in found if not patch.words),
                                      key=lambda patch: len(patch.hunks))
        self.words = [patch for patch in found if patch.words]
        self.culprit = ""

    def make(self) -> None:
        """The commits."""
        draw = random.Random(SEED)
        steps = [("culprit", self.big), *(("code", patch) for patch in draw.sample(self.code, 2)),
                 ("words", draw.choice(self.words)), ("else", None), ("else", None)]
        draw.shuffle(steps)
        done: list[hunks.Hunk] = []
        for number, (kind, patch) in enumerate(steps, 1):
            if patch:
                done += patch.hunks
                for name, lines in hunks.with_hunks(self.before, done).items():
                    (self.tree / name).write_text("".join(lines))
            else:
                path = self.tree / "kernel/fork.c"
                path.write_text(path.read_text() + f"/* {number} */\n")
            git(self.tree, "commit", "-q", "-a", "-m", f"{kind}: number {number}")
            if kind == "culprit":
                self.culprit = git(self.tree, "rev-parse", "HEAD")


def test_a_kernels_difference_is_cut_into_patches_that_lead_to_the_other() -> None:
    """All that two kernels differ by in these files is in exactly one patch; none but the fixes of the series is
    large, and those of words change nothing that a compiler sees."""
    old, new = (hunks.read(lifted(each, 1000).tree.path) for each in (OLDER, NEWEST))
    found = hunks.patches(old, new)
    assert hunks.with_hunks(old, [hunk for patch in found for hunk in patch.hunks]) == new
    assert sum(not patch.words for patch in found) >= 8 and sum(patch.words for patch in found) >= 8
    *others, big = sorted(found, key=lambda patch: len(patch.hunks))
    assert "kernel/time/ntp.c" in big.files and max(len(patch.hunks) for patch in others) <= 4


def test_an_interrupted_series_goes_on_with_what_it_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It stops while it measures its second commit. The next command measures that one alone."""
    ran: list[str] = []

    def measure(program: Path, experiments: object) -> list[dict[str, object]]:
        ran.append(program.parent.name)
        if ran == ["a", "b"]:
            raise KeyboardInterrupt
        return [{"experiment": "lock", "of": program.parent.name}]

    monkeypatch.setattr(series.judge, "measure", measure)
    monkeypatch.setattr(series.Bench, "lifted", lambda self, commit, tag: SimpleNamespace(folder=tmp_path / commit))

    def bench() -> series.Bench:
        return series.Bench(Repository(tmp_path), UM, tmp_path, 1, (), Store(tmp_path, "series", "key"))

    first = bench()
    assert first.measured("a", "base")[1] == [{"experiment": "lock", "of": "a"}]
    with pytest.raises(KeyboardInterrupt):
        first.measured("b", "patch-1")
    again = bench()
    assert [again.measured(commit, "t")[1][0]["of"] for commit in ("a", "b")] == ["a", "b"]
    assert ran == ["a", "b", "b"]


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
    """Of six commits three change the code. One of these loses three switches; all others are equal to the row
    before."""
    lifted(NEWEST, 1000)
    tree = history.tree
    state = (git(tree, "rev-parse", "HEAD"), git(tree, "status", "--porcelain"), git(tree, "for-each-ref"))
    box = tmp_path / "t.mbox"
    box.write_text(git(tree, "format-patch", "--stdout", "--cover-letter", "-n", "v1..HEAD") + "\n")
    done = tickbench("series", "--build", str(built), "--output", str(tmp_path / "out"), "--json", f"{tree}@v1",
                     str(box))
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["patch"] for row in rows] == list(range(7))
    assert len({row["runs"][0]["params"]["tree"] for row in rows if row["lifted"]}) == 1 + 4
    for row in rows[1:]:
        kind = row["subject"].split(":")[0]
        assert row["problem"] is None, row["said"]
        if kind == "culprit":
            assert row["equal"]["differs"] and row["changes"] and row["new_failed_claims"]
            assert row["switches_removed"] == ["remainder", "skew", "tail"] and row["switches_added"] == []
            assert set(row["files"]) == history.big.files
        elif kind in ("code", "words"):
            assert row["lifted"] and not row["equal"]["differs"] and not row["changes"]
        else:
            assert not row["lifted"] and row["files"] == ["kernel/fork.c"] and row["switches"]
    assert {"report.json", "series.png", "series.svg"} <= {path.name for path in (tmp_path / "out").iterdir()}
    found = tickbench("bisect", "--build", str(built), "--tree", str(tree), "--good", "v1", "--bad", "HEAD",
                      "--claim", "lock.drift_ns_per_s < 1", "duration=20")
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"the first bad commit is {history.culprit[:12]}" in found.stdout
    assert state == (git(tree, "rev-parse", "HEAD"), git(tree, "status", "--porcelain"), git(tree, "for-each-ref"))

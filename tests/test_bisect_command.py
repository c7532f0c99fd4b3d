# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench bisect`: the commit, or the switch, at which a claim stops holding; what is skipped, what is left
alone, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, plain_environment
from liftable import git
from runner import scenarios
from runner.errors import CannotRun, Problem
from runner.lift import detect, trees
from runner.study import claim

TOLD = "tk->ntp_error += tk->ntp_tick << shift;"
BROKEN = TOLD + "\n\ttk->ntp_error += 1LL << (shift + 20);"


def bisect(built: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ROOT / "tickbench"), "bisect", "--build", str(built), *arguments], cwd=ROOT, text=True,
                          capture_output=True, timeout=600, env=plain_environment())


def state(tree: Path) -> tuple[str, ...]:
    """All of a repository that a bisection could change."""
    files = sorted(str(path.relative_to(tree / ".git")) for path in (tree / ".git").iterdir())
    return (git(tree, "rev-parse", "HEAD"), git(tree, "for-each-ref"), git(tree, "status", "--porcelain"),
            git(tree, "worktree", "list"), " ".join(files))


def test_the_commit_that_broke_a_claim_is_named_and_the_tree_left_alone(checkout: Path, built: Path) -> None:
    """Of six commits the first touches nothing that is compiled, the third does not compile, and the fifth adds to
    ntp_error in each tick."""
    source = checkout / detect.TIMEKEEPING
    whole = source.read_text()
    assert TOLD in whole
    (checkout / "CREDITS").write_text("one more\n")
    git(checkout, "add", "-f", "CREDITS")
    git(checkout, "commit", "-q", "-m", "nothing that is compiled")
    for number, text in enumerate((whole + "/* 2 */\n", "#error half an edit\n" + whole, whole + "/* 4 */\n",
                                   whole.replace(TOLD, BROKEN), whole.replace(TOLD, BROKEN) + "/* 6 */\n"), 2):
        source.write_text(text)
        git(checkout, "commit", "-q", "-a", "-m", f"number {number}")
    before = state(checkout)
    words = ("--tree", str(checkout), "--bad", "HEAD", "--good", "v1", "--claim", "lock.max_abs_ns < 1", "duration=100")
    try:
        done = bisect(built, *words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(done.stdout)
        assert found["first_bad"] == git(checkout, "rev-parse", "HEAD~1") and found["subject"] == "number 5"
        judged = [step["subject"] for step in found["steps"]]
        assert "nothing that is compiled" not in judged
        assert all(step["good"] is None for step in found["steps"] if step["subject"] == "number 3")
        assert "3 of" not in done.stderr and "5 commits to search" in done.stderr
        assert found["before"] == ["lock.max_abs_ns 0.098"] and float(found["after"][0].split()[1]) > 1
        assert state(checkout) == before
        # The same search again has all verdicts, and lifts nothing.
        again = bisect(built, *words)
        assert again.returncode == 0 and f"the first bad commit is {found['first_bad'][:12]}" in again.stdout
        assert "kernel/time/timekeeping.c | " in again.stdout
        lines = [line for line in again.stdout.splitlines() if "lock.max_abs_ns" in line and "it:" not in line]
        assert lines and all("kept" in line for line in lines), again.stdout
        wrong = bisect(built, "--tree", str(checkout), "--bad", "v1", "--good", "v1", *words[6:])
        assert wrong.returncode == 2 and "holds at" in wrong.stderr
        unknown = bisect(built, "--tree", str(checkout), "--bad", "HEAD", "--good", "v1", "--claim", "lock.no_such < 1")
        assert unknown.returncode == 2 and "lock has no metric no_such (it has" in unknown.stderr
        assert "max_abs_ns" in unknown.stderr
    finally:
        shutil.rmtree(built / "lift" / trees.resolve(str(checkout), built / "lift").folder, ignore_errors=True)
        for left in (built / "lift").glob(f"{trees.resolve(str(checkout), built / 'lift').folder}@*"):
            shutil.rmtree(left, ignore_errors=True)


def test_the_switch_is_named_without_which_a_claim_fails(built: Path) -> None:
    words = ("--switches", "--good", "all", "--bad", "none", "duration=20", "--claim")
    done = bisect(built, *words, "lock.max_abs_ns < 10")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("the claim fails without the switch remainder\n")
    # A late tick's error is told only with clawback, also where all others are on.
    late = bisect(built, "--switches", "--good", "all", "--bad=-clawback", "--json", "duration=20", "hz=1000",
                  "--claim", "late")
    assert json.loads(late.stdout)["switch"] == "clawback", late.stderr


@pytest.mark.parametrize("words, said", [
    (("--claim", "lock.max_abs_ns < 1", "--same-as", "v1"), "either --claim or --same-as"),
    ((), "either --claim or --same-as"),
    (("--claim", "lock.max_abs_ns less 1"), "is not SCENARIO.METRIC < NUMBER"),
    (("--claim", "look.max_abs_ns < 1"), "there is no scenario look (there are lock, "),
    (("--claim", "lock"), "needs --tree PATH, or --switches"),
    (("--claim", "lock", "--switches"), "has no switch \"v1\""),
    (("--claim", "lock", "--tree", "/"), "is no git repository"),
])
def test_what_cannot_be_searched_is_refused(built: Path, words: tuple[str, ...], said: str) -> None:
    done = bisect(built, "--good", "v1", "--bad", "HEAD", *words)
    assert done.returncode == 2 and said in done.stderr, done.stdout + done.stderr


RUN = {"metrics": {"max_abs_ns": 5.0}, "notes": ["converged_1ns_s: never"],
       "claims": [{"sentence": "one", "ok": True}, {"sentence": "two", "ok": False, "todo": None}]}


@pytest.mark.parametrize("text, holds", [
    ("lock.max_abs_ns < 5", False), ("lock.max_abs_ns <= 5", True), ("lock.max_abs_ns > 4.9", True),
    ("lock.max_abs_ns>=5.1", False), ("lock.max_abs_ns == 5e0", True), ("lock.max_abs_ns != 5", False),
    ("lock.converged_1ns_s < 1e9", False), ("lock", False),
])
def test_a_claim_is_what_it_says(built: Path, text: str, holds: bool) -> None:
    assert claim.parse(text, scenarios.read(built)).judge(RUN).holds is holds


def test_a_metric_that_does_not_exist_is_no_failed_claim(built: Path) -> None:
    with pytest.raises(CannotRun) as refused:
        claim.parse("lock.none < 1", scenarios.read(built)).judge(RUN)
    assert refused.value.problem is Problem.BAD_CLAIM

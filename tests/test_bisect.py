# SPDX-License-Identifier: GPL-2.0-or-later
"""git bisect over a kernel tree, with run-qemu.sh as the test that judges each revision."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from conftest import ROOT, plain_environment
from liftable import git
from runner.lift import detect, trees


def test_git_bisect_finds_the_commit_that_broke_the_core(checkout: Path, tmp_path: Path, built: Path) -> None:
    """Of six revisions the fourth stops telling e of what mult takes back, and the third does not compile."""
    source = checkout / detect.TIMEKEEPING
    whole = source.read_text()
    told = "tk->ntp_error += tk->ntp_tick << shift;"
    assert told in whole
    texts = [whole + "/* 1 */\n", whole + "/* 2 */\n", "#error half an edit\n" + whole,
             whole.replace(told, told + "\n\ttk->ntp_error += 1LL << (shift + 20);"),
             whole.replace(told, told + "\n\ttk->ntp_error += 1LL << (shift + 20);") + "/* 5 */\n"]
    for number, text in enumerate(texts, 1):
        source.write_text(text)
        git(checkout, "commit", "-q", "-a", "-m", f"number {number}")
    bad = git(checkout, "rev-parse", "HEAD~1")
    git(checkout, "bisect", "start", "HEAD", "v1")
    try:
        done = subprocess.run(
            ["git", "bisect", "run", str(ROOT / "run-qemu.sh"), "--bisect", "--accel", "tcg", "--build",
             str(built), "--output", str(tmp_path / "out"), "--core", "linux:.", "scenario=lock",
             "clock=virtual", "duration=100"],
            cwd=checkout, env=plain_environment(), capture_output=True, text=True, timeout=300)
        # The one before does not compile, so git names both that it may be.
        assert bad in done.stdout, done.stdout + done.stderr
        assert git(checkout, "rev-parse", "HEAD") != "" and "half an edit" in done.stdout + done.stderr
    finally:
        git(checkout, "bisect", "reset")
        # The checkout's name is another one next time: what was made of it is of no use then.
        shutil.rmtree(built / "lift" / trees.resolve(str(checkout), built / "lift").folder, ignore_errors=True)

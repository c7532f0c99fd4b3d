# SPDX-License-Identifier: GPL-2.0-or-later
"""setup.sh: silent where nothing is missing, and the command to type where it may not install."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT


def test_setup_asks_dpkg_once_and_says_nothing_when_nothing_is_missing(tmp_path: Path) -> None:
    """One query is what keeps it quick: every goal of make runs it."""
    count = tmp_path / "count"
    query = tmp_path / "dpkg-query"
    query.write_text(f"#!/bin/sh\necho asked >>{count}\nPATH=${{PATH#*:}}\nexec dpkg-query \"$@\"\n")
    query.chmod(0o755)
    ended = subprocess.run([str(ROOT / "setup.sh"), "run"], capture_output=True, text=True,
                           env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    if ended.returncode:
        pytest.skip("packages are missing: " + ended.stderr)
    assert ended.stdout + ended.stderr == ""
    assert count.read_text() == "asked\n"


def test_setup_prints_the_command_where_it_may_not_install(tmp_path: Path) -> None:
    """With a dpkg-query that knows nothing, an id that is not root's, and no sudo."""
    for name, body in (("dpkg-query", "exit 1"), ("id", "echo 1000")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    for name in ("sh", "sed", "sort", "grep", "tr", "cat", "printf"):
        (tmp_path / name).symlink_to(os.path.join("/bin", name) if os.path.exists(f"/bin/{name}")
                                     else f"/usr/bin/{name}")
    ended = subprocess.run([str(ROOT / "setup.sh"), "run"], capture_output=True, text=True,
                           env={"PATH": str(tmp_path)})
    assert ended.returncode == 2
    assert "sudo apt-get install" in ended.stderr and "qemu-system-x86" in ended.stderr

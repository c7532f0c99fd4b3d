# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command in README.md and docs/ runs as it stands, or says beside it why it is not run here.
Assumes a block is fenced with ```sh and marked by a comment above it: "run", or "not run" and why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, plain_environment
from runner import simulate
from runner.report import report

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?:<!--\s*(?P<mark>[^>]*?)\s*-->\s*\n)?```sh\n(?P<text>.*?)```", re.DOTALL)


def blocks() -> list[tuple[str, str, str]]:
    """Document, mark and command of every line in a block of commands."""
    return [(path.name, found["mark"] or "", line)
            for path in DOCUMENTS for found in BLOCK.finditer(path.read_text())
            for line in found["text"].replace("\\\n", " ").splitlines()
            if line.strip() and not line.startswith("#")]


def test_every_command_says_whether_it_is_run() -> None:
    assert blocks()
    for name, mark, command in blocks():
        assert mark == "run" or (mark.startswith("not run") and ":" in mark), f"{name}: {command}"


@pytest.mark.parametrize("command", [
    pytest.param(command, marks=pytest.mark.alone if "clock=tsc" in command else ())
    for _, mark, command in blocks() if mark == "run"])
def test_command_runs(command: str, built: Path, tmp_path: Path) -> None:
    """In a copy of the folder that has our build: the results of other runs stay."""
    for entry in ROOT.iterdir():
        if entry.name in ("tickbench", "run-qemu.sh"):
            shutil.copy(entry, tmp_path)  # these look for the rest where they themselves are
        elif entry.name not in ("build", ".git"):
            (tmp_path / entry.name).symlink_to(entry)
    build = tmp_path / "build"
    build.mkdir()
    for entry in built.iterdir():
        if entry.name not in ("run", "sim", "compare", "compare.html"):
            (build / entry.name).symlink_to(entry)
    if "report.json" in command:
        (build / "run").mkdir()
        runs = simulate.runs(built / "tickbench-sim", ["scenario=lock", "duration=1"])
        report.write({"schema": report.SCHEMA, "runs": runs}, build / "run" / "report.json")
    environment = {name: value for name, value in plain_environment().items() if name != "BUILD"}
    ended = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True,
                           timeout=240, env={**environment, "PATH": "/usr/bin:" + os.environ["PATH"]})
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_names_of_files_and_targets_exist() -> None:
    """A target, script or folder that a document names is there."""
    helped = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True,
                            env=plain_environment()).stdout
    targets = {line.split()[0] for line in helped.splitlines() if line.strip()}
    for path in DOCUMENTS:
        text = path.read_text()
        for target in re.findall(r"`make ([a-z]+)", text):
            assert target in targets, f"{path.name}: make {target}"
        for name in re.findall(r"`(?:\./)?((?:tests|docs|tk|vmclock|scenario|runner|boot)/[\w./-]*)`", text):
            assert (ROOT / name).exists(), f"{path.name}: {name}"

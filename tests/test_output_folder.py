# SPDX-License-Identifier: GPL-2.0-or-later
"""The output folder of a run: who may write to it, and what a full disk or an earlier run does to it. With a
fake QEMU."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

import fakes
from fakes import GOOD, RunQemu
from conftest import ROOT, plain_environment
from runner.errors import Problem


def test_an_output_folder_that_cannot_be_written(tmp_path: Path, run_fake: RunQemu) -> None:
    (tmp_path / "file").write_text("")
    ended = run_fake("exit 33", "--output", str(tmp_path / "file" / "run"))
    assert ended.status == 2
    assert Problem.OUTPUT_FOLDER.value in ended.stderr


def test_a_full_disk_is_told(tmp_path: Path, run_fake: RunQemu) -> None:
    full = tmp_path / "full"
    full.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(full)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs of 8 KiB")
    try:
        ended = run_fake("yes KTAP | head -c 100000; exit 33", "--output", str(full))
        assert ended.status == 2
        assert Problem.OUTPUT_FULL.value in ended.stderr
    finally:
        subprocess.run(["umount", str(full)], check=True)


def test_two_runs_do_not_share_an_output_folder(tmp_path: Path, fake_build: Path, run_fake: RunQemu) -> None:
    out, done = tmp_path / "same", tmp_path / "done"
    fakes.qemu(tmp_path, f"echo KTAP version 1; while [ ! -e {done} ]; do sleep 0.05; done; exit 0")
    first = subprocess.Popen(
        [str(ROOT / "run-qemu.sh"), "--accel", "tcg", "--qemu", str(tmp_path / "qemu"), "--no-page",
         "--output", str(out)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        env={**plain_environment(), "BUILD": str(fake_build), "TICKBENCH_SHM": str(tmp_path / "shm")})
    try:
        until = time.monotonic() + 60
        while not (out / "serial.log").exists() or not (out / "serial.log").stat().st_size:
            assert time.monotonic() < until and first.poll() is None
            time.sleep(0.02)
        second = subprocess.run(
            [str(ROOT / "run-qemu.sh"), "--accel", "tcg", "--qemu", str(tmp_path / "qemu"),
             "--output", str(out)], capture_output=True, text=True,
            env={**plain_environment(), "BUILD": str(fake_build)})
        assert second.returncode == 2
        assert f"another run writes its results to {out}" in second.stderr
        assert (out / "serial.log").read_text() == "KTAP version 1\n"
        done.touch()
        first.wait(60)
    finally:
        first.kill()
        first.wait()
    # The folder is free again.
    assert run_fake(fakes.serial(tmp_path, GOOD, 33), "--output", str(out)).status == 0


def test_the_runner_takes_folders_with_blanks(tmp_path: Path, run_qemu: RunQemu) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    fakes.build_folder(folder / "build")
    fakes.program(tmp_path / "qemu", f"#!/bin/sh\n[ \"$1\" = --version ] && echo '{fakes.VERSION}' && exit\n"
                                     f"cat {tmp_path}/text; exit 33\n")
    (tmp_path / "text").write_text(GOOD)
    ended = run_qemu("--accel", "tcg", "--no-page", "--qemu", str(tmp_path / "qemu"), "--output",
                     str(folder / "out"), build=folder / "build")
    assert ended.status == 0, ended.stderr


def test_an_earlier_runs_results_are_not_taken_for_this_ones(
    tmp_path: Path, run_fake: RunQemu
) -> None:
    out = tmp_path / "again"
    assert run_fake(fakes.serial(tmp_path, GOOD, 33), "--output", str(out)).status == 0
    assert run_fake("exit 1", "--output", str(out)).status == 2
    assert not (out / "report.json").exists()

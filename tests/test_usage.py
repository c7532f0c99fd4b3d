# SPDX-License-Identifier: GPL-2.0-or-later
"""Wrong usage is refused with its reason before anything starts. With a fake QEMU."""

from __future__ import annotations

from pathlib import Path

import pytest

import fakes
from fakes import GOOD, RunQemu
from runner.errors import CannotRun, Problem


@pytest.mark.parametrize("arguments", [
    ["scenario"], ["--nonsense"], ["--accel", "fast"], ["Scenario=lock"],
    ["--icount", "--accel", "kvm"], ["--publisher", "someone"], ["--timeout", "soon"],
    ["--timeout", "0"], ["--timeout", "-1"], ["--timeout", "nan"], ["--timeout", "inf"],
    ["--core", "linux:x", "hz=100", "+", "hz=250"],
])
def test_wrong_usage_is_told_before_anything_starts(
    tmp_path: Path, run_fake: RunQemu, arguments: list[str]
) -> None:
    ended = run_fake("exit 33", *arguments)
    assert ended.status == 2
    assert Problem.USAGE.value in ended.stderr
    assert not (tmp_path / "qemu.pid").exists()


def test_a_value_or_a_line_that_the_guest_would_cut_is_refused(tmp_path: Path, run_fake: RunQemu) -> None:
    kept = run_fake(fakes.serial(tmp_path, GOOD, 33), "seed=" + "0" * 126 + "7")
    assert kept.status == 0, kept.stderr
    (tmp_path / "qemu.pid").unlink()
    for arguments, words in [(["seed=" + "0" * 126 + "77"], "the value of seed is longer than 127"),
                             (["seed=" + "0" * 120] * 17, "together are longer than 2047")]:
        ended = run_fake("exit 33", *arguments)
        assert ended.status == 2
        assert words in ended.stderr and Problem.USAGE.value in ended.stderr
        assert not (tmp_path / "qemu.pid").exists()


def test_errors_say_what_to_do() -> None:
    for problem in Problem:
        assert len(CannotRun(problem, "x").words()) > len("tickbench: x: ")

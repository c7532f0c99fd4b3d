# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenario `publish`: the line that a host's core publishes by the rule of /dev/vmclock_host, and a guest's core
on it, held to what was measured of the same rule before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from liftable import Kernel, lifted
from runner import simulate

NO_JUMP = "the exact line does not jump while the clock slews"


def published(program: Path, *words: str) -> dict[str, Any]:
    (run,) = simulate.runs(program, ["scenario=publish", "samples=0", *words])
    return run


def failed(run: dict[str, Any]) -> set[str]:
    return {claim["sentence"] for claim in run["claims"] if not claim["ok"]}


@pytest.mark.parametrize("switches, jump_ns", [
    # A sixteenth of 10 us; without `remainder`, half a second of 64.6 ns/s less.
    ("remainder,clawback,reference,feed", 625.0), ("clawback", 593.4), ("remainder,clawback,skew", 0.0), ("all", 0.0)])
def test_the_exact_line_jumps_by_the_seconds_share_without_skew(built: Path, switches: str, jump_ns: float) -> None:
    run = published(built / "tickbench-sim", f"switches={switches}")
    assert run["metrics"]["exact_jump_max_ns"] == pytest.approx(jump_ns, abs=0.05)
    assert (NO_JUMP in failed(run)) is (jump_ns > 0)


def test_a_line_in_whole_ns_jumps_by_what_is_cut_and_its_guest_is_as_far_off(built: Path) -> None:
    metrics = published(built / "tickbench-sim")["metrics"]
    assert 1 < metrics["whole_jump_max_ns"] < 3
    assert 0 < metrics["host_going_ns"] - metrics["whole_slewed_ns"] < 3
    assert metrics["exact_slewed_ns"] == pytest.approx(metrics["host_going_ns"], abs=0.2)


def test_a_frequency_is_followed_and_a_short_run_is_refused(built: Path) -> None:
    run = published(built / "tickbench-sim", "duration=61")
    assert run["skipped"] == "the duration is below 61.51 s"


@pytest.mark.parametrize("release, jump_ns", [("7.2", 593.4), ("7.3", 0.0)])
def test_a_kernels_own_core_publishes_as_the_native_one_at_its_stage(release: str, jump_ns: float) -> None:
    program = lifted(Kernel(release), 1000, "tickbench-sim").folder / "tickbench-sim"
    run = published(program, "core=linux")
    assert run["metrics"]["exact_jump_max_ns"] == pytest.approx(jump_ns, abs=0.05)
    assert (NO_JUMP in failed(run)) is (jump_ns > 0)

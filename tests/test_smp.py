# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenario smp: a second CPU reads every clock while the first one ticks, in both vehicles and both ways in;
and what it finds where a core changes its sequence count in the wrong order. Assumes two CPUs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Ended, need
from liftable import Kernel, lifted, simulate
from runner.errors import CannotRun
from runner.guest import firmware
from runner.lift import kbuild
from runner.lift.detect import TIMEKEEPING
from runner.lift.kbuild import Variant
from variants import Edit, Varied

STATE_TORN = "no reading of a second CPU is torn while the first one ticks"
TORN = "no reading of any clock is torn, on whichever CPU"
BACK = "no clock goes back for a reader, nor from one CPU to the other"
# A run that fails ends at its first wrong reading: so much is only taken where nothing is found.
FOUND = "duration=60"
# What readers look at changes after what it is to guard.
LATE_COUNT: tuple[Edit, ...] = (
    (TIMEKEEPING, r"\bwrite_seqcount_begin\((&tkd->seq)\);", ""),
    (TIMEKEEPING, r"\bwrite_seqcount_end\((&tkd->seq)\);", r"write_seqcount_begin(\1); write_seqcount_end(\1);"))


def runs_of(ended: Ended) -> list[dict[str, Any]]:
    assert ended.status == 0, ended.stdout + ended.stderr
    runs: list[dict[str, Any]] = json.loads((ended.output / "report.json").read_text())["runs"]
    return runs


def check(run: dict[str, Any]) -> None:
    claims = {claim["sentence"]: claim["ok"] for claim in run["claims"]}
    assert claims[TORN] and claims[BACK], claims
    # Both did something: the second CPU read, and the first one ticked meanwhile.
    assert run["metrics"]["reads_second_cpu"] >= 1000 and run["metrics"]["ticks"] > 10


def test_the_guest_starts_a_second_cpu_in_each_run(built: Path, run_qemu: Callable[..., Ended]) -> None:
    """Twice on one boot: it is started, ends, and is started again."""
    virtual, real = runs_of(run_qemu("--accel", "tcg", "scenario=smp", "clock=virtual", "duration=0.3", "+",
                                     "scenario=smp", "clock=tsc", "duration=0.3"))
    check(virtual)
    check(real)
    # An emulator's CPUs have one counter: 0 is between the bounds, and these are not both 0.
    low, high = (real["metrics"][f"second_tsc_{bound}_ns"] for bound in ("low", "high"))
    assert low <= 0 <= high and low < high


def test_so_it_does_when_booted_by_uefi(built: Path, run_qemu: Callable[..., Ended]) -> None:
    need("qemu-system-x86_64", "qemu-system-x86")
    try:
        firmware.ovmf()
    except CannotRun as error:
        pytest.skip(str(error))
    (run,) = runs_of(run_qemu("--accel", "tcg", "--boot", "uefi", "scenario=smp", "clock=virtual", "duration=0.3"))
    check(run)


def test_a_machine_with_one_cpu_is_skipped_with_the_reason(built: Path, run_qemu: Callable[..., Ended]) -> None:
    ended = run_qemu("--accel", "tcg", "scenario=smp", "clock=virtual", "duration=0.3", "--", "-smp", "1")
    assert ended.status == 4, ended.stdout + ended.stderr
    assert "# SKIP the machine has one CPU" in ended.serial


def test_no_kernel_tears_a_reading(kernel: Kernel) -> None:
    lines = simulate(lifted(kernel, 1000, "tickbench-sim").folder, "scenario=smp", "readings=200000")
    assert any(line.endswith(TORN) and line.startswith("ok") for line in lines), lines
    assert any(line.endswith(BACK) and line.startswith("ok") for line in lines), lines


def test_a_count_that_a_kernel_changes_too_late_is_found(tmp_path_factory: pytest.TempPathFactory) -> None:
    varied = Varied(Kernel("7.3"), tmp_path_factory.mktemp("v7.3"))
    folder = varied.lifted(*LATE_COUNT, programs=("tickbench-sim",)).folder
    ended = subprocess.run([str(folder / "tickbench-sim"), "core=linux", "scenario=smp", FOUND],
                           capture_output=True, text=True, timeout=100)
    assert ended.returncode == 1, ended.stdout
    # Which reading meets it first is chance: that of the whole state, or of a clock.
    found = (f"not ok 3 {STATE_TORN}", f"not ok 5 {TORN}", f"not ok 6 {BACK}")
    assert any(f"    {each}" in ended.stdout for each in found), ended.stdout


def test_a_kernel_for_several_cpus_has_its_locks_and_barriers(built: Path) -> None:
    """7.3's user mode can have several CPUs; 6.1's cannot, and is refused with the way out."""
    done = lifted(Kernel("7.3"), 1000, "tickbench-sim", smp=True)
    symbols = subprocess.run(["nm", str(done.folder / "wrap_timekeeping.o")], check=True, capture_output=True,
                             text=True)
    assert "U _raw_spin_lock_irqsave" in symbols.stdout  # for one CPU a lock is nothing
    lines = simulate(done.folder, "scenario=smp,told", "readings=200000")
    assert any(line.endswith(TORN) and line.startswith("ok") for line in lines), lines
    assert not any(line.startswith("not ok") for line in lines), lines


def test_a_kernel_whose_user_mode_has_one_cpu_is_refused_for_several(tmp_path: Path) -> None:
    """allnoconfig drops the option where the tree's user mode does not know it."""
    (tmp_path / ".config").write_text("CONFIG_64BIT=y\nCONFIG_HZ=100\n")
    with pytest.raises(CannotRun, match="cannot be configured with SMP") as caught:
        kbuild._check_config(tmp_path, tmp_path, Variant("um", 1000, True, smp=True))
    assert "the guest can" in caught.value.words()

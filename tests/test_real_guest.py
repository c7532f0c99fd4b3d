# SPDX-License-Identifier: GPL-2.0-or-later
"""run-qemu.sh with the real guest: by each boot path and accelerator, two at once, and how real failures end.
Afterwards no process and no file is left. Assumes QEMU; KVM only where a test says so."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT, Ended, need_kvm, plain_environment, processes_of
from runner import simulate
from runner.errors import Problem
from runner.guest import accel, firmware, qemu
from runner.report import report

RunQemu = Callable[..., Ended]
VIRTUAL = ("clock=virtual", "scenario=lock", "duration=100")


@pytest.fixture
def shm(tmp_path: Path) -> Path:
    made = tmp_path / "shm"
    made.mkdir()
    return made


@pytest.fixture
def real(built: Path, shm: Path, run_qemu: RunQemu) -> RunQemu:
    """run-qemu.sh with the real guest; afterwards no process and no file may be left."""

    def run(*arguments: str) -> Ended:
        ended = run_qemu(*arguments, build=built, env={"TICKBENCH_SHM": str(shm)})
        assert not list(shm.iterdir()), "a page is left in shared memory"
        assert not processes_of(shm), "a process is left"
        return ended

    return run


@pytest.mark.parametrize("way", ["pvh", "uefi"])
def test_both_boot_paths_give_the_same_figures(real: RunQemu, built: Path, way: str) -> None:
    ended = real("--accel", "tcg", "--boot", way, *VIRTUAL)
    assert ended.status == 0, ended.stderr
    (run,) = report.read(ended.output / "report.json")["runs"]
    (other,) = simulate.runs(built / "tickbench-sim", ["scenario=lock", "duration=100"])
    assert run["boot"] == way
    assert run["metrics"] == other["metrics"]


@pytest.mark.alone
def test_kvm_boots_ticks_and_follows_the_page(real: RunQemu) -> None:
    need_kvm()
    ended = real("--accel", "kvm", "clock=tsc", "hz=100", "scenario=lock", "duration=3")
    assert ended.status in (0, 1), ended.stderr
    (run,) = report.read(ended.output / "report.json")["runs"]
    assert run["tick"] == "tsc-deadline"
    assert run["metrics"]["backwards"] == 0
    # Ticks come late where KVM interprets, but they come, and the page is followed.
    assert run["metrics"]["ticks"] > 100
    assert run["metrics"]["max_abs_ns"] < 1000


def test_firmware_that_kvm_cannot_run_ends_with_a_sentence(real: RunQemu, built: Path) -> None:
    need_kvm()
    found = accel.measure(qemu.find(None).path, firmware.qboot(), built / "probe.elf")
    if not found.reason:
        pytest.skip("KVM here is fast, and runs any firmware")
    ended = real("--accel", "kvm", "--boot", "uefi", *VIRTUAL)
    assert ended.status == 2
    assert Problem.KVM_INTERNAL_ERROR.value in ended.stderr


@pytest.mark.parametrize("fault", ["ud", "pf", "gp", "df"])
def test_a_guest_that_faults_shows_its_registers(real: RunQemu, fault: str) -> None:
    ended = real("--accel", "tcg", f"fault={fault}", *VIRTUAL)
    assert ended.status == 2
    assert Problem.GUEST_FAULT.value in ended.stderr
    assert "rip" in ended.stderr.lower()


def test_a_guest_that_hangs_is_given_up(real: RunQemu) -> None:
    ended = real("--accel", "tcg", "--timeout", "3", "hang=1", *VIRTUAL)
    assert ended.status == 2
    assert Problem.GUEST_STALLED.value in ended.stderr or Problem.GUEST_SILENT.value in ended.stderr


@pytest.mark.parametrize("word", [
    "scenario=none", "hz=0", "hz=10001", "counter_hz=1", "counter_hz=1099511627776",
    "nonsense=1", "core=other", "switches=most", "clock=sun"])
def test_a_bad_parameter_is_named_by_the_guest(real: RunQemu, word: str) -> None:
    ended = real("--accel", "tcg", word)
    assert ended.status == 2, ended.stdout
    assert Problem.GUEST_BAILED.value in ended.stderr
    assert word.split("=")[1] in ended.stderr


def test_no_page_is_a_skip_with_its_reason(real: RunQemu) -> None:
    ended = real("--accel", "tcg", "--no-page", "clock=tsc", "scenario=lock", "duration=1")
    assert ended.status == 4, ended.stdout + ended.stderr
    assert "skipped" in ended.stdout


def test_a_page_that_the_guest_cannot_use_is_refused_with_the_reason(real: RunQemu, tmp_path: Path) -> None:
    from pagetool import Page

    page = Page(version=9).write(tmp_path / "page", 2 << 20)
    ended = real("--accel", "tcg", "--page", str(page), "clock=tsc", "scenario=lock", "duration=1")
    assert ended.status == 4, ended.stdout + ended.stderr
    (run,) = report.read(ended.output / "report.json")["runs"]
    assert "version" in run["skipped"]


def test_two_counted_runs_are_the_same(real: RunQemu) -> None:
    first, second = (real("--icount", "clock=tsc", "hz=250", "scenario=lock", "duration=1")
                     for _ in range(2))
    assert first.status == second.status == 0, first.stdout + first.stderr
    assert first.serial == second.serial
    assert ((first.output / "samples.bin").read_bytes()
            == (second.output / "samples.bin").read_bytes())


def test_two_runs_at_once_do_not_meet(built: Path, tmp_path: Path, shm: Path) -> None:
    children = [
        subprocess.Popen([str(ROOT / "run-qemu.sh"), "--accel", "tcg", "--output",
                          str(tmp_path / f"out{number}"), *VIRTUAL],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                         env={**plain_environment(), "BUILD": str(built), "TICKBENCH_SHM": str(shm)})
        for number in range(2)]
    try:
        ended = [child.communicate(timeout=100)[1] for child in children]
        assert [child.returncode for child in children] == [0, 0], ended
    finally:
        for child in children:
            child.terminate() if child.poll() is None else None
    assert not list(shm.iterdir())


@pytest.mark.parametrize("growth", [1, 0])
def test_a_line_whose_publisher_has_stopped_is_a_failed_claim(
    real: RunQemu, tmp_path: Path, growth: int
) -> None:
    """A line that states no growth of its error is a static page's, and holds without end."""
    from pagetool import Page

    page = Page(counter_value=0, flags=1 | 1 << 4, period_maxerror=growth).write(
        tmp_path / "page", 2 << 20)
    ended = real("--accel", "tcg", "--page", str(page), "scenario=lock", "clock=tsc", "counter_hz=1000000000",
                 "duration=8")
    assert ("its publisher has stopped" in ended.serial) == bool(growth)
    taken = re.search(r"^ *(not )?ok \d+ every line of the page is taken", ended.serial, re.M)
    assert taken and bool(taken[1]) == bool(growth), ended.serial
    assert not growth or ended.status == 1

# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job, end to end, with the real guest: what `make run` prints and leaves behind, by each
boot path and accelerator, and how real failures end. Assumes QEMU; KVM only where it says so."""

from __future__ import annotations

import os
import re
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT, Ended, need_kvm, plain_environment
from runner import simulate
from runner.errors import Problem
from runner.guest import accel, firmware, qemu
from runner.report import report, samples

RunQemu = Callable[..., Ended]
VIRTUAL = ("clock=virtual", "scenario=lock", "duration=100")


def qemus_of(folder: Path) -> list[str]:
    """Processes whose command line names a folder of ours."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and (b"qemu-system" in words or b"vmclock-host" in words):
            found.append(words.replace(b"\0", b" ").decode(errors="replace"))
    return found


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
        assert not qemus_of(shm), "a process is left"
        return ended

    return run


@pytest.mark.alone
def test_make_run_measures_and_reports(
    built: Path, tmp_path: Path, shm: Path
) -> None:
    ended = subprocess.run(
        ["make", "-C", str(ROOT), f"BUILD={built}", "run", f"ARGS=--output {tmp_path}/out"],
        capture_output=True, text=True, timeout=120,
        env={**plain_environment(), "TICKBENCH_SHM": str(shm)})
    out = tmp_path / "out"
    assert (out / "report.json").exists(), ended.stderr
    document = report.read(out / "report.json")
    clocks = [run["clock"] for run in document["runs"]]
    assert clocks.count("tsc") == 2 and clocks.count("virtual") >= 6
    assert all(run["accel"] in ("kvm", "tcg") and run["boot"] == "pvh" for run in document["runs"])
    records = samples.read(out / "samples.bin")
    assert len(records) == len(document["runs"])
    assert all(record.whole and len(record.error_ns) for record in records)
    assert (out / "error.png").read_bytes().startswith(b"\x89PNG")
    # The virtual clock leaves nothing to a busy machine: there every claim must hold.
    failed = [run["scenario"] for run in document["runs"]
              if run["clock"] == "virtual" and not run["ok"]]
    assert not failed, ended.stdout
    assert not list(shm.iterdir()) and not qemus_of(shm)


@pytest.mark.parametrize(("goal", "variable"), [
    ("run", "SCENARO=lock"), ("sim", "BOOT=uefi"), ("test", "TEST=tests/test_ktap.py"), ("image", "COMMAND=x"),
    ("soak", "TICK=1000"), ("ladder", "MARKDWON=x"), ("bench", "TREE=x")])
def test_make_refuses_a_variable_that_it_does_not_know(goal: str, variable: str, tmp_path: Path) -> None:
    ended = subprocess.run(["make", "-C", str(ROOT), f"BUILD={tmp_path}", "-n", goal, variable],
                           capture_output=True, text=True, env=plain_environment())
    assert ended.returncode == 2 and f"unknown: {variable.split('=')[0]}" in ended.stderr


def test_make_says_that_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = subprocess.run(["make", "-C", str(ROOT), f"BUILD={tmp_path}/file/build", "run"],
                           capture_output=True, text=True, env=plain_environment())
    assert ended.returncode == 2
    assert "cannot write to the folder" in ended.stderr and "BUILD=FOLDER" in ended.stderr


def test_make_sim_prints_the_table_of_all_scenarios(built: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        ["make", "-C", str(ROOT), f"BUILD={built}", "sim", "DURATION=60",
         f"ARGS=--output {tmp_path}"],
        capture_output=True, text=True, timeout=120, env=plain_environment())
    assert ended.returncode == 0, ended.stdout + ended.stderr
    runs = report.read(tmp_path / "report.json")["runs"]
    assert len(runs) >= 6 and all(run["vehicle"] == "sim" for run in runs)
    assert " lock " in ended.stdout and "runs passed" in ended.stdout


def test_make_sim_says_only_what_the_program_does_of_a_wrong_option(built: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        ["make", "-s", "-C", str(ROOT), f"BUILD={built}", "sim", f"ARGS=--output {tmp_path} bogus=1"],
        capture_output=True, text=True, timeout=120, env=plain_environment())
    assert ended.returncode == 2 and not ended.stdout
    assert "bogus=1: there is no such parameter" in ended.stderr and "KTAP" not in ended.stderr


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


def test_a_page_that_is_not_one_is_refused_with_the_reason(real: RunQemu, tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_bytes(bytes(2 << 20))
    ended = real("--accel", "tcg", "--page", str(page), "clock=tsc", "scenario=lock", "duration=1")
    assert ended.status == 4, ended.stdout + ended.stderr
    (run,) = report.read(ended.output / "report.json")["runs"]
    assert "magic" in run["skipped"]


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


def test_setup_is_silent_and_quick_when_nothing_is_missing() -> None:
    # Of the processor, as other tests run beside it.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run([str(ROOT / "setup.sh"), "run"], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if ended.returncode:
        pytest.skip("packages are missing: " + ended.stderr)
    assert ended.stdout + ended.stderr == ""
    assert took < 1.0


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


def test_a_narrow_counter_has_the_same_drift_as_a_wide_one(built: Path) -> None:
    coarse = ["scenario=lock", "switches=reference,feed", "counter_hz=3579545", "hz=100", "duration=60"]
    # The two differ in mult and shift, not in the time that the drift is over.
    narrow, wide = (simulate.runs(built / "tickbench-sim", [*coarse, f"counter_bits={bits}"])[0]["metrics"]
                    ["drift_ns_per_s"] for bits in (24, 64))
    assert abs(narrow - wide) < 0.01 * abs(wide) and abs(wide) > 1000

# SPDX-License-Identifier: GPL-2.0-or-later
"""A lifted core is the kernel's own source and nothing else, and it measures the same in every vehicle.
Assumes kernels from Debian (tests/liftable.py); a test whose kernel cannot be had is skipped and names it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT, Ended, build_path, plain_environment
from liftable import Kernel, NEWEST, SOURCES, UM, lifted, metric, replace, sha256, simulate
from runner.lift import detect, lift
from runner.lift.kbuild import Variant

OLDEST_FIXED = Kernel("7.2")


def test_the_report_names_the_sources_that_are_in_the_program(kernel: Kernel) -> None:
    done = lifted(kernel, 1000)
    said = subprocess.run([str(done.folder / "tickbench-sim"), "core=linux", "scenario=lock",
                           "duration=1"], capture_output=True, text=True).stdout
    for name, source in (("timekeeping_sha256", SOURCES[0]), ("ntp_sha256", SOURCES[1])):
        expected = sha256((done.tree.path / source).read_bytes())
        assert f"# param {name} {expected}\n" in said
    assert f"# param kernel {done.tree.kernel}\n" in said


def test_the_object_defines_the_core_and_nothing_else(kernel: Kernel) -> None:
    names = subprocess.run(["nm", "-g", "--defined-only", str(lifted(kernel, 1000).folder / "linux.o")],
                           capture_output=True, text=True, check=True).stdout.split()[2::3]
    assert names == ["tk_linux"]


def test_a_core_starts_afresh_in_the_same_process(kernel: Kernel) -> None:
    once = ["scenario=slew", "duration=20"]
    lines = simulate(lifted(kernel, 1000).folder, *once, "+", *once, "core=linux")
    first, second = lines[:len(lines) // 2], lines[len(lines) // 2:]
    number = re.compile(r"^((?:not )?ok) \d+")
    assert [number.sub(r"\1", line) for line in first] == [number.sub(r"\1", line) for line in second]


def test_without_nohz_it_measures_the_same() -> None:
    periodic = lift.lift(NEWEST.word, Variant("um", 1000, False), build_path())
    same = ["scenario=lock", "duration=20"]
    assert simulate(periodic.folder, *same) == simulate(lifted(NEWEST, 1000).folder, *same)


def guest_agrees(kernel: Kernel, hz: int, run_qemu: Callable[..., Ended], built: Path) -> None:
    lifted(kernel, hz, arch="x86")
    scenarios = "lock,slew,nohz,freq"
    host = simulate(lifted(kernel, hz).folder, f"hz={hz}", f"scenario={scenarios}",
                    "duration=20")
    ended = run_qemu("--accel", "tcg", "--no-page", "--core", f"linux:{kernel.word}", "clock=virtual",
                     f"hz={hz}", f"scenario={scenarios}", "duration=20", build=built)
    guest = [line.strip() for line in ended.serial.splitlines()
             if "# metric" in line or "ok " in line]
    assert len(host) > 40
    assert guest == host


def test_guest_and_host_process_agree_to_the_last_digit(
    kernel: Kernel, run_qemu: Callable[..., Ended], built: Path,
) -> None:
    guest_agrees(kernel, 1000, run_qemu, built)


@pytest.mark.parametrize("hz", [100, 250])
def test_guest_and_host_process_agree_at_other_hz(
    hz: int, run_qemu: Callable[..., Ended], built: Path
) -> None:
    guest_agrees(NEWEST, hz, run_qemu, built)


def test_sim_lifts_for_the_hz_that_it_is_asked_for(built: Path, tmp_path: Path) -> None:
    lifted(NEWEST, 250)
    done = subprocess.run(
        ["make", "-s", "-C", str(ROOT), f"BUILD={build_path()}", "sim", f"LINUX={NEWEST.word}", "HZ=250",
         "SCENARIO=lock", "DURATION=10", f"ARGS=--output {tmp_path}"],
        env=plain_environment(), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# param hz 250\n" in (tmp_path / "serial.log").read_text()


@pytest.mark.parametrize("rate", ["12.345678", "-345.678"])
def test_7_3_stays_on_the_line(rate: str) -> None:
    lines = simulate(lifted(NEWEST, 1000).folder, "scenario=lock", f"rate_ppm={rate}")
    # One mult step over one tick at 2596.146 MHz is 0.155 ns.
    assert metric(lines, "max_abs_ns") <= 0.16
    assert abs(metric(lines, "drift_ns_per_s")) < 0.001


def test_7_2_drifts_by_the_remainder_it_keeps_subtracting() -> None:
    lines = simulate(lifted(OLDEST_FIXED, 1000).folder, "scenario=lock", "rate_ppm=12.345678")
    assert metric(lines, "drift_ns_per_s") == pytest.approx(64.60, abs=0.05)


# The first and the second version of the series differ by a field.
REFERENCE_HEADER = """
struct tk_reference {
	enum clocksource_ids cs_id;
	u8 period_shift;
	u64 counter_value, period_frac_sec, time_sec, time_frac_sec FIELD;
};
int timekeeping_set_reference(const struct tk_reference *ref);
"""
# Steps to the line's own second, and so shows that it was called, and with what.
REFERENCE_FUNCTION = """
int timekeeping_set_reference(const struct tk_reference *ref)
{
	struct timespec64 ts = { .tv_sec = ref->time_sec };

	if (CONDITION ref->cs_id != tk_core.timekeeper.tkr_mono.clock->id || ref->cs_id == CSID_GENERIC)
		return -EINVAL;
	return do_settimeofday64(&ts);
}
"""


@pytest.mark.parametrize(("field", "condition"), [
    ("", ""), (", cycle_interval", "ref->cycle_interval != tk_core.timekeeper.cycle_interval ||")])
def test_a_tree_that_can_follow_a_line_does_so_by_itself(
    checkout: Path, scratch: Path, field: str, condition: str
) -> None:
    (checkout / detect.REFERENCE_HEADER).write_text(REFERENCE_HEADER.replace("FIELD", field))
    replace(checkout / detect.TIMEKEEPING, "#include <linux/timekeeper_internal.h>\n",
            "#include <linux/timekeeper_internal.h>\n#include <linux/timekeeping_reference.h>\n")
    with (checkout / detect.TIMEKEEPING).open("a") as file:
        file.write(REFERENCE_FUNCTION.replace("CONDITION", condition))
    done = lift.lift(str(checkout), UM, scratch)
    assert "REFERENCE" in done.stage.switches
    lines = simulate(done.folder, "scenario=lock", "duration=5", "rate_ppm=12.345678")
    # Taken, but its frequency was not followed: 12.345678 ppm too fast, as this function leaves it.
    assert any("the core takes the page's line" in line and line.startswith("ok") for line in lines)
    assert metric(lines, "drift_ns_per_s") == pytest.approx(-12345.678, rel=0.01)

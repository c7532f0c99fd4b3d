# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest by itself, booted by PVH under TCG, without runner and publisher: what it says and how it
ends. Assumes QEMU; a test that needs KVM skips where there is none."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import need, need_kvm
from runner.guest import firmware
from runner.report import samples

PASSED, FAILED, CANNOT_RUN, SKIPPED, FAULT = (code << 1 | 1 for code in (0x10, 0x11, 0x12, 0x14, 0x1f))
PAGE_ADDRESS = 0x200000000
TCG = ("-accel", "tcg")
KVM = ("-accel", "kvm", "-cpu", "host,-arch-capabilities")
# One nanosecond an instruction, and a TSC that counts them.
ICOUNT = (*TCG, "-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm")
SECONDS = 60


@dataclass(frozen=True)
class Run:
    status: int
    serial: str
    samples: Path

    def metric(self, name: str) -> float:
        found = re.search(rf"# metric {name} (\S+)", self.serial)
        assert found, self.serial
        return float(found.group(1))

    def param(self, name: str) -> str:
        found = re.search(rf"# param {name} (\S+)", self.serial)
        assert found, self.serial
        return found.group(1)


def line_page(hz: int) -> bytes:
    """A vmclock page whose line has the counter at 0 on 2026-01-01, UTC."""
    shift = hz.bit_length() - 1
    return struct.pack("<IIHBBIQQ2xBBhBBQQQQQQQQQ", 0x4b4c4356, 4096, 1, 1, 0, 2, 1, 1 << 7, 2, 0, 0,
                       0, shift, 0, (1 << (64 + shift)) // hz, 0, 0, 1767225600, 0, 0, 0, 0)


Boot = Callable[..., Run]


@pytest.fixture
def boot(built: Path, tmp_path: Path) -> Boot:
    """Boots the guest with a command line. `page`: what stands in a page where ACPI says it is;
    `table`: another ACPI table; `serial`: false for a machine without a port."""
    qemu = need("qemu-system-x86_64", "qemu-system-x86")

    def run(line: str, *extra: str, accel: tuple[str, ...] = TCG, page: bytes | None = None,
            table: Path | None = None, serial: bool = True) -> Run:
        args = [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-M", "q35", "-m", "128M,slots=1,maxmem=16G", *accel,
                "-bios", str(firmware.qboot()), "-kernel", str(built / "tickbench.elf"),
                "-append", line, "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                "-chardev", f"file,id=samples,path={tmp_path / 'samples'}",
                "-device", "isa-debugcon,iobase=0xe9,chardev=samples",
                "-serial", "stdio" if serial else "none", *extra]
        if page is not None:
            (tmp_path / "page").write_bytes(page.ljust(2 << 20, b"\0"))
            args += ["-object", "memory-backend-file,share=on,size=2M,id=vc,mem-path="
                     f"{tmp_path / 'page'}", "-device", f"pc-dimm,memdev=vc,addr={PAGE_ADDRESS:#x}"]
        if page is not None or table:
            args += ["-acpitable", f"file={table or built / 'vmclock.aml'}"]
        ended = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        assert b"qemu-system" not in ended.stderr, ended.stderr
        return Run(ended.returncode, ended.stdout.decode().replace("\r\n", "\n"),
                   tmp_path / "samples")

    return run


def table_at(built: Path, folder: Path, base: int) -> Path:
    """The table that QEMU is given, with the page elsewhere."""
    made = folder / "elsewhere.aml"
    table = bytearray((built / "vmclock.aml").read_bytes())
    for old, new in ((PAGE_ADDRESS, base), (PAGE_ADDRESS + 0xfff, base + 0xfff)):
        at = table.index(struct.pack("<Q", old))
        table[at:at + 8] = struct.pack("<Q", new)
    table[9] = 0
    table[9] = -sum(table) & 0xff
    made.write_bytes(table)
    return made


def test_a_virtual_run_passes_and_says_what_it_ran_on(boot: Boot) -> None:
    run = boot("scenario=lock duration=2")
    assert run.status == PASSED, run.serial
    assert run.serial.startswith("KTAP version 1\n1..1\n# tickbench, booted by PVH\n")
    assert "# cpu: " in run.serial and "# hypervisor: TCG" in run.serial
    assert run.serial.endswith("\nok 1 lock\n")


@pytest.mark.parametrize(("word", "said"), [
    ("ud", "# fault: invalid opcode, vector 6"),
    ("pf", "# it was a write of 0000123456789000, which is not mapped"),
    ("gp", "# fault: general protection fault, vector 13"),
    ("df", "# fault: double fault, vector 8"),
    ("de", "# fault: divide error, vector 0"),
    ("int", "# fault: unexpected interrupt, vector 40"),
])
def test_a_fault_dumps_the_registers_and_ends_with_its_own_status(
    word: str, said: str, boot: Boot, built: Path
) -> None:
    run = boot(f"scenario=lock fault={word}")
    assert run.status == FAULT, run.serial
    assert said in run.serial
    assert "Bail out! fault: " in run.serial
    for register in ("rip", "cr2", "rsp", "r15"):
        assert re.search(rf"\b{register} +[0-9a-f]{{16}}\b", run.serial)
    # The instruction that did it, and on the stack who called that.
    found = re.search(r"# rip ([0-9a-f]{16})", run.serial)
    assert found
    where = int(found[1], 16)
    symbols = sorted((int(address, 16), name) for address, _, name in (
        line.split() for line in subprocess.run(
            [need("nm", "binutils"), str(built / "tickbench.elf")], check=True,
            capture_output=True, text=True).stdout.splitlines() if len(line.split()) == 3))
    function = [name for address, name in symbols if address <= where][-1]
    assert function in ("fault_provoke", "kernel_main")
    assert re.search(r"#   0000000000[0-9a-f]{6}\n", run.serial)


@pytest.mark.parametrize(("line", "said"), [
    ("scenario=nonsense", "there is no such scenario"),
    ("core=nonsense", "no such core"),
    ("hz=0", "hz=0: outside"),
    ("hz=10001", "outside"),
    ("counter_hz=0", "counter_hz=0: outside"),
    ("counter_hz=1099511627776", "outside"),
    ("nonsense=1", "nonsense=1: there is no such parameter"),
    ("nonsense", "nonsense: there is no such parameter"),
    ("hz=abc", "hz=abc: not a number"),
    ("clock=sundial", "not one of the words"),
    # Nothing runs if a later experiment is wrong.
    ("scenario=lock duration=1 + hz=0", "hz=0: outside"),
    ("scenario=lock fault=nonsense", "no such fault"),
    ("scenario=lock duration=1 + clock=tsc scenario=lock tick=deadline", "the CPU has no TSC-deadline timer"),
])
def test_a_bad_parameter_is_named_and_nothing_runs(line: str, said: str, boot: Boot) -> None:
    run = boot(line)
    assert run.status == CANNOT_RUN, run.serial
    assert run.serial.startswith("KTAP version 1\n")
    bail = run.serial.splitlines()[-1]
    assert bail.startswith("Bail out! ") and said in bail
    assert "# Subtest" not in run.serial


def test_a_hung_guest_says_nothing(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.SECONDS", 2)
    with pytest.raises(subprocess.TimeoutExpired) as ended:
        boot("scenario=lock hang=1")
    assert not ended.value.stdout


def test_two_counted_runs_on_the_real_clock_are_identical(boot: Boot) -> None:
    line = "clock=tsc scenario=lock duration=0.3 hz=1000"
    first = boot(line, accel=ICOUNT, page=line_page(1000012345))
    shipped = first.samples.read_bytes()
    second = boot(line, accel=ICOUNT, page=line_page(1000012345))
    assert first.status == PASSED, first.serial
    assert first.serial == second.serial
    assert shipped == second.samples.read_bytes()


@pytest.mark.parametrize("hz", [100, 250, 1000])
def test_ticks_come_at_their_rate(hz: int, boot: Boot) -> None:
    run = boot(f"clock=tsc scenario=lock duration=0.4 hz={hz}", accel=ICOUNT, page=line_page(10**9))
    assert run.status == PASSED, run.serial
    assert run.param("tick") == "lapic-oneshot"
    # The window begins between two ticks, so one more or less.
    assert abs(run.metric("ticks") - 0.4 * hz) <= 1
    # No interrupt is held off for longer than some thousand instructions, each a nanosecond.
    assert run.metric("late_tick_max_us") < 100
    assert 1e6 / hz - 100 < run.metric("tick_gap_max_us") < 1e6 / hz + 100


def test_tickless_leaves_out_ticks_but_keeps_time(boot: Boot) -> None:
    run = boot("clock=tsc scenario=lock duration=1 hz=1000 tickless=1", accel=ICOUNT,
               page=line_page(10**9))
    assert run.status == PASSED, run.serial
    # One of 1 to 10 with equal chances: 1000 / 5.5 = 182, with a deviation of 7.
    assert 150 < run.metric("ticks") < 215
    assert run.metric("backwards") == 0


def test_samples_leave_as_one_record_a_run(boot: Boot) -> None:
    run = boot("clock=tsc scenario=lock duration=0.2 + scenario=lock duration=2",
               accel=ICOUNT, page=line_page(10**9))
    records = samples.parse(run.samples.read_bytes())
    assert [record.scenario for record in records] == ["lock", "lock"]
    assert [record.run for record in records] == [0, 1]
    # All of the virtual run's ticks, and in order.
    assert len(records[1].seconds) == 2000
    assert (records[1].seconds[1:] > records[1].seconds[:-1]).all()
    assert abs(records[1].error_ns).max() == pytest.approx(
        float(re.findall(r"max_abs_ns (\S+)", run.serial)[1]), abs=1e-6)


def test_samples_can_be_left_where_they_are(boot: Boot) -> None:
    run = boot("scenario=lock duration=1 samples=0")
    assert run.status == PASSED
    assert run.samples.read_bytes() == b""


def test_without_a_page_locking_is_skipped_with_the_reason(boot: Boot) -> None:
    run = boot("clock=tsc scenario=lock duration=1")
    assert run.status == SKIPPED, run.serial
    assert "# vmclock: none: no ACPI device has that id" in run.serial
    assert "# SKIP" in run.serial


@pytest.mark.parametrize(("base", "said"), [
    (0x300000000, "vmclock says: this is not a vmclock page"),  # nothing there: all ones
    (1 << 40, "the address is wider than this CPU's physical addresses"),
    (1 << 52, "the address is wider than this CPU's physical addresses"),
])
def test_a_page_that_is_not_there_is_refused(
    base: int, said: str, boot: Boot, built: Path, tmp_path: Path
) -> None:
    run = boot("clock=tsc scenario=lock duration=1", table=table_at(built, tmp_path, base))
    assert run.status == SKIPPED, run.serial
    assert said in run.serial


@pytest.mark.parametrize(("change", "said"), [
    ({0x00: b"\0"}, "magic"),
    ({0x04: b"\x10\0\0\0"}, "too short"),
    ({0x08: b"\2"}, "version"),
    ({0x0a: b"\xff"}, "counter"),
    ({0x0c: b"\3"}, "odd"),
    ({0x22: b"\4"}, "unreliable"),
    ({0x27: b"\xff"}, "shift"),
    ({0x30: bytes(8)}, "period"),
    ({0x28: b"\xff" * 7 + b"\x3f"}, "ahead"),
    ({0x48: b"\0" * 7 + b"\x80"}, "time"),
])
def test_a_page_that_cannot_be_trusted_is_refused_by_name(
    change: dict[int, bytes], said: str, boot: Boot
) -> None:
    page = bytearray(line_page(10**9))
    for at, value in change.items():
        page[at:at + len(value)] = value
    # A writer that sleeps is waited for, a second of counted instructions: fewer, of 8 ns each.
    coarse = tuple(word.replace("shift=0", "shift=3") for word in ICOUNT)
    run = boot("clock=tsc scenario=lock duration=1", accel=coarse, page=bytes(page))
    assert run.status == SKIPPED, run.serial
    skip = re.search(r"# SKIP (.*)", run.serial)
    assert skip and said in skip.group(1), run.serial


def test_the_frequency_is_measured_the_same_against_either_clock(boot: Boot) -> None:
    line = "clock=tsc scenario=lock duration=0.2"
    hpet = boot(line, accel=ICOUNT, page=line_page(10**9))
    timer = boot(line, "-M", "hpet=off", accel=ICOUNT, page=line_page(10**9))
    assert hpet.param("counter_source") == "hpet" and timer.param("counter_source") == "pm-timer"
    for run in (hpet, timer):
        # Counted instructions: exactly 10^9 a second. It must be as good as it says of itself.
        error_ppb = abs(int(run.param("counter_hz")) - 10**9)
        assert error_ppb <= int(run.param("counter_error_ppb")) < 100_000
        assert run.status == PASSED, run.serial


def test_a_frequency_that_is_given_is_believed(boot: Boot) -> None:
    run = boot("clock=tsc scenario=lock duration=0.2 counter_hz=1000000001", accel=ICOUNT,
               page=line_page(10**9))
    assert run.param("counter_source") == "given"
    assert run.param("counter_hz") == "1000000001"
    assert run.status == PASSED, run.serial


def test_the_tsc_is_held_against_the_second_counter_without_a_page(boot: Boot) -> None:
    run = boot("clock=tsc scenario=clocks duration=0.5", accel=ICOUNT)
    assert run.status == PASSED, run.serial
    assert run.param("second_counter") == "hpet"
    # Both count the same instructions: what is left is the calibration's own error, and the HPET's
    # step of 10 ns at either end of half a second.
    limit = int(run.param("counter_error_ppb")) + 40
    assert abs(run.metric("counter_drift_ppb")) <= limit < 1000
    # A frequency that is 1000 ppm off is more than any crystal may be.
    wrong = boot("clock=tsc scenario=clocks duration=0.5 counter_hz=1001000000", accel=ICOUNT)
    assert wrong.status == FAILED
    assert wrong.metric("counter_drift_ppb") == pytest.approx(-1_000_000, abs=40)


def test_a_machine_without_a_serial_port_still_ends(boot: Boot) -> None:
    run = boot("scenario=lock duration=1", serial=False)
    assert run.status == PASSED and run.serial == ""


def test_a_full_command_line_is_read_to_its_end(boot: Boot) -> None:
    filler = " ".join(["seed=1"] * 250)
    run = boot(f"{filler} scenario=lock duration=1")
    assert run.status == PASSED, run.serial
    assert run.param("duration_ms") == "1000"
    too_long = boot(f"{filler} {filler} scenario=lock")
    assert too_long.status == CANNOT_RUN
    assert "Bail out! the command line is longer than 2047 bytes" in too_long.serial


def test_kvm_ticks_from_the_deadline_timer_and_locks(boot: Boot) -> None:
    need_kvm()
    # The line's rate is whatever this machine's is: the guest tells, to a part in ten thousand.
    probe = boot("clock=tsc scenario=lock duration=1", accel=KVM, page=line_page(2 * 10**9))
    hz = int(probe.param("counter_hz"))
    run = boot("clock=tsc scenario=lock duration=2 hz=100 samples=0", accel=KVM,
               page=line_page(hz + hz // 10**5))
    assert run.param("tick") == "tsc-deadline"
    assert run.status == PASSED, run.serial
    assert run.metric("backwards") == 0

# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench device` on pages that are right, that have markers only, and that are wrong in one thing each; and on a
hypervisor that is started by a command line, with no device of QEMU's to report by. Assumes QEMU and TCG."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import ROOT, need, plain_environment
from pagetool import LAYOUT, Page, shared_file
from publishing import INITIALIZING, live
from runner.errors import CannotRun
from runner.guest import firmware, foreign
from runner.guest.publisher import PAGE_BYTES
from runner.report import ktap, progress, samples

VIRTUAL_HZ = 2_596_146_000
# A page as of the virtual clock's counter: 2^93 / hz / 2^29.
GOOD = Page(shift=31, period_frac=(1 << 95) // VIRTUAL_HZ, flags=0x179, period_esterror=1, period_maxerror=2,
            time_esterror_ns=1, time_maxerror_ns=2, time_sec=1_750_000_000, generation=1, counter_value=1 << 40)


@dataclass(frozen=True)
class Said:
    """What the command printed: claims that hold, that do not, and that were skipped, with the reason."""

    status: int
    holds: set[str]
    fails: set[str]
    skips: dict[str, str]
    stderr: str

    def failed(self) -> str:
        """What does not hold, without the section."""
        return "; ".join(sorted(sentence.rsplit(" (", 1)[0] for sentence in self.fails))


def read(status: int, text: str, stderr: str = "") -> Said:
    said = Said(status, set(), set(), {}, stderr)
    for found in re.finditer(r"^ *(not )?ok \d+ (?:- )?(.*?\))(?: # SKIP (.*))?$", text, re.MULTILINE):
        if found[3]:
            said.skips[found[2]] = found[3]
        else:
            (said.fails if found[1] else said.holds).add(found[2])
    return said


def device(built: Path, output: Path, *words: str) -> Said:
    need("qemu-system-x86_64", "qemu-system-x86")
    firmware.qboot()
    done = subprocess.run([str(ROOT / "tickbench"), "device", "--build", str(built), "--output", str(output), *words],
                          capture_output=True, text=True, timeout=200, env=plain_environment())
    return read(done.returncode, done.stdout, done.stderr)


def sim(built: Path, page: Path) -> Said:
    """The same judge in a host process, on a page that stands still."""
    done = subprocess.run([str(built / "tickbench-sim"), "--page", str(page), "scenario=device", "duration=0.02"],
                          capture_output=True, text=True, timeout=60)
    return read(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Path]:
    yield from shared_file("device-page", tmp_path)


def test_the_publishers_page_is_judged_good_before_and_after_a_snapshot(built: Path, tmp_path: Path) -> None:
    said = device(built, tmp_path, "--accel", "tcg", "--seconds", "1.2")
    assert said.status == 0 and not said.fails, said
    assert {"the marker changes when the guest is restored (UAPI.13, 0x10)",
            "the generation counter changes when the guest is restored (UAPI.13, 0x64)",
            "a notification comes with each update (UAPI.13, Discovery via ACPI)",
            "past times stay within their stated error (UAPI.13, Time error calculation)"} <= said.holds
    # What the publisher does not promise, and nothing else.
    assert all("sets the time back" in sentence for sentence in said.skips), said.skips


def test_a_publishers_page_has_its_time_type_from_the_beginning(program: Path, page: Path, tmp_path: Path) -> None:
    """The specification calls it constant, and a guest may look before the first line."""
    (tmp_path / "leaps").write_text("#@ 3960057600\n2272060800 10\n3692217600 37\n")
    with live(program, page, "--offset", "none", "--leap-list", tmp_path / "leaps") as publisher:
        while not page.exists() or page.stat().st_size < LAYOUT.size or Page.read(page).magic != GOOD.magic:
            assert publisher.child.poll() is None
        first = Page.read(page)
        publisher.wait_for("line")
        later = Page.read(page)
    assert first.clock_status == INITIALIZING and later.clock_status in (2, 3)
    assert first.time_type == later.time_type == 1


def test_a_page_with_markers_only_is_judged_by_what_it_has(built: Path, tmp_path: Path, page: Path) -> None:
    """As QEMU's own device makes it."""
    Page(counter_id=0xFF, flags=0x100, clock_status=0, period_frac=0, shift=0, time_sec=0, counter_value=0, time_type=0,
         generation=3).write(page, PAGE_BYTES)
    said = device(built, tmp_path, "--accel", "tcg", "--seconds", "0.2", "--page", str(page))
    assert said.status == 0 and not said.fails, said
    lines = [reason for reason in said.skips.values() if "counter_id is INVALID" in reason]
    assert len(lines) == 9, said.skips
    assert "the magic is 0x4b4c4356, \"VCLK\" (UAPI.13, 0x00)" in said.holds


def test_a_good_page_that_stands_still_is_good(built: Path, tmp_path: Path) -> None:
    said = sim(built, GOOD.write(tmp_path / "page"))
    assert said.status == 0 and not said.fails, said


@pytest.mark.parametrize("changes, claims", [
    ({"magic": 0x4B4C4357}, "Linux's driver binds to it; a guest can follow its line; the magic is"),
    ({"size": 0x60}, "a guest can follow its line; the size holds"),
    ({"size": 8192}, "Linux's driver binds to it; a guest can follow its line; the size holds"),
    ({"version": 2}, "Linux's driver binds to it; a guest can follow its line; the version is 1"),
    ({"counter_id": 0}, "a guest can follow its line; counter_id is the x86 TSC or INVALID"),
    ({"time_type": 3}, "Linux has a PTP clock of it; a guest can follow its line; time_type"),
    ({"time_type": 2}, "Linux has a PTP clock of it: TAI, or UTC with its offset; a guest can follow its line"),
    ({"time_type": 0, "flags": 0}, "Linux has a PTP clock of it: TAI, or UTC with its offset"),
    ({"seq_count": 3}, "the page can be read: seq_count is even"),
    ({"clock_status": 5}, "a guest can follow its line; clock_status is one that is defined"),
    ({"smearing": 3}, "the smearing hint is one that is defined"),
    ({"tai_offset_sec": -37}, "tai_offset_sec is TAI's to UTC"),
    ({"leap_indicator": 6}, "leap_indicator is one that is defined"),
    ({"shift": 65}, "a guest can follow its line; the period is the counter's"),
    ({"period_frac": 0}, "a guest can follow its line; the period is the counter's"),
    # The shift left out: a counter of 5 Hz.
    ({"shift": 0}, "a guest can follow its line; the period is the counter's"),
    # 0.2 % off, as of a nominal frequency that is rounded.
    ({"period_frac": (1 << 95) // VIRTUAL_HZ * 998 // 1000}, "the period is the counter's"),
    ({"period_esterror": 3}, "the period's estimated error is no larger"),
    ({"time_esterror_ns": 3}, "the time's estimated error is no larger"),
    # Milliseconds where seconds belong; and seconds since the boot.
    ({"time_sec": 1_750_000_000_000}, "the time is one between 2020 and 2200"),
    ({"time_sec": 12345}, "the time is one between 2020 and 2200"),
    # Of the host's counter, an offset ahead of the guest's.
    ({"counter_value": 1 << 50}, "a guest can follow its line"),
], ids=lambda value: "-".join(f"{name}={number}" for name, number in value.items()) if isinstance(value, dict) else "")
def test_each_wrong_field_is_found(built: Path, tmp_path: Path, changes: dict[str, int], claims: str) -> None:
    said = sim(built, GOOD.but(**changes).write(tmp_path / "page"))
    assert said.status == 1
    assert all(any(claim in each for each in said.fails) for claim in claims.split("; ")), said.failed()
    assert len(said.fails) == len(claims.split("; ")), said.failed()


def test_a_page_that_claims_nothing_yet_is_no_fault(built: Path, tmp_path: Path) -> None:
    said = sim(built, GOOD.but(clock_status=1, period_frac=0, time_sec=0).write(tmp_path / "page"))
    assert said.status == 0 and not said.fails
    assert any("not valid" in reason for reason in said.skips.values()), said.skips


def test_memory_that_is_shorter_than_the_fields_is_no_device(built: Path, tmp_path: Path) -> None:
    done = subprocess.run([str(built / "tickbench-sim"), "--page", str(GOOD.write(tmp_path / "page", 0x60)),
                           "scenario=device"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "too short" in done.stderr


def torn(page: Page, n: int) -> Page:
    """A writer that never makes seq_count odd, and does not count."""
    return page.but(time_esterror_ns=n % 2)


def back(page: Page, n: int) -> Page:
    return page.but(seq_count=2 + 2 * (n % 2))


def jumps(page: Page, n: int) -> Page:
    """It states an error of 2 ns, and jumps by 5 us."""
    return page.but(seq_count=2 + 2 * n, time_frac=(1 << 63) + n % 2 * 5000 * 2**64 // 10**9)


def renamed(page: Page, n: int) -> Page:
    """A constant field changes, under the rules of all others."""
    return page.but(seq_count=2 + 2 * n, time_type=n % 2)


@pytest.mark.parametrize("change, claim", [
    (torn, "no field changes while seq_count is even"),
    (back, "seq_count never goes back"),
    (jumps, "past times stay within their stated error"),
    (renamed, "the fields up to time_type do not change"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_each_wrong_writer_is_found(built: Path, tmp_path: Path, page: Path, change: Callable[[Page, int], Page],
                                    claim: str) -> None:
    """Of a page that a guest watches while it is written."""
    GOOD.write(page, PAGE_BYTES)
    over = threading.Event()

    def write() -> None:
        number = 0
        with page.open("r+b", buffering=0) as file:
            while not over.wait(0.01):
                number += 1
                file.seek(0)
                file.write(change(GOOD, number).pack())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        said = device(built, tmp_path, "--accel", "tcg", "--seconds", "0.4", "--page", str(page))
    finally:
        over.set()
        writer.join()
    assert said.status == 1, said
    assert claim in said.failed(), said.failed()


# How QEMU stands for another hypervisor: no debug exit, no debug console, no monitor.
FOREIGN = ("-nodefaults", "-no-reboot", "-M", "q35,accel=tcg", "-m", "512", "-display", "none", "-cpu", "max",
           "-serial", "stdio")


def hypervisor(folder: Path, *boot: str) -> list[str]:
    """A command that notes how QEMU ended, unless it is ended before."""
    program = need("qemu-system-x86_64", "qemu-system-x86")
    return ["--", "sh", "-c", '"$@"; echo $? >"$0"', str(folder / "ended"), program, *FOREIGN, *boot]


def test_a_hypervisor_of_ones_own_needs_nothing_but_a_serial_port(built: Path, tmp_path: Path) -> None:
    """The samples come over serial, and the machine ends by itself."""
    said = device(built, tmp_path, "--seconds", "0.1", "scenario=lock", "clock=virtual", "duration=1", *hypervisor(
        tmp_path, "-bios", str(firmware.qboot()), "-kernel", "{elf}", "-append", "{cmdline} pci=off nomodule"))
    assert said.status == 1
    assert said.failed() == "there is a vmclock device with memory", said
    assert (tmp_path / "ended").read_text() == "0\n"
    whole = json.loads((tmp_path / "report.json").read_text())
    assert [run["scenario"] for run in whole["runs"]] == ["device", "lock"] and whole["runs"][1]["ok"]
    record = samples.read(tmp_path / "samples.bin")[-1]
    assert record.scenario == "lock" and record.whole and len(record.error_ns) == 1000
    assert abs(abs(record.error_ns).max() - whole["runs"][1]["metrics"]["max_abs_ns"]) < 1e-6


@pytest.mark.parametrize("boot", [
    ("-kernel", "{efi}", "-append", "{cmdline}"),
    ("-drive", "if=none,id=d,format=raw,file={disk}", "-device", "virtio-blk-pci,drive=d,bootindex=0"),
], ids=["kernel", "disk"])
def test_a_hypervisor_with_uefi_boots_the_efi_image(built: Path, tmp_path: Path, boot: tuple[str, ...]) -> None:
    code, _ = firmware.ovmf()
    said = device(built, tmp_path, "--seconds", "0.1", *hypervisor(
        tmp_path, "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}", *boot))
    assert said.failed() == "there is a vmclock device with memory", said
    assert (tmp_path / "ended").read_text() == "0\n"
    assert "booted by UEFI" in (tmp_path / "serial.log").read_text(errors="replace")


def test_a_disk_needs_mtools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRun, match="needs mformat"):
        foreign.make_disk(tmp_path / "efi", "", tmp_path)
    (tmp_path / "vm.json").write_text('{"disk": "{disk}"}')
    assert foreign.wants_disk([f"{{file:{tmp_path}/vm.json}}"]) and not foreign.wants_disk(["{elf}"])


@pytest.mark.parametrize("words, said", [
    (("--", "true"), "names no image"),
    (("--", "/nonexistent", "{elf}"), "cannot be started"),
    (("--", "echo", "{elf}"), "report is not whole"),
    (("--", "sh", "-c", "exit 3", "{elf}"), "said nothing over serial (its stdout)"),
    (("--", "cat", "{file:/nonexistent}"), "/nonexistent cannot be read"),
    (("--stock", "--", "true"), "follows --"),
    (("--stock", "--page", "x"), "a page of QEMU's"),
    (("--seconds", "0"), "above 0"),
])
def test_what_cannot_be_judged_is_refused(built: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    ended = device(built, tmp_path, *words)
    assert ended.status == 2 and said in ended.stderr, ended


def test_a_configuration_file_is_filled_in(tmp_path: Path) -> None:
    (tmp_path / "vm.json").write_text('{"kernel": "{elf}", "boot_args": "{cmdline}"}')
    places = {"{elf}": "/a/b", "{efi}": "/c", "{cmdline}": "scenario=device"}
    (word,) = foreign.filled([f"{{file:{tmp_path}/vm.json}}"], places, tmp_path)
    assert json.loads(Path(word).read_text()) == {"kernel": "/a/b", "boot_args": "scenario=device"}
    with pytest.raises(CannotRun, match="names no image"):
        foreign.filled(["{cmdline}"], places, tmp_path)


def test_samples_in_a_report_are_no_notes_of_it() -> None:
    log = "KTAP version 1\n1..1\n    # Subtest: x\n# samples 00ff\r\n# samples zz\n# samples 7f\nok 1 x\n"
    assert ktap.parse(log).notes == []
    assert samples.from_serial(log) == b"\x00\xff\x7f"


def test_a_guest_that_goes_on_after_its_report_is_ended(tmp_path: Path) -> None:
    log = "KTAP version 1\n1..1\n    # Subtest: x\n    ok 1 y\n    1..1\nok 1 x\n"
    (tmp_path / "log").write_text(log)
    with progress.Show(progress.stderr(), "x") as show:
        made = foreign.run(foreign.Foreign(("sh", "-c", f"cat {tmp_path}/log; exec sleep 100"), 1.0), tmp_path, show)
    assert made.ok

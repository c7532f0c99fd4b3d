# SPDX-License-Identifier: GPL-2.0-or-later
"""The way in by UEFI, under OVMF and TCG: the same image, the same report, and the disk image that a
PC boots. Assumes OVMF and mtools; skips where they are missing."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import ROOT, need, plain_environment
from tickbench import firmware
from tickbench.errors import CannotRun

PASSED, CANNOT_RUN, FAULT = (code << 1 | 1 for code in (0x10, 0x12, 0x1f))
SECONDS = 100  # OVMF takes some four of them, on an idle machine


@dataclass(frozen=True)
class Run:
    status: int
    serial: str  # from the guest's first line

    def lines(self, beginning: str) -> list[str]:
        return [line.strip() for line in self.serial.splitlines()
                if line.strip().startswith(beginning)]


Boot = Callable[..., Run]


@pytest.fixture
def boot(built: Path, tmp_path: Path) -> Boot:
    qemu = need("qemu-system-x86_64", "qemu-system-x86")

    def run(*drive: str) -> Run:
        try:
            code, variables = firmware.ovmf()
        except CannotRun as error:
            pytest.skip(str(error))
        shutil.copyfile(variables, tmp_path / "variables.fd")
        ended = subprocess.run(
            [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
             "-M", "q35", "-m", "256M", "-accel", "tcg", "-serial", "stdio",
             "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
             "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
             "-drive", f"if=pflash,unit=1,format=raw,file={tmp_path / 'variables.fd'}", *drive],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        assert b"qemu-system" not in ended.stderr, ended.stderr
        serial = ended.stdout.decode(errors="replace").replace("\r\n", "\n")
        at = serial.find("KTAP version 1")
        return Run(ended.returncode, serial[at:] if at >= 0 else serial)

    return run


def volume(built: Path, folder: Path, command: bytes | None) -> list[str]:
    """A boot volume with the program, and with a command file if there is a command."""
    root = folder / "volume"
    (root / "EFI" / "BOOT").mkdir(parents=True)
    shutil.copyfile(built / "tickbench.efi", root / "EFI" / "BOOT" / "BOOTX64.EFI")
    if command is not None:
        (root / "tickbench.cmd").write_bytes(command)
    return ["-drive", f"if=none,id=esp,format=raw,readonly=on,file=fat:{root}",
            "-device", "virtio-blk-pci,drive=esp,bootindex=0"]


def test_reports_the_same_as_pvh(boot: Boot, built: Path, tmp_path: Path) -> None:
    command = "scenario=lock duration=2 -- scenario=freq"
    uefi = boot(*volume(built, tmp_path, command.encode()))
    assert uefi.status == PASSED, uefi.serial
    assert "# tickbench, booted by UEFI" in uefi.serial
    pvh = subprocess.run(
        ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-M", "q35",
         "-m", "256M", "-accel", "tcg", "-serial", "stdio", "-bios", str(firmware.qboot()),
         "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
         "-kernel", str(built / "tickbench.elf"), "-append", command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    other = Run(pvh.returncode, pvh.stdout)
    for kind in ("# metric", "# param", "ok", "not ok"):
        assert uefi.lines(kind) == other.lines(kind) != [] or kind == "not ok"
    # The firmware's tables and clock are found here too.
    assert "# acpi:" not in uefi.serial and "# reference clock: hpet" in uefi.serial


@pytest.mark.parametrize(("command", "status", "said"), [
    # A file as Windows' editors make them: byte order mark, CR LF, several lines.
    (b"\xef\xbb\xbfscenario=lock\r\nduration=1\r\n", PASSED, "# param duration_ms 1000"),
    (b"scenario=nonsense", CANNOT_RUN, "Bail out! scenario=nonsense"),
    (b"fault=pf", FAULT, "# fault: page fault"),
    (b"samples=0 " * 300, CANNOT_RUN, "Bail out! the command line is longer than 2047 bytes"),
], ids=["text", "nonsense", "fault", "too-long"])
def test_the_command_comes_from_the_boot_volume(
    command: bytes, status: int, said: str, boot: Boot, built: Path, tmp_path: Path
) -> None:
    run = boot(*volume(built, tmp_path, command))
    assert run.status == status, run.serial
    assert said in run.serial


def test_the_disk_image_boots_as_a_usb_stick(boot: Boot, built: Path, tmp_path: Path) -> None:
    need("mcopy", "mtools")
    image = built / "tickbench.img"
    made = subprocess.run(["make", "-C", str(ROOT), f"BUILD={built}", "image"], capture_output=True,
                          text=True, env=plain_environment())
    assert made.returncode == 0, made.stderr
    stick = tmp_path / "stick.img"
    shutil.copyfile(image, stick)
    (tmp_path / "command").write_text("scenario=lock duration=1\n")
    subprocess.run(["mcopy", "-o", "-i", str(stick), str(tmp_path / "command"), "::/tickbench.cmd"],
                   check=True)
    run = boot("-device", "qemu-xhci", "-drive", f"if=none,id=stick,format=raw,file={stick}",
               "-device", "usb-storage,drive=stick,bootindex=0")
    assert run.status == PASSED, run.serial
    assert re.search(r"^ok 1 lock$", run.serial, re.M)

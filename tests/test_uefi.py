# SPDX-License-Identifier: GPL-2.0-or-later
"""The UEFI boot path, under OVMF and TCG: the same image, the same report, and the disk image that a
PC boots. Assumes OVMF and mtools; skips where they are missing."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT, need, plain_environment
from monitor import Monitor
from runner.errors import CannotRun
from runner.guest import firmware

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


def command(folder: Path) -> list[str]:
    """QEMU with OVMF, and serial on its stdout."""
    qemu = need("qemu-system-x86_64", "qemu-system-x86")
    try:
        code, variables = firmware.ovmf()
    except CannotRun as error:
        pytest.skip(str(error))
    shutil.copyfile(variables, folder / "variables.fd")
    return [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-M", "q35", "-m", "256M", "-accel", "tcg", "-serial", "stdio",
            "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,file={folder / 'variables.fd'}"]


@pytest.fixture
def boot(tmp_path: Path) -> Boot:
    def run(*drive: str) -> Run:
        ended = subprocess.run(
            [*command(tmp_path), "-device", "isa-debug-exit,iobase=0xf4,iosize=4", *drive],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        assert b"qemu-system" not in ended.stderr, ended.stderr
        serial = ended.stdout.decode(errors="replace").replace("\r\n", "\n")
        at = serial.find("KTAP version 1")
        return Run(ended.returncode, serial[at:] if at >= 0 else serial)

    return run


def volume(built: Path, folder: Path, words: bytes | None) -> list[str]:
    """A boot volume with the program, and with a command file if there is a command."""
    root = folder / "volume"
    (root / "EFI" / "BOOT").mkdir(parents=True)
    shutil.copyfile(built / "tickbench.efi", root / "EFI" / "BOOT" / "BOOTX64.EFI")
    if words is not None:
        (root / "tickbench.cmd").write_bytes(words)
    return ["-drive", f"if=none,id=esp,format=raw,readonly=on,file=fat:{root}",
            "-device", "virtio-blk-pci,drive=esp,bootindex=0"]


def test_reports_the_same_as_pvh(boot: Boot, built: Path, tmp_path: Path) -> None:
    words = "scenario=lock duration=2 + scenario=freq"
    uefi = boot(*volume(built, tmp_path, words.encode()))
    assert uefi.status == PASSED, uefi.serial
    assert "# tickbench, booted by UEFI" in uefi.serial
    pvh = subprocess.run(
        ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-M", "q35",
         "-m", "256M", "-accel", "tcg", "-serial", "stdio", "-bios", str(firmware.qboot()),
         "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
         "-kernel", str(built / "tickbench.elf"), "-append", words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    other = Run(pvh.returncode, pvh.stdout)
    for kind in ("# metric", "# param", "ok", "not ok"):
        assert uefi.lines(kind) == other.lines(kind) != [] or kind == "not ok"
    # The firmware's tables and clock are found here too.
    assert "# acpi:" not in uefi.serial and "# reference clock: hpet" in uefi.serial


@pytest.mark.parametrize(("words", "status", "said"), [
    # A file as Windows' editors make them: byte order mark, CR LF, several lines.
    (b"\xef\xbb\xbfscenario=lock\r\nduration=1\r\n", PASSED, "# param duration_ms 1000"),
    (b"scenario=nonsense", CANNOT_RUN, "Bail out! scenario=nonsense"),
    (b"fault=pf", FAULT, "# fault: page fault"),
    (b"samples=0 " * 300, CANNOT_RUN, "Bail out! the command line is longer than 2047 bytes"),
], ids=["text", "nonsense", "fault", "too-long"])
def test_the_command_comes_from_the_boot_volume(
    words: bytes, status: int, said: str, boot: Boot, built: Path, tmp_path: Path
) -> None:
    run = boot(*volume(built, tmp_path, words))
    assert run.status == status, run.serial
    assert said in run.serial


@pytest.mark.parametrize(("options", "status", "said"), [
    ("scenario=lock duration=1", PASSED, "# param duration_ms 1000"),
    # A shell puts the program's name first.
    ("tickbench.efi scenario=lock duration=1", PASSED, "# param duration_ms 1000"),
    ("samples=0 " * 300, CANNOT_RUN, "Bail out! the command line is longer than 2047 bytes"),
], ids=["words", "name-first", "too-long"])
def test_without_a_command_file_the_load_options_are_taken(
    options: str, status: int, said: str, boot: Boot, built: Path
) -> None:
    # OVMF starts what -kernel names, without a boot volume, and hands it what -append says.
    run = boot("-kernel", str(built / "tickbench.efi"), "-append", options)
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


def text_of(picture: Path, font: bytes) -> list[str]:
    """The lines of text in a screen dump, told by the font that drew them."""
    kind, size, _, pixels = picture.read_bytes().split(b"\n", 3)
    assert kind == b"P6"
    width, height = map(int, size.split())
    image = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)[:, :, 0] > 127
    glyphs = {font[at:at + 16]: chr(32 + at // 16) for at in range(0, len(font), 16)}
    lines = []
    for y in range(0, height - 15, 16):
        cells = np.packbits(image[y:y + 16, :width // 8 * 8].reshape(16, width // 8, 8), axis=2)
        lines.append("".join(glyphs.get(cells[:, x, 0].tobytes(), "\0")
                             for x in range(width // 8)).rstrip())
    return lines


LAST_LINE = "# power goes off in 60 s, or at a key"


def test_a_pc_without_debug_exit_keeps_its_screen_until_a_key_and_turns_off(
    built: Path, tmp_path: Path
) -> None:
    ours, theirs = socket.socketpair()
    args = [*command(tmp_path), *volume(built, tmp_path, b"scenario=lock duration=1"),
            "-device", "VGA",
            "-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]
    vm = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          pass_fds=[theirs.fileno()])
    try:
        theirs.close()
        monitor = Monitor(ours)
        assert vm.stdout
        # The machine is up to 60 s on after this line, unless a key comes.
        for line in vm.stdout:
            if b"at a key" in line:
                break
        # The screen is drawn after the serial port has the line.
        lines: list[str] = []
        until = time.monotonic() + 30
        while LAST_LINE not in lines and time.monotonic() < until:
            monitor.send("screendump", filename=str(tmp_path / "screen.ppm"))
            lines = text_of(tmp_path / "screen.ppm", (built / "font.bin").read_bytes())
            time.sleep(0.1)
        monitor.send("send-key", keys=[{"type": "qcode", "data": "a"}])
        assert vm.wait(30) == 0  # ACPI's soft off: QEMU ends well
    finally:
        ours.close()
        vm.kill()
        vm.wait()
        if vm.stdout:
            vm.stdout.close()
    assert "ok 1 lock" in lines and "    ok 1 the core starts" in lines
    assert LAST_LINE in lines

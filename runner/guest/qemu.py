# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's command line for a guest, as a pure function of what is wanted; and which QEMU there is.
Assumes QEMU 7.2 or later for x86-64."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner import plan, scenarios
from runner.errors import CannotRun, Problem
from runner.guest.accel import Accel
from runner.guest.addresses import addresses

OLDEST = (7, 2)
MONITOR_OBJECT = (11, 1)
# Maps a file at an address which no table of the firmware calls RAM. Linux would add a pc-dimm's memory to its own.
MAPPER = "virtio-pmem-pci"
STOCK, STOCK_SINCE = ("-device", "vmclock"), 10  # QEMU's own device
EXIT_DEVICE = "isa-debug-exit,iobase=0xf4,iosize=4"


@dataclass(frozen=True)
class Qemu:
    """A QEMU that was found, and its version as it tells it."""

    path: str
    version: str


def parse_version(text: str) -> tuple[int, ...] | None:
    """The numbers of what `qemu --version` prints; None if there are none."""
    found = re.search(r"version (\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups() if part) if found else None


def find(wanted: str | None) -> Qemu:
    """The QEMU to use, checked for its version."""
    name = wanted or "qemu-system-x86_64"
    path = shutil.which(name)
    if not path:
        raise CannotRun(Problem.QEMU_MISSING, f"there is no {name} that can be executed")
    try:
        answer = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, timeout=10,
                                capture_output=True, text=True, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRun(Problem.QEMU_MISSING, f"{path} does not tell its version ({error})")
    version = parse_version(answer.stdout)
    if version is None:
        raise CannotRun(Problem.QEMU_MISSING, f"{path} does not tell its version",
                        answer.stdout + answer.stderr)
    words = ".".join(map(str, version))
    if version < OLDEST:
        raise CannotRun(Problem.QEMU_OLD, f"{path} is version {words}")
    return Qemu(path, words)


def need_stock(qemu: Qemu) -> None:
    """CannotRun unless this QEMU has a vmclock device of its own."""
    if int(qemu.version.split(".")[0]) < STOCK_SINCE:
        raise CannotRun(Problem.USAGE, f"QEMU {qemu.version} has no vmclock device of its own: --stock needs"
                                       f" {STOCK_SINCE} or later (--qemu PATH)")


def quote(path: Path | str) -> str:
    """A path inside an option's comma-separated list."""
    return str(path).replace(",", ",,")


@dataclass(frozen=True)
class Boot:
    """How the guest gets in: PVH has an ELF file, UEFI a folder that stands for its boot volume. A Linux has
    its kernel as `elf`, an initramfs, and a command line of its own."""

    way: str
    firmware: Path
    elf: Path | None = None
    volume: Path | None = None
    variables: Path | None = None
    initrd: Path | None = None
    line: str = ""

    def args(self, append: str) -> list[str]:
        if self.way == "pvh":
            return ["-bios", str(self.firmware), "-kernel", str(self.elf), "-append", append]
        if self.way == "linux":
            return ["-bios", str(self.firmware), "-kernel", str(self.elf), "-initrd", str(self.initrd),
                    "-append", self.line]
        return [
            "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={quote(self.firmware)}",
            "-drive", f"if=pflash,unit=1,format=raw,file={quote(self.variables or '')}",
            "-drive", f"if=none,id=esp,format=raw,readonly=on,file=fat:{quote(self.volume or '')}",
            "-device", "virtio-blk-pci,drive=esp,bootindex=0",
        ]


@dataclass(frozen=True)
class Pages:
    """The shared files, and the table that tells the guest where they are."""

    page: Path
    mailbox: Path | None
    table: Path
    pid: Path | None = None  # where QEMU is to leave its process id, for the publisher
    bell: Path | None = None  # a socket by which the publisher notifies the guest of a change of the page

    def args(self) -> list[str]:
        backend = "memory-backend-file,share=on,size=2M"
        page, mailbox = addresses(self.table.read_bytes())
        args = ["-acpitable", f"file={quote(self.table)}",
                # The guest reads the page, and must not be able to change it.
                "-object", f"{backend},readonly=on,id=vc,mem-path={quote(self.page)}",
                "-device", f"{MAPPER},memdev=vc,memaddr={page:#x}"]
        if self.mailbox:
            args += ["-object", f"{backend},id=mb,mem-path={quote(self.mailbox)}",
                     "-device", f"{MAPPER},memdev=mb,memaddr={mailbox:#x}"]
        if self.pid:
            args += ["-pidfile", str(self.pid)]
        if self.bell:
            # vmclock/notify.asl describes this port and its interrupt.
            args += ["-acpitable", f"file={quote(self.table.with_name('notify.aml'))}",
                     "-chardev", f"socket,id=bell,server=on,wait=off,path={quote(self.bell)}",
                     "-device", "isa-serial,chardev=bell,iobase=0x2a0,irq=5"]
        return args


def command(
    qemu: Qemu,
    boot: Boot,
    accel: Accel,
    groups: Sequence[scenarios.Group],
    table: scenarios.Scenarios,
    pages: Pages | None,
    samples: Path | None,
    qmp_fd: int | None = None,
    gdb: bool = False,
    extra: Sequence[str] = (),
) -> list[str]:
    """The whole command line. Serial goes to stdout."""
    cpu = list(accel.args)
    for flag in table.cpu_flags(groups):
        cpu[cpu.index("-cpu") + 1] += f",+{flag}"
    memory = table.memory_mib(groups)
    # RAM is the first of QEMU's blocks of memory. Under TCG, QEMU 10 and 11 abort a live migration where it is not.
    args = [qemu.path, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-object", f"memory-backend-ram,id=pc.ram,size={memory}M", "-M", "q35,memory-backend=pc.ram",
            "-smp", str(table.cpus(groups)), "-m", f"{memory}M,slots=2,maxmem=16G", *cpu,
            "-device", EXIT_DEVICE,
            "-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial"]
    args += boot.args(append_line(groups))
    if pages:
        args += pages.args()
    if samples:
        args += ["-chardev", f"file,id=samples,path={quote(samples)}",
                 "-device", "isa-debugcon,iobase=0xe9,chardev=samples"]
    if qmp_fd is not None:
        args += ["-chardev", f"socket,id=qmp,fd={qmp_fd}", *monitor(qemu.version)]
    if gdb:
        args += ["-s", "-S"]
    return [*args, *extra]


def monitor(version: str) -> list[str]:
    """The options for a monitor that speaks QMP on the chardev "qmp". -mon is deprecated since 11.1, with a warning."""
    if tuple(int(part) for part in version.split(".")) >= MONITOR_OBJECT:
        return ["-object", "monitor-qmp,id=monitor,chardev=qmp"]
    return ["-mon", "chardev=qmp,mode=control"]


def append_line(groups: Sequence[scenarios.Group]) -> str:
    """The guest's command line for these groups; CannotRun if it is longer than the guest takes."""
    line = f" {plan.AND} ".join(" ".join(group) for group in groups)
    if len(line.encode()) > plan.LINE_MAX:
        raise CannotRun(Problem.USAGE, f"all parameters together are longer than {plan.LINE_MAX} characters")
    return line

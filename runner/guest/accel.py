# SPDX-License-Identifier: GPL-2.0-or-later
"""Chooses an accelerator: KVM where it is there and fast, else TCG, with a line that says why.
Some machines (a VM inside a VM) offer a KVM that interprets kernel-mode code, hundreds of cycles an
instruction: there TCG is far faster. Assumes build/probe.elf, which measures that in some 50 ms; its
answer is kept until the machine boots again or QEMU changes."""

from __future__ import annotations

import fcntl
import json
import math
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from runner import process
from runner.errors import CannotRun, Problem

KVM = Path("/dev/kvm")
KVM_CREATE_VM, KVM_CHECK_EXTENSION, KVM_CREATE_VCPU, KVM_GET_TSC_KHZ = 0xae01, 0xae03, 0xae41, 0xaea3
KVM_CAP_TSC_CONTROL = 60
PROBE_SECONDS = 2.0
PROBE_INSTRUCTIONS = 4000
# TCG takes 2 to 4 cycles an instruction of such a loop, KVM on hardware about 1.
SLOW_CYCLES = 32
TCG_ARGS = ("-accel", "tcg", "-cpu", "max")
# Some hosts refuse the MSR that arch-capabilities has QEMU set (0x10a).
KVM_ARGS = ("-accel", "kvm", "-cpu", "host,+invtsc,-arch-capabilities")
# An instruction is 8 ns: a second on the real clock is then 125 million of them, where 1 ns would
# make it a billion, and a minute of the host's time.
# QEMU 10 gives up ("Bad icount read") when the APIC's timer is read by MSR: without x2APIC it is not.
ICOUNT_ARGS = ("-accel", "tcg", "-cpu", "max,-x2apic", "-icount", "shift=3,sleep=off",
               "-rtc", "base=2026-01-01T00:00:00,clock=vm")
# Counted instructions make a TSC of 1 GHz that no host clock knows: the page is one given line.
ICOUNT_PAGE = "static:counter=0,time=1767225600,period-hz=1000000000,rate-ppm=12.345678"


@dataclass(frozen=True)
class Accel:
    """What was chosen: QEMU's arguments, and the line for the user (empty if there is none)."""

    name: str
    args: tuple[str, ...]
    why: str = ""
    slow: bool = False


@dataclass(frozen=True)
class Probe:
    """KVM as found: cycles an instruction of kernel-mode code (0: it did not run), and words."""

    cycles: float
    reason: str


def kvm_obstacle(device: Path = KVM) -> str:
    """Why KVM cannot be opened; empty if it can."""
    if not device.exists():
        return f"there is no {device}"
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"{device} cannot be opened ({error.strerror})"
    return ""


def judge(status: int, stderr: str) -> Probe:
    """What the probe's exit status says: QEMU's is (code << 1) | 1, the code log2 of the cycles."""
    if status > 1 and status & 1:
        cycles = math.ldexp(1.5, status >> 1) / PROBE_INSTRUCTIONS
        if cycles >= SLOW_CYCLES:
            return Probe(cycles, f"KVM here takes about {cycles:.0f} cycles an instruction of"
                                 " kernel-mode code")
        return Probe(cycles, "")
    last = stderr.strip().splitlines()[-1:] or [f"QEMU's status is {status}"]
    return Probe(0.0, f"KVM does not run a tiny kernel here ({last[0]})")


def measure(qemu: str, qboot: Path, elf: Path, seconds: float = PROBE_SECONDS) -> Probe:
    """How fast KVM runs kernel-mode code here, by booting the probe `elf`: cycles an instruction. Bounded
    by a time-out; a KVM that cannot is said in the reason, never raised."""
    child = process.start(
        [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-M", "microvm",
         "-m", "16M", "-bios", str(qboot), "-kernel", str(elf), *KVM_ARGS,
         "-device", "isa-debug-exit,iobase=0xf4,iosize=4"], stdout=subprocess.DEVNULL)
    try:
        _, stderr = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return Probe(0.0, f"KVM does not run a tiny kernel within {seconds:g} s")
    finally:
        process.end(child)
    return judge(child.returncode, stderr.decode(errors="replace"))


def _cache_file() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "tickbench" / "kvm-probe.json"


def _cache_key(qemu: str, elf: Path) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    stamps = [f"{path}:{Path(path).stat().st_mtime_ns}" for path in (qemu, str(elf))]
    return " ".join([boot, *stamps])


def probe(qemu: str, qboot: Path, elf: Path) -> Probe:
    """measure(), or what it said earlier since this machine booted."""
    key, cache = _cache_key(qemu, elf), _cache_file()
    try:
        kept = json.loads(cache.read_text())
        if kept["key"] == key:
            return Probe(float(kept["cycles"]), str(kept["reason"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = measure(qemu, qboot, elf)
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(json.dumps({"key": key, "cycles": found.cycles, "reason": found.reason}))
    except OSError:
        pass  # a cache that cannot be written costs time and nothing else
    return found


@dataclass(frozen=True)
class HostTsc:
    """What KVM says of the host's counter: its frequency, 0 if it does not say, and whether it can scale it."""

    khz: int
    scales: bool


def host_tsc(device: Path = KVM) -> HostTsc:
    """Asks KVM, by ioctl (Linux's Documentation/virt/kvm/api.rst). CannotRun where it cannot be asked."""
    opened: list[int] = []
    try:
        opened.append(os.open(device, os.O_RDWR | os.O_CLOEXEC))
        scales = fcntl.ioctl(opened[0], KVM_CHECK_EXTENSION, KVM_CAP_TSC_CONTROL) > 0
        opened.append(fcntl.ioctl(opened[0], KVM_CREATE_VM, 0))
        opened.append(fcntl.ioctl(opened[1], KVM_CREATE_VCPU, 0))
        return HostTsc(fcntl.ioctl(opened[2], KVM_GET_TSC_KHZ, 0), scales)
    except OSError as error:
        raise CannotRun(Problem.ACCEL_MISSING, f"{device} does not tell the TSC's frequency ({error.strerror})") \
            from error
    finally:
        for file in reversed(opened):
            os.close(file)


def migratable(chosen: Accel, hz: int | None, tsc: Callable[[], HostTsc] = host_tsc) -> Accel:
    """The accelerator with a CPU that QEMU migrates: under KVM an invariant TSC needs its frequency given. hz: that
    of the guest's TSC; None: the host's. CannotRun where the host cannot give the guest such a one."""
    if chosen.name != "kvm":
        if hz:
            raise CannotRun(Problem.USAGE, "--tsc-frequency needs KVM: under TCG the guest's TSC is the host's")
        return chosen
    host = tsc()
    if hz and hz // 1000 != host.khz and not host.scales:
        raise CannotRun(Problem.USAGE, f"KVM here has no TSC scaling: --tsc-frequency can be {host.khz * 1000} only")
    if not hz and not host.khz:
        return chosen
    args = list(chosen.args)
    args[args.index("-cpu") + 1] += f",tsc-frequency={hz or host.khz * 1000}"
    return replace(chosen, args=tuple(args))


def choose(wanted: str, icount: bool, qemu: str, qboot: Path, elf: Path) -> Accel:
    """The accelerator for `wanted`: auto, kvm or tcg."""
    if icount:
        if wanted == "kvm":
            raise CannotRun(Problem.USAGE, "--icount needs TCG: KVM does not count instructions")
        return Accel("tcg-icount", ICOUNT_ARGS, slow=True)
    if wanted == "tcg":
        return Accel("tcg", TCG_ARGS)
    obstacle = kvm_obstacle()
    if wanted == "kvm":
        if obstacle:
            raise CannotRun(Problem.ACCEL_MISSING, obstacle)
        return Accel("kvm", KVM_ARGS, slow=bool(probe(qemu, qboot, elf).reason))
    reason = obstacle or probe(qemu, qboot, elf).reason
    if reason:
        return Accel("tcg", TCG_ARGS, why=f"using TCG: {reason}")
    return Accel("kvm", KVM_ARGS, why="using KVM")

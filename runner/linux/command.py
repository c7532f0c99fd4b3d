# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench linux-guest`: a release's kernel, as Debian packages it, boots on a vmclock page; its clocks are
measured against the page's line, and tickbench's own guest beside them on the same host."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from runner import options, output, plan, scenarios
from runner.errors import need_built
from runner.guest import addresses, boot, firmware, launch, qemu
from runner.lift.images import images
from runner.linux import initramfs, packages
from runner.report import progress, report, table
from runner.report.report import Document
from runner.report.results import Results

RELEASE = "7.3"
BOOT_SECONDS = 120.0
# The counter is the line's own: no other clock may take its place. A panic ends QEMU.
KERNEL_LINE = "console=ttyS0 tsc=reliable clocksource=tsc no-kvmclock mitigations=off panic=-1"
HOTPLUG = "unaligned hotplug range"


def main(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    given.output = given.output or given.build / "linux-guest"
    console = progress.stderr()
    found = qemu.find(given.qemu)
    chosen = launch.choose(given, found, console)
    groups = plan.with_values((("scenario=lock", "clock=tsc"),), [f"duration={given.seconds:.3f}"])
    how = boot.Options(found, chosen, groups, scenarios.read(given.build), given.build, given.output)
    program, table_ = need_built(given.build / "linux-clock"), need_built(given.build / "vmclock.aml")
    kernel = packages.fetch(given.release, given.servo)
    results = Results()
    with output.prepared(given.output):
        _, mailbox = addresses.addresses(table_.read_bytes())
        words = [f"{mailbox:#x}", str(round(given.seconds * 1000)), kernel.version, ",".join(given.servo) or "none"]
        initrd = initramfs.make(kernel, program, words, given.servo, given.output)
        image = images(plan.Plan(groups), given.build, "guest", False, console)[0]
        results.add(*_linux(how, image, kernel, initrd, given, console))
        result, seconds = launch.boot_image(how, image, "-tickbench", "tickbench", console)
        results.add(result.document(how, seconds), result.samples)
        status = results.write(given.output)
    if given.json:
        results.print_json()
    else:
        results.show(given.output, table.console())
    return status


def _servos(text: str) -> tuple[str, ...]:
    names = () if text == "none" else tuple(dict.fromkeys(text.split(",")))
    if unknown := [name for name in names if name not in packages.DAEMONS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(packages.DAEMONS)}, none")
    return names


def _parser() -> options.Parser:
    made = options.Parser("linux-guest", "Boots Debian's packaged kernel on a vmclock page, and measures its clocks.")
    add = made.add_argument
    add("release", nargs="?", default=RELEASE, metavar="VERSION",
        help="a release that Debian packages, as 7.3 or 7.3.4 (default %(default)s)")
    add("--seconds", type=options.seconds, default=20.0, metavar="S",
        help="how long each clock is measured (default %(default)s)")
    add("--servo", type=_servos, default=tuple(packages.DAEMONS), metavar="NAMES",
        help="which daemons steer CLOCK_REALTIME, one after the other: phc2sys, chrony, joined by a comma, or none"
             f" (default {','.join(packages.DAEMONS)})")
    add("--accel", choices=("auto", "kvm", "tcg"), default="auto",
        help="auto takes KVM where it is present and fast, else TCG")
    add("--qemu", metavar="PATH", help="the QEMU to use (default: qemu-system-x86_64)")
    add("--timeout", type=options.seconds, metavar="S", help="end the Linux guest after S seconds")
    add("--json", action="store_true", help="print the report as JSON, and no table")
    options.folders(made, "linux-guest")
    made.set_defaults(icount=False)
    return made


def _linux(how: boot.Options, image: plan.Image, kernel: packages.Kernel, initrd: Path, given: argparse.Namespace,
           console: Console) -> tuple[Document, Path]:
    """Boots the kernel, and gives its report and its samples."""
    files = qemu.Boot("linux", firmware.qboot(), elf=kernel.image, initrd=initrd, line=KERNEL_LINE)
    # Two clocks; and one for each daemon, with the time in which it settles.
    measured_s = (2 + 2 * len(given.servo)) * given.seconds
    timeout = given.timeout or scenarios.quiet_seconds(measured_s, how.accel.slow) + BOOT_SECONDS
    options_ = replace(how, way="linux", groups=(), files=files, timeout=timeout)
    result, seconds = launch.boot_image(options_, image, "", f"linux {kernel.version}", console)
    made = result.document(options_, seconds)
    for run in made["runs"]:
        run["vehicle"] = "linux"
        if not run["skipped"]:
            _judge(run, result.outcome.serial.decode(errors="replace"))
    return made, result.samples


def _judge(run: Document, serial: str) -> None:
    """What the kernel itself said of the page's memory."""
    report.add_claim(run, "the kernel does not take the page for its memory", HOTPLUG not in serial)

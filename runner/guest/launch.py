# SPDX-License-Identifier: GPL-2.0-or-later
"""From the options of a command to a guest that has run: how to boot, and one boot with its progress."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from runner import options, plan, scenarios
from runner.errors import need_built, CannotRun, Problem
from runner.guest import accel, boot, firmware, qemu
from runner.report import progress


def choose(given: options.argparse.Namespace, found: qemu.Qemu, console: Console) -> accel.Accel:
    """The accelerator that the options ask for; says why it is that one."""
    elf = given.build / "probe.elf"
    needs_probe = given.accel != "tcg" and not given.icount and not accel.kvm_obstacle()
    if needs_probe:
        need_built(elf)
    rom = firmware.qboot() if needs_probe else Path()
    chosen = accel.choose(given.accel, given.icount, found.path, rom, elf)
    if chosen.why:
        console.print(chosen.why, markup=False, soft_wrap=True)
    return chosen


def how(
    given: options.argparse.Namespace, wanted: plan.Plan, folder: Path, found: qemu.Qemu,
    extra: tuple[str, ...], console: Console,
) -> boot.Options:
    """How to boot what is asked for: chooses the accelerator, and says why."""
    chosen = choose(given, found, console)
    publisher = "none" if given.no_page else given.publisher
    if given.icount and publisher == "live":
        publisher = accel.ICOUNT_PAGE
    if publisher not in (*boot.LIVE, "none") and not publisher.startswith("static:"):
        raise CannotRun(Problem.USAGE, f"--publisher {publisher} is not live, kernel, static:LINE or none")
    return boot.Options(found, chosen, wanted.groups, scenarios.read(given.build), given.build, folder,
                        given.boot, publisher, given.page, given.timeout, given.gdb, extra)


def boot_image(
    options_: boot.Options, image: plan.Image, suffix: str, title: str, console: Console, raw: bool = False,
) -> tuple[boot.Result, list[float | None]]:
    """Boots one image, and shows its progress; the result, and the wall time of each run."""
    def on_command(line: Sequence[str]) -> None:
        if options_.gdb:
            console.print("QEMU waits for a debugger:\n  " + shlex.join(
                ["gdb", str(image.elf), "-ex", "target remote :1234"]), markup=False, soft_wrap=True)

    with progress.Show(console, title, raw) as show:
        result = boot.run(options_, image, show, suffix, on_command)
    return result, show.seconds

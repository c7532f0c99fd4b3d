# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench run`: boots each image that is asked for, prints the table, writes the results."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from runner import options, output, plan, scenarios
from runner.commands.images import images
from runner.errors import need_built, CannotRun, Problem, Status
from runner.guest import accel, boot, firmware, qemu
from runner.report import progress, table
from runner.report.results import Results


def main(arguments: Sequence[str]) -> Status:
    """The status is the worst run's."""
    ours, extra = options.split(arguments)
    given = options.run_parser().parse_intermixed_args(ours)
    wanted = plan.with_core(plan.Plan(plan.parse(given.words)), given.core)
    folder = given.output or given.build / "run"
    console = Console(stderr=True, highlight=False) if given.raw else table.console()
    found = qemu.find(given.qemu)
    with output.prepared(folder):
        chosen = how(given, wanted, folder, found, tuple(extra), console)
        results = Results()
        made = images(wanted, given.build, "guest", given.periodic, console)
        for image in made:
            suffix = f"-{image.label}" if len(made) > 1 else ""
            _boot(chosen, image, suffix, given, console, results)
        status = results.write(folder)
        if not given.raw:
            results.show(folder, console)
            if wanted.linux and not given.words:
                _compare(wanted, given, console)
        return status


def _compare(wanted: plan.Plan, given: options.argparse.Namespace, console: Console) -> None:
    """A line for each tree: whether its core does as the native one does at its stage. It changes no status:
    `tickbench check` judges that."""
    from runner.lift.kbuild import Variant
    from runner.study import check

    for word in wanted.linux:
        name, found = check.with_native(word, Variant("um", plan.hz(wanted), not given.periodic), given.build)
        console.print("\n".join([f"{name}: beside {found.words()}", *found.details()]), markup=False, soft_wrap=True)


def _choose(given: options.argparse.Namespace, found: qemu.Qemu) -> accel.Accel:
    elf = given.build / "probe.elf"
    needs_probe = given.accel != "tcg" and not given.icount and not accel.kvm_obstacle()
    if needs_probe:
        need_built(elf)
    rom = firmware.qboot() if needs_probe else Path()
    return accel.choose(given.accel, given.icount, found.path, rom, elf)


def how(
    given: options.argparse.Namespace, wanted: plan.Plan, folder: Path, found: qemu.Qemu,
    extra: tuple[str, ...], console: Console,
) -> boot.Options:
    """How to boot what is asked for: chooses the accelerator, and says why."""
    chosen = _choose(given, found)
    if chosen.why:
        console.print(chosen.why, markup=False, soft_wrap=True)
    publisher = "none" if given.no_page else given.publisher
    if given.icount and publisher == "live":
        publisher = accel.ICOUNT_PAGE
    if publisher not in ("live", "none") and not publisher.startswith("static:"):
        raise CannotRun(Problem.USAGE, f"--publisher {publisher} is not live, static:LINE or none")
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


def _boot(
    chosen: boot.Options, image: plan.Image, suffix: str, given: options.argparse.Namespace, console: Console,
    results: Results,
) -> None:
    """Boots one image, and adds its report to the results."""
    result, seconds = boot_image(chosen, image, suffix, image.label, console, given.raw)
    results.add(result.document(chosen, seconds), result.samples)
    results.notes += result.notes
    if result.lost and given.bisect:
        raise CannotRun(Problem.PUBLISHER, result.notes[-1])

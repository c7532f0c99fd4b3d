# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench run`: boots each image that is asked for, prints the table, writes the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from runner import options, output, plan
from runner.errors import CannotRun, Problem, Status, output_error
from runner.guest import boot, launch, qemu
from runner.lift.images import images
from runner.report import table
from runner.report.results import Results


def main(arguments: Sequence[str]) -> Status:
    """The status is the worst run's."""
    ours, extra = options.split(arguments)
    given = options.run_parser().parse_intermixed_args(ours)
    wanted = plan.with_core(plan.Plan(plan.parse(given.words)), given.core)
    if given.record_ticks:
        wanted = replace(wanted, groups=plan.with_values(wanted.groups, ["record_ticks=1"]))
    if any(word.startswith(("record=", "ticks=")) for group in wanted.groups for word in group):
        from runner.study import records

        groups, files = records.for_guest(wanted.groups, given.build)
        wanted, extra = replace(wanted, groups=groups), [*files, *extra]
    folder = given.output or given.build / "run"
    console = Console(stderr=True, highlight=False) if given.raw else table.console()
    found = qemu.find(given.qemu)
    with output.prepared(folder):
        chosen = launch.how(given, wanted, folder, found, tuple(extra), console)
        results = Results()
        made = images(wanted, given.build, "guest", given.periodic, console, given.smp, given.pps)
        for image in made:
            suffix = f"-{image.label}" if len(made) > 1 else ""
            _boot(chosen, image, suffix, given, console, results)
        status = results.write(folder)
        if given.record_ticks:
            _record_ticks(results, given.record_ticks)
        if given.raw:
            return status
        if wanted.linux and not given.words:
            _compare(wanted, given, results)
            status = results.write(folder)
        results.show(folder, console)
        return status


def _record_ticks(results: Results, path: Path) -> None:
    """The delays of the first run that has any, a line each."""
    late_ns = next((record.late_ns for record in results.records if record.late_ns is not None), None)
    if late_ns is None:
        raise CannotRun(Problem.USAGE, "--record-ticks: no run was on the real clock (clock=tsc)")
    try:
        path.write_text("# ns after its due time, a tick (tickbench run --record-ticks)\n"
                        + "".join(f"{each}\n" for each in late_ns.tolist()))
    except OSError as error:
        raise output_error(error, path) from error


def _compare(wanted: plan.Plan, given: options.argparse.Namespace, results: Results) -> None:
    """Adds to the results whether each tree's core does as the native one at its stage and, if it was edited in a
    git checkout, as its HEAD."""
    from runner.lift.kbuild import Variant
    from runner.report.progress import Work, stderr
    from runner.study import check

    for word in wanted.linux:
        with Work(stderr(), "comparison", None, unit="programs") as work:
            found = check.beside(word, Variant("um", plan.hz(wanted), not given.periodic, pps=given.pps),
                                 given.build, work)
        results.comparisons += found.documents()
        results.details += [line for each in found.comparisons if each.differs
                            for line in (f"{found.lifted.tree.name()}, beside {each.words()}", *each.details())]


def _boot(
    chosen: boot.Options, image: plan.Image, suffix: str, given: options.argparse.Namespace, console: Console,
    results: Results,
) -> None:
    """Boots one image, and adds its report to the results."""
    result, seconds = launch.boot_image(chosen, image, suffix, image.label, console, given.raw)
    results.add(result.document(chosen, seconds), result.samples)
    results.notes += result.notes
    if result.lost and given.bisect:
        raise CannotRun(Problem.PUBLISHER, result.notes[-1])

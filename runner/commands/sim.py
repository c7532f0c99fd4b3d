# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench sim`: runs each core that is asked for in a host process, prints the table, writes the
results."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from runner import options, output, plan, simulate
from runner.errors import Status
from runner.lift.images import images
from runner.report import progress, table
from runner.report.results import Results


def main(arguments: Sequence[str]) -> Status:
    """The status is the worst run's."""
    given = options.sim_parser().parse_intermixed_args(list(arguments))
    wanted = plan.with_core(plan.Plan(plan.parse(given.words, plan.SIM_DEFAULT)), given.core)
    folder = given.output or given.build / "sim"
    console = Console(stderr=True, highlight=False) if given.raw else table.console()
    with output.prepared(folder):
        results = Results()
        made = images(wanted, given.build, "sim", given.periodic, console, given.smp, given.pps)
        for image in made:
            suffix = f"-{image.label}" if len(made) > 1 else ""
            data = folder / f"samples{suffix}.bin"
            words = ["--samples", str(data), *plan.words(wanted.groups)]
            with progress.Show(console, image.label, given.raw) as show:
                text, status = simulate.watched(image.sim, words, folder / f"serial{suffix}.log", show.feed)
            results.add(simulate.document(image.sim, text, status, data.name, show.seconds), data)
        status = results.write(folder)
        if not given.raw:
            results.show(folder, console)
        return status

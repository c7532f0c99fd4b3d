# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench migrate`: live migrations of a running guest between hosts, each with its own page, publisher and
clock error. Main memory moves; page and mailbox are each host's own (x-ignore-shared)."""

from __future__ import annotations

from collections.abc import Sequence

from runner import options as command_options, output
from runner.disruption import command, journey
from runner.errors import CannotRun, Problem
from runner.guest.hosts import Host
from runner.report import progress, report

ABOUT_SECONDS = 1.0  # what a migration takes beside the interval: generous


def main(arguments: Sequence[str]) -> int:
    parser = command.parser("migrate", "Migrates a running guest between hosts, and reports what it cost its clock.")
    parser.add_argument("--count", type=command_options.positive, default=10,
                        help="migrations (default %(default)s; at most 1000)")
    parser.add_argument("--clock-error", type=command.errors_ns, default=(0, 0), metavar="NS,NS[,NS...]",
                        help="how far each host's clock is off, ns: as many hosts as numbers, two to eight"
                             " (default 0,0)")
    given = parser.parse_args(arguments)
    given.command = "migrate"
    if given.count > 1000 or not 2 <= len(given.clock_error) <= 8:
        raise CannotRun(Problem.USAGE, "--count is at most 1000, and --clock-error names two to eight hosts")
    console = progress.stderr()
    seconds = given.count * (given.interval + ABOUT_SECONDS)
    options, image = command.prepare(given, given.count, seconds, console)
    with output.prepared(options.output), progress.Show(console, image.label) as show:
        hosts = [Host(number, given.build, options.output, error) for number, error in enumerate(given.clock_error)]
        with journey.begin(options, image.elf, hosts, show) as way:
            for number in range(given.count):
                way.run(given.interval)
                cause = way.migrate(hosts[(number + 1) % len(hosts)])
                console.print(f"{number + 1} of {given.count}: to {cause.host}, away {cause.away_ms} ms, its line"
                              f" {cause.line_ms} ms after", markup=False)
            made, _ = way.finish()
        return command.finish([(way, made)], given, console, _judge)


def _judge(run: dict[str, object], way: journey.Journey) -> None:
    found = run["disruptions"]
    assert isinstance(found, dict)
    command.judge_notice(run)
    command.judge_stock(run, way.options, len(way.causes))
    report.add_claim(run, "the guest sees each migration as one disruption", len(found["seen"]) == len(way.causes))

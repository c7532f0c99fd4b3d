# SPDX-License-Identifier: GPL-2.0-or-later
"""What `tickbench migrate` and `tickbench disrupt` have in common: their options, the guest that they start,
and the results that they write."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from rich.console import Console

from runner import options, plan, scenarios
from runner.disruption import table as disruptions
from runner.disruption.journey import Journey, document, noticed_in_a_tick
from runner.errors import CannotRun, Problem
from runner.guest import accel, boot, launch, qemu
from runner.lift.images import images
from runner.report import ktap, report, table
from runner.report.results import Results

SCENARIO = "disrupted"
SPARE_SECONDS = 30.0


def parser(command: str, description: str) -> options.Parser:
    """The options that both commands take."""
    made = options.Parser(command, description)
    add = made.add_argument
    add("--accel", choices=("auto", "kvm", "tcg"), default="auto",
        help="auto takes KVM where it is present and fast, else TCG")
    add("--core", metavar="CORE", help="native, or linux:TREE to lift the core of a kernel")
    add("--qemu", metavar="PATH", help="the QEMU to use (default: qemu-system-x86_64)")
    add("--tsc-frequency", type=options.positive, metavar="HZ",
        help="the guest's TSC under KVM, which must have TSC scaling unless it is the host's (default: the host's)")
    add("--stock", action="store_true",
        help="give the guest QEMU's own vmclock device as well, of whose markers it takes notice (QEMU 10 or later)")
    add("--interval", type=options.seconds, default=1.0, metavar="S",
        help="the time between two disruptions, in seconds (default %(default)s)")
    add("--timeout", type=options.seconds, metavar="S",
        help="end the guest if it is not done S seconds after the last disruption")
    add("--json", action="store_true", help="print the report as JSON, and no table")
    options.folders(made, command)
    made.set_defaults(bisect=False, icount=False)
    return made


def errors_ns(text: str) -> tuple[int, ...]:
    """Clock errors of hosts: whole ns joined by commas, each within a second."""
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a list of whole nanoseconds") from None
    if any(abs(each) > 10**9 for each in found):
        raise argparse.ArgumentTypeError(f"{text} has an error of more than a second")
    return found


def prepare(given: argparse.Namespace, count: int, seconds: float, console: Console) -> tuple[boot.Options, plan.Image]:
    """The guest for so many disruptions within so many seconds, and how to boot it. No disruptions: it runs
    for just that time."""
    wanted = plan.with_core(plan.Plan(groups(((f"scenario={SCENARIO}", "clock=tsc"),), count, seconds)), given.core)
    if len(wanted.linux) > 1:
        raise CannotRun(Problem.USAGE, "one core at a time is disrupted")
    found = qemu.find(given.qemu)
    if given.stock:
        qemu.need_stock(found)
    chosen = accel.migratable(launch.choose(given, found, console), given.tsc_frequency)
    image = images(wanted, given.build, "guest", False, console)[0]
    folder = given.output or given.build / given.command
    return boot.Options(found, chosen, wanted.groups, scenarios.read(given.build), given.build, folder,
                        timeout=given.timeout, extra=qemu.STOCK if given.stock else ()), image


def groups(before: Sequence[scenarios.Group], count: int, seconds: float) -> tuple[tuple[str, ...], ...]:
    """The experiments with another count and time."""
    duration = seconds + (SPARE_SECONDS if count else 0)
    return plan.with_values(before, [f"disruptions={count}", f"duration={duration:.3f}"])


def finish(journeys: Sequence[tuple[Journey, ktap.Report]], given: argparse.Namespace, console: Console,
           judge: Callable[[dict[str, object], Journey], None] = lambda run, journey: None) -> int:
    """Writes report.json and the picture, and prints the tables; the status. judge adds claims to a run."""
    results, folder = Results(), journeys[0][0].options.output
    for journey, made in journeys:
        whole = document(journey, made)
        for run in whole["runs"]:
            judge(run, journey)
        results.add(whole, journey.samples)
    status = results.write(folder)
    if given.json:
        results.print_json()
        return status
    for each in results.documents:
        for run in each["runs"]:
            disruptions.show(run, table.console())
    results.show(folder, table.console())
    return status


def judge_notice(run: report.Document) -> None:
    """The guest looks at the marker in every tick."""
    report.add_claim(run, "the guest notices each disruption within a tick of the marker's move",
                     noticed_in_a_tick(run))


def judge_stock(run: dict[str, object], options: boot.Options, moves: int) -> None:
    """With --stock: QEMU's own device told the guest of so many disruptions."""
    metrics = run["metrics"]
    assert isinstance(metrics, dict)
    if options.extra == qemu.STOCK:
        report.add_claim(run, f"QEMU's own device moved its markers {moves} times, and the guest saw it",
                         metrics.get("device_moves") == moves)

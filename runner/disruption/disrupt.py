# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench disrupt`: what happens to a guest beside live migration. Each kind is one run of a guest of its
own, so that one that fails spoils no other."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from runner import output, options as command_options
from runner.disruption import command, kill
from runner.disruption.journey import Journey, begin
from runner.errors import CannotRun, Problem
from runner.guest import boot
from runner.guest.hosts import Host
from runner.plan import Image
from runner.report import ktap, progress, report

AFTER_SECONDS = 5.0  # for a guest that sees no disruption, and so cannot tell when to end
Done = list[tuple[Journey, ktap.Report]]


@dataclass(frozen=True)
class Kind:
    """One way to disrupt a guest. `seen`: how many disruptions the guest must see of it, at least and at most."""

    help: str
    hosts: int
    seen: tuple[int, int]
    act: Callable[[Journey, Sequence[Host], float], None]


def _stop(way: Journey, hosts: Sequence[Host], away: float) -> None:
    way.stop(away, hosts[0])


def _snapshot(way: Journey, hosts: Sequence[Host], away: float) -> None:
    way.snapshot(away, hosts[0])


def _clone(way: Journey, hosts: Sequence[Host], away: float) -> None:
    way.clone(hosts[1], hosts[2])


def _reset(way: Journey, hosts: Sequence[Host], away: float) -> None:
    way.reset(hosts[0])


def _suspend(way: Journey, hosts: Sequence[Host], away: float) -> None:
    way.suspend(away, hosts[0])


def _kill(way: Journey, hosts: Sequence[Host], away: float) -> None:
    way.kill_publisher(away, hosts[0])


def _freeze(way: Journey, hosts: Sequence[Host], away: float) -> None:
    way.freeze_publisher(away, hosts[0])


KINDS = {
    "stop": Kind("QMP's stop, and cont", 1, (1, 1), _stop),
    "snapshot": Kind("a snapshot that is restored (snapshot-save, snapshot-load)", 1, (1, 1), _snapshot),
    "clone": Kind("a snapshot that is restored twice: two clones of one guest", 3, (1, 1), _clone),
    "reset": Kind("system_reset", 1, (0, 0), _reset),
    "suspend": Kind("the host's suspend: QEMU and publisher are stopped and continued (SIGSTOP)", 1, (0, 1), _suspend),
    "kill": Kind("the publisher is killed, and started again", 1, (1, 1), _kill),
    "freeze": Kind("the publisher is stopped and continued", 1, (0, 0), _freeze),
}


def main(arguments: Sequence[str]) -> int:
    parser = command.parser("disrupt", "Stops, restores, clones and resets a running guest, and reports what it cost.")
    parser.add_argument("kinds", nargs="*", metavar="kind",
                        help="; ".join(f"{name}: {kind.help}" for name, kind in KINDS.items()) + " (default: all)")
    parser.add_argument("--away", type=command_options.seconds, default=1.0, metavar="S",
                        help="how long a stop lasts, in seconds (default %(default)s)")
    parser.add_argument("--count", type=command_options.positive, default=1,
                        help="kill: so many publishers, one after the other, at random moments (at most 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of these moments (default %(default)s)")
    given = parser.parse_args(arguments)
    given.command = "disrupt"
    if given.count > 1 and (given.kinds != ["kill"] or given.count > 1000):
        raise CannotRun(Problem.USAGE, "--count is at most 1000, and of the kind kill alone")
    for name in given.kinds:
        if name not in KINDS:
            raise CannotRun(Problem.USAGE, f"\"{name}\" is none of {', '.join(KINDS)}")
    names = given.kinds or list(KINDS)
    console = progress.stderr()
    first, image = command.prepare(given, 1, given.away, console)
    done: Done = []
    with output.prepared(first.output):
        if given.count > 1:
            return command.finish(kill.many(given, first, image, console), given, console, kill.judge)
        for name in names:
            done += _one(name, given, first, image, console)
    return command.finish(done, given, console, _judge)


def _one(name: str, given: argparse.Namespace, first: boot.Options, image: Image, console: Console) -> Done:
    """Boots a guest, disrupts it in this way, and waits for its end. A clone is a second guest."""
    kind = KINDS[name]
    seconds = given.interval + given.away + AFTER_SECONDS
    options = replace(first, groups=command.groups(first.groups, kind.seen[0], seconds))
    console.print(f"{name}: {kind.help}", markup=False)
    with progress.Show(console, name) as show:
        hosts = [Host(number, given.build, options.output, generation=number + 1) for number in range(kind.hosts)]
        with begin(options, image.elf, hosts, show, name) as way:
            way.run(given.interval)
            kind.act(way, hosts, given.away)
            return [(each, each.finish()[0]) for each in way.guests()]


def _judge(run: dict[str, object], way: Journey) -> None:
    found, kind = run["disruptions"], KINDS[way.name]
    assert isinstance(found, dict)
    seen = len(found["seen"])
    least, most = kind.seen
    wanted = f"{least}" if least == most else f"{least} or {most}"
    report.add_claim(run, f"{way.label}: the guest sees {wanted} disruptions", least <= seen <= most)
    command.judge_notice(run)
    command.judge_stock(run, way.options, int(way.name in ("snapshot", "clone")))
    if way.name in ("snapshot", "clone"):
        report.add_claim(run, f"{way.label}: the VM generation counter is another one than before",
                         all(saw["generation"] != 1 for saw in found["seen"]))

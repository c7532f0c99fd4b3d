# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench disrupt kill --count N`: publishers that are killed at random moments under a running guest, and
started again on the files that they left. Two guests: one follows the line (scenario `killed`), and one reads a
page of recognisable lines, whose writer is killed in mid-update more often than not (scenario `torn`)."""

from __future__ import annotations

import argparse
import random
import signal
from collections import Counter
from dataclasses import replace

from rich.console import Console

from runner import plan
from runner.disruption.journey import Journey, begin
from runner.errors import CannotRun, Problem
from runner.guest import boot
from runner.guest.hosts import Host, StressHost
from runner.plan import Image
from runner.report import ktap, progress

ALIVE_SECONDS, DEAD_SECONDS = 0.25, 0.05  # at most; a first line takes some 0.1 s
STRESS_SECONDS = 0.02
LONG_EVERY, LONG_SECONDS = 100, 6.0  # one in so many stays dead for longer than its line is valid
FROZEN = 4  # one in so many is stopped (SIGSTOP) before it is killed
# Generous, of a busy host: the guest ends by itself after the last one.
KILL_SECONDS, SPARE_SECONDS = 2.0, 30.0
LINE_SECONDS = 10.0
TORN_READY = b"# param run "
Done = list[tuple[Journey, ktap.Report]]


def many(given: argparse.Namespace, first: boot.Options, image: Image, console: Console) -> Done:
    """Kills so many publishers of each kind; the guests' reports."""
    chance = random.Random(given.seed)
    return [make(given.count, chance, first, image, console) for make in (_followed, _stressed)]


def _with(first: boot.Options, scenario: str, count: int, seconds: float) -> boot.Options:
    words = [f"scenario={scenario}", f"disruptions={count}", f"duration={seconds:.3f}"]
    return replace(first, groups=plan.with_values(first.groups, words))


def _die(way: Journey, host: Host, chance: random.Random, alive: float, dead: float) -> str:
    """Kills the publisher at a random moment within `alive` seconds; what its page says then. Another one is started
    on it `dead` seconds later."""
    way.run(chance.uniform(0, alive))
    if way.machine.ended:
        raise CannotRun(Problem.GUEST_STALLED, "the guest ended before the last publisher was killed",
                        boot.last_lines(way.serial().decode(errors="replace")))
    if chance.randrange(FROZEN) == 0:
        host.publisher.signal(signal.SIGSTOP)
        way.run(chance.uniform(0, DEAD_SECONDS))
    host.publisher.signal(signal.SIGKILL)
    head = host.head()
    way.run(dead)
    host.publisher.restart()
    return "in mid-update" if head.seq_count & 1 else "with a line" if head.usable else "before its first line"


def _kills(way: Journey, host: Host, count: int, chance: random.Random, alive: float, console: Console,
           long: bool = False) -> None:
    """Kills so many, and notes how they died."""
    died: Counter[str] = Counter()
    with progress.Work(console, f"{way.name}: publishers killed", count) as work:
        for number in range(1, count + 1):
            if number % LONG_EVERY or not long:
                died[_die(way, host, chance, alive, chance.uniform(0, DEAD_SECONDS))] += 1
            else:
                way.run(2 * alive)  # for its first line
                died[_die(way, host, chance, alive, LONG_SECONDS)] += 1
            work.add()
    way.notes += [f"{number} publishers died {when}" for when, number in sorted(died.items())]


def _followed(count: int, chance: random.Random, first: boot.Options, image: Image,
              console: Console) -> tuple[Journey, ktap.Report]:
    options = _with(first, "killed", count, SPARE_SECONDS + count * KILL_SECONDS)
    with progress.Show(console, "kill") as show:
        host = Host(0, options.build, options.output, warm_up=0.05)
        with begin(options, image.elf, [host], show, "kill") as way:
            _kills(way, host, count, chance, ALIVE_SECONDS, console, True)
            return way, way.finish()[0]


def _stressed(count: int, chance: random.Random, first: boot.Options, image: Image,
              console: Console) -> tuple[Journey, ktap.Report]:
    """The guest reads until the last writer ends in peace."""
    options = _with(first, "torn", 0, SPARE_SECONDS + count * KILL_SECONDS)
    with progress.Show(console, "kill, torn") as show:
        host = StressHost(0, options.build, options.output)
        with begin(options, image.elf, [host], show, "torn", TORN_READY) as way:
            _kills(way, host, count, chance, STRESS_SECONDS, console)
            # Before its first line the last one has no handler, and would end without a word.
            before = host.head()
            way.machines.wait(lambda: host.head().seq_count != before.seq_count, LINE_SECONDS)
            host.publisher.signal(signal.SIGTERM)
            return way, way.finish()[0]


def judge(run: dict[str, object], way: Journey) -> None:
    """Adds what the host counted to a guest whose publishers were killed."""
    notes = run["notes"]
    assert isinstance(notes, list)
    notes += way.notes

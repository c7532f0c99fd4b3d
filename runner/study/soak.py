# SPDX-License-Identifier: GPL-2.0-or-later
"""Differences between the native core and a lifted one: looks for them with tickbench-diff, and cuts
the script that shows one down to what is needed. Assumes tickbench-diff's exit statuses: 0 no
difference, 1 a difference, 2 could not run.

`make soak` is this: ./tickbench soak 7.3,7.2 --ticks 1000000000"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from runner import BUILD, options
from runner.errors import CannotRun, Problem, Status

PROGRAM = "tickbench-diff"
# A line of what differs: name, native, linux.
FIELD = re.compile(r"^  (\S.*?) +-?\d+ +-?\d+$", re.MULTILINE)
CHUNK = 50_000_000  # ticks of one process: what is printed between


@dataclass(frozen=True)
class Outcome:
    """Of one comparison. script: the operations that show the difference, none if there is none."""

    ticks: int
    script: tuple[str, ...] = ()
    words: str = ""

    @property
    def differs(self) -> bool:
        return bool(self.script)

    @property
    def fields(self) -> frozenset[str]:
        """The names of what differs."""
        return frozenset(FIELD.findall(self.words))


def _run(program: Path, arguments: Sequence[str], script: str | None = None) -> tuple[int, str]:
    done = subprocess.run([str(program), *arguments], input=script, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise CannotRun(Problem.LIFT, f"{program.name} ended with status {done.returncode}",
                        done.stdout + done.stderr)
    return done.returncode, done.stdout


@dataclass(frozen=True)
class Stage:
    """Which of the series' switches a lifted core has; names as in tk.h, without its prefix."""

    kernel: str
    switches: frozenset[str]  # by its behaviour
    unknown: frozenset[str]  # those of which it behaves neither like a core with nor like one without
    source: frozenset[str]  # by how it is spelled
    missing: frozenset[str]  # that its release has and it does not
    stopped_tick: str  # what a tick does while cycle_interval is 0, in words

    def words(self) -> str:
        """A line for people, and one for each thing that is not as it should be."""
        def names(switches: frozenset[str]) -> str:
            return ", ".join(sorted(switches)) or "none"

        told = TOLD - self.unknown
        lines = [f"switches, by its behaviour: {names(self.switches)}; a tick while cycle_interval is 0 "
                 f"{self.stopped_tick}"]
        if (self.source ^ self.switches) & told:
            lines.append(f"NOTE: its source seems to have: {names(self.source & told)}")
        if self.unknown:
            lines.append(f"NOTE: it behaves neither like a core with {names(self.unknown)} nor like one without")
        if self.missing:
            lines.append(f"MISSING: linux {self.kernel} has {names(self.missing)} in its release; this tree does not")
        return "\n".join(lines)


# What tickbench-diff tells by behaviour; the rest of the switches is the source's word alone.
TOLD = frozenset(("remainder", "remainder-v2", "clawback", "tail", "skew"))


def stage(program: Path) -> Stage:
    """Has tickbench-diff probe the core that was lifted into it."""
    said = json.loads(_run(program, ["--stage"])[1])

    def names(what: str) -> frozenset[str]:
        return frozenset(name for name in said[what].split(",") if name != "none")

    return Stage(said["kernel"], names("switches"), names("unknown"), names("source"), names("missing"),
                 said["stopped_tick"])


def compare_script(program: Path, script: Sequence[str]) -> Outcome:
    """Runs one script; ticks are those compared before a difference, if any."""
    status, said = _run(program, ["-"], "\n".join(script) + "\n")
    ticks = json.loads(said.splitlines()[-1].removeprefix("# "))["ticks"]
    return Outcome(ticks, tuple(script), said) if status else Outcome(ticks)


def compare_random(program: Path, seed: int, ticks: int) -> Outcome:
    """Random scripts until `ticks` have been compared or one differs."""
    status, said = _run(program, ["--random", str(seed), str(ticks)])
    lines = said.splitlines()
    compared = json.loads(lines[-1].removeprefix("# "))["ticks"]
    if not status:
        return Outcome(compared)
    end = next(i for i, line in enumerate(lines) if line.startswith("# DIFFER"))
    return Outcome(compared, tuple(lines[:end]), "\n".join(lines[end:]))


def _without(script: Sequence[str]) -> Iterator[list[str]]:
    """Shorter scripts: without a run of lines, long runs first; the init stays."""
    size = len(script) // 2
    while size:
        for start in range(1, len(script) - size + 1, size):
            yield [*script[:start], *script[start + size:]]
        size //= 2


def _smaller(script: Sequence[str]) -> Iterator[list[str]]:
    """Scripts with one number nearer to zero."""
    for i, line in enumerate(script):
        name, *numbers = line.split()
        for j, number in enumerate(numbers):
            value = int(number, 0)
            for less in dict.fromkeys((0, value // 1000, value // 2, value - (value > 0) + (value < 0))):
                if abs(less) < abs(value):
                    changed = [*numbers[:j], str(less), *numbers[j + 1:]]
                    yield [*script[:i], " ".join([name, *changed]), *script[i + 1:]]


def shrink(differs: Callable[[Sequence[str]], bool], script: Sequence[str], tries: int = 2000) -> list[str]:
    """A shorter script that differs still: fewer operations, then smaller numbers. Bounded."""
    best = list(script)
    for candidates in (_without, _smaller):
        again = True
        while again and tries > 0:
            again = False
            for candidate in candidates(best):
                tries -= 1
                if tries <= 0:
                    break
                if differs(candidate):
                    best, again = candidate, True
                    break
    return best


def explain(program: Path, outcome: Outcome) -> str:
    """The shortest script found in which the same fields differ, how they differ, and the command that shows
    it again."""
    def differs(script: Sequence[str]) -> bool:
        try:
            return compare_script(program, script).fields == outcome.fields
        except CannotRun:
            return False

    script = shrink(differs, outcome.script)
    words = compare_script(program, script).words
    listing = "\\n".join(script)
    return f"{words}replay: printf '{listing}\\n' | {program} -"


def soak(program: Path, ticks: int, seed: int, say: Callable[[str], None]) -> Outcome:
    """`ticks` in all, on every core of this machine; stops at the first difference."""
    total, began = 0, time.monotonic()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        seeds = range(seed, seed + -(-ticks // CHUNK))
        for outcome in pool.map(lambda s: compare_random(program, s, min(CHUNK, ticks)), seeds):
            total += outcome.ticks
            if outcome.differs:
                pool.shutdown(cancel_futures=True)
                return Outcome(total, outcome.script, outcome.words)
            rate = total / (time.monotonic() - began) / 1e6
            say(f"  {total / 1e6:.0f} million ticks, no difference ({rate:.1f} million/s)")
    return Outcome(total)


def positive(text: str) -> int:
    """A count: to compare nothing would find no difference."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def main(arguments: Sequence[str]) -> int:
    from runner.lift import lift, trees
    from runner.lift.kbuild import Variant

    parser = options.Parser("soak", "Compares the native core with lifted ones over random operations.")
    parser.add_argument("linux", help="PATH, PATH@REV or a release; several joined by commas")
    parser.add_argument("--ticks", type=positive, default=1_000_000_000, help="for each (default %(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="(default: the time)")
    parser.add_argument("--hz", type=int, default=1000, help="(default %(default)s)")
    parser.add_argument("--as-it-is", action="store_true",
                        help="a tree that lacks a switch of its release is meant to: that is no failure")
    parser.add_argument("--build", type=Path, default=BUILD, help="(default %(default)s)")
    given = parser.parse_args(arguments)
    status = Status.PASSED
    for word in trees.words(given.linux):
        done = lift.lift(word, Variant("um", given.hz, True), given.build, (PROGRAM,))
        print(f"{done.tree.name()}, HZ {given.hz}, seed {given.seed}:", flush=True)
        program = done.folder / PROGRAM
        found = stage(program)
        print(found.words(), flush=True)
        if found.missing and not given.as_it_is:
            status = Status.FAILED
        outcome = soak(program, given.ticks, given.seed, lambda line: print(line, flush=True))
        if outcome.differs:
            print(explain(program, outcome))
            status = Status.FAILED
        else:
            print(f"{done.tree.label}: {outcome.ticks} ticks compared, 0 differing fields", flush=True)
    return status

# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether two timekeeping cores behave the same: both run in one process on the same random scripts, and
states and readings are compared after every tick. docs/equal.md describes it.

`make equal A=... B=...` is this: ./tickbench equal A B"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from runner import BUILD, options
from runner.errors import Status
from runner.lift import words
from runner.lift.compilers import Toolchain
from runner.lift.kbuild import Variant
from runner.report import progress
from runner.study import pairs
from runner.study.differ import Outcome
from runner.study.pairs import Pair, Result

TICKS = 10_000_000
# Values of these options begin with a dash: argparse would take them for options.
DASHED = ("--cflags-a", "--cflags-b")
# No operation of the comparison shows these switches: reference and feed are on in both cores, and nothing that
# is compared ticks while cycle_interval is 0 unless both cores skip such a tick.
UNSEEN = frozenset(("divzero", "reference", "feed"))


def listed(names: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def left_out(pair: Pair, result: Result) -> list[str]:
    """What was not compared, and why: a sentence each."""
    lines = []
    if result.left_out:
        lines.append(f"left out: {listed(result.left_out)}, which {result.lacking} does not have")
    for each, only, other in zip(pair.sides, result.only, reversed(pair.sides)):
        # Native has every reading of any kernel.
        if only and not each.core.native:
            lines.append(f"left out: {len(only)} readings that {each.label} has and {other.label} does not: "
                         f"{', '.join(only)}")
    if pair.a.core.native and pair.b.core.native:
        a, b = (words.ALL if each.core.switches is None else each.core.switches for each in pair.sides)
        unseen = (a ^ b) & UNSEEN
        if unseen:
            lines.append(f"not shown by any operation: {listed(sorted(unseen))}")
    return lines


def because(result: Result) -> str:
    """What the difference is due to, as far as that is known."""
    if result.because:
        switches = "switch" if len(result.because) == 1 else "switches"
        return (f"differs because of the {switches} {listed(result.because)}: the native core differs from itself "
                "with and without, in the same script")
    if result.unlike:
        return f"no switch explains it, though only one of the cores has {listed(result.unlike)}"
    return ""


def verdict(pair: Pair, result: Result) -> str:
    """What was found, in words."""
    a, b = (each.label for each in pair.sides)
    lines = []
    if not result.differs:
        lines.append(f"{a} is equal to {b} over {result.ticks:,} ticks: {result.fields} fields of the state, "
                     f"{result.readings} readings")
    else:
        lines += [f"{a} differs from {b}, first seen within {result.ticks:,} ticks"]
        lines += [f"  {each.name}: A {each.a}, B {each.b} ({each.b - each.a:+d})" for each in result.different]
        lines += ["shortest script:", *(f"  {line}" for line in result.script)]
        lines += [f"at tick {result.tick} of the operation {result.operation.split()[0]}, counter {result.counter}"]
        lines += [text] if (text := because(result)) else []
        lines += [f"replay: {result.replay}"]
    lines += [f"undefined behaviour: {each.what}, {each.place} ({each.count} times)" for each in result.undefined]
    return "\n".join(lines + left_out(pair, result))


def document(pair: Pair, result: Result) -> dict[str, object]:
    """The result for --json."""
    found = dataclasses.asdict(result)
    found["switches"] = [sorted(each) for each in result.switches]
    return {"a": pair.a.label, "b": pair.b.label, "hz": pair.hz, "equal": not result.differs, **found}


def status(result: Result) -> Status:
    """3 where the cores differ, or one of them does what C does not define."""
    return Status.DIFFERS if result.differs or result.undefined else Status.PASSED


def _joined(arguments: Sequence[str]) -> list[str]:
    """The value of an option of DASHED as one word with its name."""
    found: list[str] = []
    rest = iter(arguments)
    for word in rest:
        value = next(rest, None) if word in DASHED else None
        found.append(word if value is None else f"{word}={value}")
    return found


def parser() -> options.Parser:
    """The options of `tickbench equal`."""
    made = options.Parser("equal", "Compares two timekeeping cores in one process, tick by tick.")
    add = made.add_argument
    add("a", metavar="A", help="native, native:SWITCHES, a tree, TREE@REV or a release")
    add("b", metavar="B", help="the same; a native core without switches has those of a lifted core beside it")
    add("--ticks", type=options.positive, default=TICKS, help="(default %(default)s)")
    add("--seed", type=int, help="of the random scripts (default: 1, or that of a run that was interrupted)")
    add("--jobs", type=options.positive, help="processes (default: one for each processor)")
    add("--hz", type=int, default=1000, help="(default %(default)s)")
    add("--periodic", action="store_true", help=options.PERIODIC)
    add("--pps", action="store_true", help=options.PPS)
    for letter in "ab":
        upper = letter.upper()
        add(f"--cc-{letter}", metavar="COMPILER", default="", help=f"compile {upper}'s tree with this, such as clang")
        add(f"--cflags-{letter}", metavar="FLAGS", default="",
            help=f"further flags for {upper}'s tree, such as -O1 or -fsanitize=undefined")
    add("--json", action="store_true", help="print the result as JSON")
    add("--build", type=Path, default=BUILD, help="(default %(default)s)")
    return made


def pair_of(given: argparse.Namespace) -> Pair:
    """Lifts and links what the options name."""
    sides = []
    for word, cc, cflags in ((given.a, given.cc_a, given.cflags_a), (given.b, given.cc_b, given.cflags_b)):
        variant = Variant("um", given.hz, not given.periodic, Toolchain(cc, tuple(shlex.split(cflags))),
                          pps=given.pps)
        sides.append(pairs.side(words.parse(word), variant, given.build))
    return pairs.link(sides[0], sides[1], given.hz, given.build)


def watched(pair: Pair, ticks: int, kept: pairs.Kept, jobs: int, title: str) -> Result:
    """pairs.compare() with its progress on stderr."""
    seeds, each = pairs.pieces(ticks, kept.seed)
    before = sum(kept.get(seed) is not None for seed in seeds)
    with progress.Work(progress.stderr(), title, len(seeds) * each, before * each, "ticks") as work:
        def say(_: Outcome) -> None:
            work.add(each)

        return pairs.compare(pair, ticks, kept.seed, jobs, say, kept)


def main(arguments: Sequence[str]) -> int:
    given = parser().parse_args(_joined(arguments))
    pair = pair_of(given)
    kept = pairs.Kept(pair, given.ticks, given.seed)
    result = watched(pair, given.ticks, kept, given.jobs or 0, "equal")
    if given.json:
        print(json.dumps(document(pair, result)))
    else:
        print(verdict(pair, result))
    return status(result)

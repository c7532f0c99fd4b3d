# SPDX-License-Identifier: GPL-2.0-or-later
"""Differences between the native core and lifted ones: looks for them over random operations, and cuts the
script that shows one down to what is needed.

`make soak` is this: ./tickbench soak 7.3,7.2 --ticks 1000000000"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from runner import BUILD, options
from runner.errors import Status
from runner.study import pairs
from runner.study.differ import PROGRAM, Outcome, Program, stage


def soak(program: Program, ticks: int, seed: int, say: Callable[[str], None]) -> Outcome:
    """`ticks` in all, on every processor of this machine; stops at the first difference."""
    total, began = 0, time.monotonic()

    def tell(_: int, outcome: Outcome) -> None:
        nonlocal total
        total += outcome.ticks
        if not outcome.differs:
            rate = total / (time.monotonic() - began) / 1e6
            say(f"  {total / 1e6:.0f} million ticks, no difference ({rate:.1f} million/s)")

    seeds, each = pairs.pieces(ticks, seed)
    total_ticks, outcome = pairs.search(program, seeds, each, os.cpu_count() or 1, tell)
    if outcome is None or not outcome.differs:
        return Outcome(total_ticks)
    return Outcome(total_ticks, outcome.script, outcome.words, outcome.summary)


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
            print(pairs.explain(program, outcome))
            status = Status.FAILED
        else:
            print(f"{done.tree.label}: {outcome.ticks} ticks compared, 0 differing fields", flush=True)
    return status

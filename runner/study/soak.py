# SPDX-License-Identifier: GPL-2.0-or-later
"""Differences between the native core and lifted ones: looks for them over random operations, and cuts the
script that shows one down to what is needed.

`make soak` is this: ./tickbench soak 7.3,7.2 --ticks 1000000000. With --years, it lets years pass instead
(years.py)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from runner import BUILD, options
from runner.errors import CannotRun, Problem, Status
from runner.lift import trees
from runner.lift.kbuild import Variant
from runner.study import differ, equal, pairs, years


def main(arguments: Sequence[str]) -> int:
    parser = options.Parser("soak", "Compares the native core with lifted ones over random operations.")
    parser.add_argument("linux", nargs="?", default="",
                        help="PATH, PATH@REV or a release; several joined by commas; with --years also native,"
                        " which is the default there")
    parser.add_argument("--years", type=float,
                        help="let a core follow a line for so many simulated years, each tick of them")
    parser.add_argument("--start-s", type=int, default=years.START_S,
                        help="with --years: the time to start from, seconds since 1970 (default: 2026)")
    parser.add_argument("--ticks", type=options.positive, default=1_000_000_000,
                        help="for each (default %(default)s)")
    parser.add_argument("--seed", type=int,
                        help="(default: that of a run that was interrupted, else the time)")
    parser.add_argument("--hz", type=int, default=1000, help="(default %(default)s)")
    parser.add_argument("--as-it-is", action="store_true",
                        help="a tree that lacks a switch of its release is meant to: that is no failure")
    parser.add_argument("--build", type=Path, default=BUILD, help="(default %(default)s)")
    given = parser.parse_args(arguments)
    if given.years is not None:
        return years.soak(trees.words(given.linux) or ["native"], given.years, given.hz, given.start_s,
                          1 if given.seed is None else given.seed, given.build)
    if not given.linux:
        raise CannotRun(Problem.USAGE, "name a tree or a release to compare native with, or give --years")
    status = Status.PASSED
    for word in trees.words(given.linux):
        pair = pairs.of("native", word, Variant("um", given.hz, True), given.build)
        kept = pairs.Kept(pair, given.ticks, given.seed, int(time.time()))
        print(f"{pair.b.label}, HZ {given.hz}, seed {kept.seed}:", flush=True)
        found = differ.stage(pair.program)
        print(found.words(), flush=True)
        if found.missing and not given.as_it_is:
            status = Status.FAILED
        result = equal.watched(pair, given.ticks, kept, 0, "soak")
        if result.differs:
            print(equal.verdict(pair, result))
            status = Status.FAILED
        else:
            rate = result.ticks / max(result.seconds, 1e-9) / 1e6
            print(f"{pair.b.label}: {result.ticks} ticks compared, 0 differing fields ({rate:.1f} million/s)",
                  flush=True)
    return status

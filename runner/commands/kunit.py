# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench kunit`: the claims that need nothing but a core, as KTAP that KUnit's parser reads."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from runner import BUILD, options, simulate
from runner.errors import Status
from runner.lift import trees
from runner.lift.lift import lift
from runner.lift.kbuild import Variant
from runner.report import kunit

# Setting and adjusting (adjtime, steps), leap seconds, suspends, auxiliary clocks; a slew, a step, and drift.
SCENARIOS = "adjust,leap,sleep,aux,getters,vdso,told,slew,step,lock"


def main(arguments: Sequence[str]) -> int:
    parser = options.Parser("kunit", "Prints the claims that need nothing but a core, as KUnit's parser reads them.")
    parser.add_argument("--linux", help="PATH, PATH@REV or a release (7.3); several joined by commas")
    parser.add_argument("--hz", type=int, default=1000, help="(default %(default)s)")
    parser.add_argument("--build", type=Path, default=BUILD, help="(default %(default)s)")
    parser.add_argument("words", nargs="*", metavar="name=value", help=f"(default scenario={SCENARIOS})")
    given = parser.parse_args(arguments)
    words = [f"scenario={SCENARIOS}", *given.words, f"hz={given.hz}"]
    if given.linux:
        done = [lift(word, Variant("um", given.hz, True), given.build) for word in trees.words(given.linux)]
        for each in done:
            sys.stderr.write(each.warnings)
        cores = [(each.folder / "tickbench-sim", "linux") for each in done]
    else:
        cores = [(given.build / "tickbench-sim", "native")]
    runs = [run for program, core in cores for run in simulate.runs(program, [f"core={core}", *words])]
    print("\n".join(kunit.lines(runs)))
    return Status.FAILED if any(run["ok"] is False for run in runs) else Status.PASSED

# SPDX-License-Identifier: GPL-2.0-or-later
"""Two timekeeping cores in one process: links a program for a pair of cores, compares them over random
operations on all processors, and cuts the script that shows a difference down to what is needed. For equal,
check, series, bisect and soak.

    pair = pairs.of("7.2", "~/src/linux@v7.3", Variant("um", 1000, True), build)
    result = pairs.compare(pair, ticks=1_000_000, seed=1)
"""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import CannotRun, Problem
from runner.lift import lift, words
from runner.lift.kbuild import Variant
from runner.lift.link import PairLinker
from runner.study import differ
from runner.study.differ import Field, Outcome
from runner.study.shrink import shrink
from runner.study.store import Store, key_of

KEPT = 100_000_000  # ticks
# Ticks of one process: enough that its start does not matter, few enough that a difference ends the others soon.
LEAST, MOST = 250_000, 50_000_000
PIECES = 16


@dataclass(frozen=True)
class Side:
    """One core of a pair, ready to be linked."""

    core: words.Core
    label: str
    folder: Path  # where link.mk has its core_a.o and core_b.o
    lifted: lift.Lifted | None = None


@dataclass(frozen=True)
class Pair:
    """Two cores in one program. a and b may be the same core."""

    a: Side
    b: Side
    program: tuple[str, ...]  # with the options that say which switches a native core has
    build: Path
    hz: int

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.a, self.b


@dataclass(frozen=True)
class Undefined:
    """A place at which a core that was compiled with -fsanitize=undefined did what C does not define."""

    what: str
    place: str  # file:line:column
    count: int


@dataclass(frozen=True)
class Result:
    """What a comparison found."""

    ticks: int
    seconds: float
    seed: int
    fields: int  # of the state, that were compared
    readings: int
    left_out: tuple[str, ...]  # fields of the state that only one of the cores has
    lacking: str  # the label of the core that lacks them
    only: tuple[tuple[str, ...], tuple[str, ...]]  # readings that only A has, and those that only B has
    switches: tuple[frozenset[str], frozenset[str]]  # of A and B, by their behaviour
    # All below is empty if nothing differs.
    different: tuple[Field, ...] = ()
    operation: str = ""
    tick: int = 0  # within the operation
    counter: int = 0  # after the operation
    script: tuple[str, ...] = ()  # the shortest that was found
    replay: str = ""
    words: str = ""  # the difference as the program prints it
    because: tuple[str, ...] = ()  # the switches that make the native core differ in the same way
    unlike: tuple[str, ...] = ()  # the switches that the cores do not share
    undefined: tuple[Undefined, ...] = ()

    @property
    def differs(self) -> bool:
        return bool(self.script)


def side(core: words.Core, variant: Variant, build: Path) -> Side:
    """Lifts the core that is a tree; nothing has to be done for a native one."""
    if core.native:
        if variant.toolchain.words:
            raise CannotRun(Problem.CORE_WORD, f"{core.word} is built by make: \"{variant.toolchain.words}\" is for "
                                               "a kernel tree")
        return Side(core, core.word, build / "native")
    done = lift.lift(core.word, variant, build, ("core_a.o", "core_b.o"))
    label = " ".join(part for part in (done.tree.name(), variant.toolchain.words) if part)
    return Side(core, label, done.folder, done)


def _key(each: Side) -> str:
    if not each.lifted:
        return "native"
    return f"{each.lifted.tree.folder}-{each.lifted.variant.name}"


def link(a: Side, b: Side, hz: int, build: Path) -> Pair:
    """The program of a pair. hz is that of both cores."""
    if not build.is_absolute() and Path.cwd() != lift.ROOM:
        build = build.resolve()
    folder = build / "pair" / f"{_key(a)}--{_key(b)}"
    program = folder / differ.PROGRAM
    cores = [(each.folder, each.lifted is not None) for each in (a, b)]
    with lift.alone(folder):
        PairLinker(build, folder, cores, differ.PROGRAM, f"the program of {a.label} and {b.label}").link()
    options: list[str] = []
    for letter, each in zip("ab", (a, b)):
        if each.core.switches is not None:
            options += [f"--switches-{letter}", each.core.option]
    if a.core.native and b.core.native:
        options += ["--hz", str(hz)]
    return Pair(a, b, (str(program), *options), build, hz)


def of(a: str, b: str, variant: Variant, build: Path) -> Pair:
    """The pair that two words name (runner/lift/words.py)."""
    first, second = (side(words.parse(word), variant, build) for word in (a, b))
    return link(first, second, variant.hz, build)


def replay(program: differ.Program, script: Sequence[str]) -> str:
    """The command that shows a difference again."""
    listing = "\\n".join(script)
    return f"printf '{listing}\\n' | {shlex.join(differ.command(program))} -"


def shortest(program: differ.Program, outcome: Outcome) -> Outcome:
    """The shortest script found in which the same fields differ."""
    def differs(script: Sequence[str]) -> bool:
        try:
            return differ.compare_script(program, script).fields == outcome.fields
        except CannotRun:
            return False

    return differ.compare_script(program, shrink(differs, outcome.script))


def explain(program: differ.Program, outcome: Outcome) -> str:
    """The shortest script, how the fields differ in it, and the command that shows it again."""
    short = shortest(program, outcome)
    return f"{short.words}replay: {replay(program, short.script)}"


def _flipped(switches: frozenset[str], one: str) -> frozenset[str]:
    """With one switch inverted; the two forms of remainder exclude each other."""
    other = words.FORMS - {one} if one in words.FORMS else frozenset[str]()
    return (switches - other) ^ {one}


def _option(switches: frozenset[str]) -> str:
    return words.Core("native", True, switches).option


def because(pair: Pair, outcome: Outcome) -> tuple[str, ...]:
    """The switches that only one core has, and with which the native core differs from itself in this script.
    Empty: no switch explains it."""
    a, b = (differ.switch_names(outcome.summary[f"switches_{letter}"]) for letter in "ab")
    if a == b:
        return ()
    native = Side(words.parse("native"), "native", pair.build / "native")
    program = link(native, native, pair.hz, pair.build).program

    def differs(other: frozenset[str]) -> bool:
        options = ("--switches-a", _option(a), "--switches-b", _option(other))
        return bool(differ.compare_script((*program, *options), outcome.script).fields & outcome.fields)

    if not differs(b):
        return ()
    return tuple(one for one in sorted(a ^ b) if differs(_flipped(a, one))) or tuple(sorted(a ^ b))


def pieces(ticks: int, seed: int) -> tuple[range, int]:
    """The seeds into which this many ticks are divided, and the ticks of each. Both do not depend on how many
    processes run, so that a seed means the same everywhere."""
    each = max(LEAST, min(MOST, -(-ticks // PIECES)))
    each = min(each, ticks)
    return range(seed, seed + -(-ticks // each)), each


class Kept:
    """The part of a long comparison that was done before it was interrupted, by seed. A run of fewer than KEPT
    ticks is not worth it, and keeps nothing."""

    def __init__(self, pair: Pair, ticks: int, seed: int | None, fresh: int = 1) -> None:
        """seed: None for that of the interrupted run, or `fresh` if there is none."""
        self._store: Store | None = None
        self.seed = fresh if seed is None else seed
        if ticks < KEPT:
            return
        program = Path(pair.program[0])
        self._store = Store(pair.build, "equal", key_of(program.read_bytes(), *pair.program[1:], str(ticks)))
        unfinished = self._store.get("run")
        if unfinished and seed in (None, unfinished["seed"]):
            self.seed = unfinished["seed"]
        else:
            self._store.clear()
            self._store.put("run", {"seed": self.seed})

    def get(self, seed: int) -> Outcome | None:
        """What a seed gave, which was no difference; None if it is still to be run."""
        found = self._store.get(str(seed)) if self._store else None
        return Outcome(found["ticks"], summary=found) if found else None

    def put(self, seed: int, outcome: Outcome) -> None:
        if self._store and not outcome.differs:
            self._store.put(str(seed), outcome.summary)

    def finish(self) -> None:
        """The run has its result: the next one starts afresh."""
        if self._store:
            self._store.clear()


Say = Callable[[Outcome], None]


def search(program: differ.Program, seeds: Sequence[int], each: int, jobs: int, say: Say | None = None,
           kept: Kept | None = None) -> list[Outcome]:
    """The outcome of each seed. If some differ, that of the lowest such seed is the last, however the processes
    ran. say is called with each new one."""
    found = {seed: outcome for seed in seeds if kept and (outcome := kept.get(seed))}
    lowest: tuple[int, Outcome] | None = None
    for seed, outcome in differ.compare_seeds(program, [seed for seed in seeds if seed not in found], each, jobs):
        found[seed] = outcome
        if kept:
            kept.put(seed, outcome)
        if say:
            say(outcome)
        if outcome.differs and (lowest is None or seed < lowest[0]):
            lowest = seed, outcome
        if lowest and all(other in found for other in seeds if other < lowest[0]):
            break
    outcomes = list(found.values())
    if lowest:
        outcomes.remove(lowest[1])
        outcomes.append(lowest[1])
    return outcomes


def compare(pair: Pair, ticks: int = 1_000_000, seed: int = 1, jobs: int = 0, say: Say | None = None,
            kept: Kept | None = None) -> Result:
    """Compares two cores over `ticks` random ticks, after each of which the state is compared (the readings
    after every operation, and by turns between), on `jobs` processors (0: all); stops at the first difference,
    and cuts its script. Call it from the main thread. CannotRun if ticks is below 1 or the program fails."""
    if ticks < 1:
        raise CannotRun(Problem.USAGE, f"{ticks} ticks are nothing to compare")
    began = time.monotonic()
    seeds, each = pieces(ticks, seed)
    outcomes = search(pair.program, seeds, each, jobs or os.cpu_count() or 1, say, kept)
    result = judged(pair, outcomes, seed, time.monotonic() - began)
    if kept:
        kept.finish()
    return result


def undefined_of(outcomes: Sequence[Outcome]) -> tuple[Undefined, ...]:
    """The places of all outcomes together."""
    counts: dict[tuple[str, str], int] = {}
    for outcome in outcomes:
        for each in outcome.summary["undefined"]:
            key = each["what"], f"{each['file']}:{each['line']}:{each['column']}"
            counts[key] = counts.get(key, 0) + each["count"]
    return tuple(Undefined(what, place, count) for (what, place), count in sorted(counts.items()))


def judged(pair: Pair, outcomes: Sequence[Outcome], seed: int, seconds: float) -> Result:
    """The result of a comparison: of an outcome that differs, with its shortest script and what explains it."""
    outcome = outcomes[-1]
    if outcome.differs:
        outcome = shortest(pair.program, outcome)
    said = outcome.summary
    tick, counter, operation = outcome.place
    a, b = (differ.switch_names(said[f"switches_{letter}"]) for letter in "ab")
    left_out = tuple(said["left_out"])
    return Result(
        sum(each.ticks for each in outcomes), seconds, seed, said["fields"], said["readings"], left_out,
        (pair.a if said["lacks"] == "a" else pair.b).label if left_out else "",
        (tuple(said["only_a"]), tuple(said["only_b"])), (a, b),
        outcome.values, operation, tick, counter, outcome.script,
        replay(pair.program, outcome.script) if outcome.differs else "",
        re.sub(r"\n#? ?\{.*\}\n?$", "\n", outcome.words),
        because(pair, outcome) if outcome.differs else (),
        tuple(sorted(a ^ b)), undefined_of(outcomes))

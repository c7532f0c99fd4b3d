# SPDX-License-Identifier: GPL-2.0-or-later
"""tickbench-diff as a program: runs it over scripts and random episodes, and reads what it prints. Assumes
its exit statuses: 0 no difference, 1 a difference, 2 could not run."""

from __future__ import annotations

import json
import re
import selectors
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import process
from runner.errors import CannotRun, Problem

PROGRAM = "tickbench-diff"
# The program alone, or with options before what it is told to do.
Program = Path | tuple[str, ...]
# A line of what differs: name, A, B.
FIELD = re.compile(r"^  (\S.*?) +(-?\d+) +(-?\d+)$", re.MULTILINE)
PLACE = re.compile(r"DIFFER at tick (\d+), counter (\d+), of: (.*)")
# What tickbench-diff tells by behaviour; the rest of the switches is the source's word alone.
TOLD = frozenset(("remainder", "remainder-v2", "clawback", "tail", "skew"))


@dataclass(frozen=True)
class Field:
    """A field of the state, a reading or a returned value that differs: in core A and in core B."""

    name: str
    a: int
    b: int


@dataclass(frozen=True)
class Outcome:
    """Of one comparison. script: the operations that show the difference, none if there is none."""

    ticks: int
    script: tuple[str, ...] = ()
    words: str = ""
    summary: dict[str, Any] = field(default_factory=dict)  # what the program says it compared

    @property
    def differs(self) -> bool:
        return bool(self.script)

    @property
    def values(self) -> tuple[Field, ...]:
        """What differs, in the program's order."""
        return tuple(Field(name, int(a), int(b)) for name, a, b in FIELD.findall(self.words))

    @property
    def fields(self) -> frozenset[str]:
        """The names of what differs."""
        return frozenset(each.name for each in self.values)

    @property
    def place(self) -> tuple[int, int, str]:
        """Where: the tick within the operation, the counter's value after it, the operation."""
        found = PLACE.search(self.words)
        return (int(found[1]), int(found[2]), found[3]) if found else (0, 0, "")


def command(program: Program) -> list[str]:
    """The program's words; more may follow."""
    return [str(program)] if isinstance(program, Path) else list(program)


def _judged(program: Program, status: int, said: str, errors: str) -> None:
    if status not in (0, 1):
        raise CannotRun(Problem.LIFT, f"{Path(command(program)[0]).name} ended with status {status}", said + errors)


def _run(program: Program, arguments: Sequence[str], script: str | None = None) -> tuple[int, str]:
    done = subprocess.run([*command(program), *arguments], input=script, capture_output=True, text=True)
    _judged(program, done.returncode, done.stdout, done.stderr)
    return done.returncode, done.stdout


def _summary(said: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said.splitlines()[-1].removeprefix("# "))
    return found


def _random_outcome(status: int, said: str) -> Outcome:
    summary = _summary(said)
    if not status:
        return Outcome(summary["ticks"], summary=summary)
    lines = said.splitlines()
    end = next(i for i, line in enumerate(lines) if line.startswith("# DIFFER"))
    return Outcome(summary["ticks"], tuple(lines[:end]), "\n".join(lines[end:]), summary)


def random_outcome(program: Program, status: int, said: str, errors: str) -> Outcome:
    """Of a program that was run with --random. CannotRun if it failed."""
    _judged(program, status, said, errors)
    return _random_outcome(status, said)


def compare_script(program: Program, script: Sequence[str]) -> Outcome:
    """Runs one script; ticks are those compared before a difference, if any."""
    status, said = _run(program, ["-"], "\n".join(script) + "\n")
    summary = _summary(said)
    return Outcome(summary["ticks"], tuple(script) if status else (), said if status else "", summary)


def compare_random(program: Program, seed: int, ticks: int) -> Outcome:
    """Random scripts until `ticks` have been compared or one differs."""
    return _random_outcome(*_run(program, ["--random", str(seed), str(ticks)]))


def compare_seeds(program: Program, seeds: Sequence[int], ticks: int, jobs: int) -> Iterator[tuple[int, Outcome]]:
    """compare_random() of each seed, `jobs` at a time; each seed with its outcome as it ends. When the caller
    stops listening, those that still run are ended. Call it from the main thread."""
    waiting = list(reversed(seeds))
    running: dict[int, subprocess.Popen[bytes]] = {}
    with selectors.DefaultSelector() as ready:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    seed = waiting.pop()
                    child = process.start([*command(program), "--random", str(seed), str(ticks)])
                    assert child.stdout
                    running[seed] = child
                    ready.register(child.stdout, selectors.EVENT_READ, seed)
                for key, _ in ready.select():
                    # It says nothing before its end, and then less than a pipe holds.
                    seed = key.data
                    child = running[seed]
                    ready.unregister(key.fileobj)
                    said, errors = (text.decode(errors="replace") for text in child.communicate())
                    del running[seed]
                    _judged(program, child.returncode, said, errors)
                    yield seed, _random_outcome(child.returncode, said)
        finally:
            for child in running.values():
                process.end(child)


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


def switch_names(text: str) -> frozenset[str]:
    """The switches that the program lists: joined by commas, or "none"."""
    return frozenset(name for name in text.split(",") if name and name != "none")


def stage(program: Program) -> Stage:
    """Has tickbench-diff probe the core that was lifted into it (B's, if both cores were lifted)."""
    said = json.loads(_run(program, ["--stage"])[1].splitlines()[-1])
    return Stage(said["kernel"], switch_names(said["switches"]), switch_names(said["unknown"]),
                 switch_names(said["source"]), switch_names(said["missing"]), said["stopped_tick"])

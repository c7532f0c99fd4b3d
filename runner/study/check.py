# SPDX-License-Identifier: GPL-2.0-or-later
"""One verdict on a tree after an edit: the scenarios' claims on the virtual clock, the comparison with the native
core at the tree's stage, and, in a git checkout, the comparison with the tree's own HEAD. All programs run side by
side. New scenarios and new operations of the comparison take part without a change here.

    ./tickbench check ~/src/linux"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import BUILD, options, process, scenarios, simulate
from runner.errors import CannotRun, Problem, Status
from runner.lift import lift, trees, words
from runner.lift.headers import Maker
from runner.lift.kbuild import Variant
from runner.report.progress import Work, stderr
from runner.study import differ, pairs
from runner.study.head import Edit, Head

SIM = "tickbench-sim"
# Of a lifted core, about: for the order in which programs run, and the estimate of the time left.
SCENARIO_TICKS_PER_S = 5_000_000
RANDOM_TICKS_PER_S = 1_000_000
START_S = 0.02  # of a program
SCENARIO_SECONDS = 60.0  # a core whose tick does not end


@dataclass(frozen=True)
class Comparison:
    """Of the tree with another core. result: None if it could not be made, for the reason in words."""

    against: str  # native, HEAD
    result: pairs.Result | None
    reason: str = ""
    through: str = ""  # the core that was compared in its place, to which the tree is equal

    @property
    def differs(self) -> bool:
        return self.result is not None and self.result.differs

    def words(self) -> str:
        """A line."""
        found = self.result
        if not found:
            return f"{self.against}: not compared: {self.reason}"
        if not found.differs:
            left = f", without {' and '.join(found.left_out)}, which {found.lacking} lacks" if found.left_out else ""
            how = f"equal, as {self.through} is," if self.through else "equal"
            return (f"{self.against}: {how} over {found.ticks:,} ticks: {found.fields} fields, "
                    f"{found.readings} readings{left}")
        return f"{self.against}: differs in {', '.join(each.name for each in found.different)}"

    def details(self) -> list[str]:
        """What differs and by how much, the shortest script, and the command that replays it."""
        found = self.result
        if not found or not found.differs:
            return []
        width = max(len(each.name) for each in found.different) if found.different else 0
        lines = [f"  at tick {found.tick} of \"{found.operation}\":"]
        lines += [f"    {each.name:<{width}}  {self.against} {each.a}, edited {each.b}: by {each.b - each.a:+d}"
                  for each in found.different]
        if found.because:
            lines.append(f"  as the native core does without or with {', '.join(found.because)}")
        return [*lines, "  script:", *(f"    {line}" for line in found.script), f"  replay: {found.replay}"]

    def document(self) -> dict[str, Any]:
        """For programs."""
        found = self.result
        if not found:
            return {"equal": None, "reason": self.reason}
        return {
            "equal": not found.differs, "through": self.through or None,
            "ticks": found.ticks, "seed": found.seed, "fields": found.fields,
            "readings": found.readings, "left_out": list(found.left_out),
            "different": [{"field": one.name, self.against.lower(): one.a, "tree": one.b, "by": one.b - one.a}
                          for one in found.different],
            "operation": found.operation, "tick": found.tick, "script": list(found.script), "replay": found.replay,
        }


def deciding(native: Comparison, head: Comparison | None) -> Comparison:
    """The comparison that decides whether a core behaves as it should: with HEAD after an edit, else with the
    native core."""
    return head if head and head.result else native


@dataclass(frozen=True)
class Verdict:
    """All that a check found."""

    tree: str
    hz: int
    runs: list[dict[str, Any]]
    native: Comparison
    head: Comparison | None = None  # None: no git checkout, or nothing was edited
    edit: Edit | None = None
    seconds: float = 0.0
    timing: dict[str, float] = field(default_factory=dict)

    @property
    def failed(self) -> list[tuple[str, str]]:
        """The scenario and the sentence of each claim that does not hold."""
        return [(run["scenario"], claim["sentence"]) for run in self.runs if run["ok"] is False
                for claim in run["claims"] if not claim["ok"] and claim["todo"] is None]

    @property
    def deciding(self) -> Comparison:
        return deciding(self.native, self.head)

    @property
    def differing(self) -> Comparison | None:
        """The comparison that decides, if it differs."""
        return self.deciding if self.deciding.differs else None

    @property
    def status(self) -> Status:
        if any(run["ok"] is False for run in self.runs):
            return Status.FAILED
        return Status.DIFFERS if self.differing else Status.PASSED

    def sentence(self) -> str:
        """The verdict."""
        if self.status is Status.FAILED:
            return "a claim does not hold: " + "; ".join(f"{name}: {sentence}" for name, sentence in self.failed)
        differing = self.differing
        if differing and differing.result:
            first = differing.result.different[0] if differing.result.different else None
            what = f": {first.name} by {first.b - first.a:+d}" if first else ""
            core = "HEAD does" if differing.against == "HEAD" else "the native core at its stage does"
            return f"all claims hold, but it does not behave as {core}{what}"
        return "all claims hold, and nothing differs"

    def lines(self) -> list[str]:
        """For people."""
        claims = [claim for run in self.runs for claim in run["claims"] if not claim["skipped"]]
        known = sum(not claim["ok"] and claim["todo"] is not None for claim in claims)
        held = sum(bool(claim["ok"]) for claim in claims)
        parts = [f"{held} claims hold"]
        if self.failed:
            parts.append(f"{len(self.failed)} fail")
        if known:
            parts.append(f"{known} known")
        lines = [f"{self.tree}, HZ {self.hz}"]
        if self.edit:
            lines.append(f"edited: {self.edit.words()}")
        lines.append(f"scenarios: {len(self.runs)} on the virtual clock, {', '.join(parts)}")
        lines += [f"  {name}: {sentence}" for name, sentence in self.failed]
        for each in (self.native, self.head):
            if each:
                lines += [each.words(), *(each.details() if each is self.deciding else [])]
        times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.timing.items())
        return [*lines, f"verdict: {self.sentence()} ({self.seconds:.1f} s: {times})"]

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "tree": self.tree, "hz": self.hz, "status": int(self.status), "verdict": self.sentence(),
            "edited": {"files": list(self.edit.files), "functions": list(self.edit.functions)} if self.edit else None,
            "failed": [{"scenario": name, "claim": sentence} for name, sentence in self.failed],
            "native": self.native.document(), "head": self.head.document() if self.head else None,
            "seconds": round(self.seconds, 3),
            "timing": {name: round(value, 3) for name, value in self.timing.items()}, "runs": self.runs,
        }


@dataclass(frozen=True)
class Task:
    """A program that runs beside others. name: of what it belongs to."""

    name: str
    command: tuple[str, ...]
    seconds: float = 0.3  # about what it takes


def run_tasks(tasks: Sequence[Task], jobs: int, work: Work) -> list[tuple[Task, int, str, str]]:
    """Runs programs, `jobs` at a time, the longest first, so that the processors end together: each with its status,
    and what it wrote to stdout and stderr. One that does not end in time is ended. Call it from the main thread."""
    work.expect(len(tasks), sum(task.seconds for task in tasks))
    waiting, done = sorted(tasks, key=lambda task: task.seconds), []
    running: dict[int, tuple[Task, subprocess.Popen[bytes], float, list[bytes]]] = {}
    with selectors.DefaultSelector() as ready:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    task = waiting.pop()
                    child = process.start(task.command)
                    assert child.stdout
                    running[child.pid] = task, child, time.monotonic() + SCENARIO_SECONDS, []
                    ready.register(child.stdout, selectors.EVENT_READ, child.pid)
                for key, _ in ready.select(1.0):
                    task, child, _, heard = running[key.data]
                    piece = os.read(key.fd, 65536)
                    if piece:
                        heard.append(piece)
                        continue
                    ready.unregister(key.fileobj)
                    _, errors = child.communicate()
                    del running[key.data]
                    done.append((task, child.returncode, b"".join(heard).decode(errors="replace"),
                                 errors.decode(errors="replace")))
                    work.add(words=task.name, cost=task.seconds)
                for task, child, until, _ in running.values():
                    if time.monotonic() > until:
                        child.kill()
        finally:
            for _, child, _, _ in running.values():
                process.end(child)
    return done


def _pair_tasks(name: str, pair: pairs.Pair, ticks: int, seed: int) -> list[Task]:
    seeds, each = pairs.pieces(ticks, seed)
    return [Task(name, (*pair.program, "--random", str(one), str(each)), START_S + each / RANDOM_TICKS_PER_S)
            for one in seeds]


# Whether a second CPU reads no mixture of two ticks: what shows to no reader on one. Not among the default runs,
# as the guest's take no second CPU.
SECOND_CPU = ("smp", "duration=0.5")


def _scenario_tasks(build: Path, program: Path, variant: Variant) -> list[Task]:
    table = scenarios.read(build).by_name
    asked = [*((each.name,) for each in table.values() if each.by_default), *([("pps",)] if variant.pps else []),
             SECOND_CPU]
    return [Task("scenario", (str(program), "core=linux", f"hz={variant.hz}", f"scenario={name}", *rest),
                 START_S + table[name].virtual_s * variant.hz / SCENARIO_TICKS_PER_S)
            for name, *rest in asked]


def _runs(program: Path, done: Sequence[tuple[Task, int, str, str]], order: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for task, status, said, errors in done:
        if task.name != "scenario":
            continue
        if status not in (Status.PASSED, Status.FAILED, Status.SKIPPED):
            raise CannotRun(Problem.PROGRAM_FAILED,
                            f"{program.name} {task.command[-1]} ended with status {status}", errors or said[-2000:])
        found += simulate.document(program, said, status)["runs"]
    return sorted(found, key=lambda run: order.index(run["scenario"]))


def _outcomes(name: str, pair: pairs.Pair, done: Sequence[tuple[Task, int, str, str]]) -> list[differ.Outcome]:
    return [differ.random_outcome(pair.program, status, said, errors)
            for task, status, said, errors in done if task.name == name]


def _comparison(name: str, pair: pairs.Pair, seed: int, done: Sequence[tuple[Task, int, str, str]]) -> Comparison:
    """Of the pieces that ran. If several differ, the one with the fewest operations is explained."""
    outcomes = _outcomes(name, pair, done)
    outcomes.sort(key=lambda each: (each.differs, -len(each.script)))
    return Comparison(name, pairs.judged(pair, outcomes, seed, 0.0))


def _native(word: str, done: lift.Lifted, build: Path) -> pairs.Pair:
    """The native core and a lifted one, in the program that was linked with it."""
    return pairs.Pair(pairs.Side(words.parse("native"), "native", build / "native"),
                      pairs.Side(words.Core(word, False), done.tree.name(), done.folder, done),
                      (str(done.folder / differ.PROGRAM),), build, done.variant.hz)


@dataclass(frozen=True)
class Beside:
    """A tree's core beside others."""

    lifted: lift.Lifted
    native: Comparison
    head: Comparison | None

    @property
    def comparisons(self) -> list[Comparison]:
        return [each for each in (self.native, self.head) if each]

    def documents(self) -> list[dict[str, Any]]:
        """The comparisons as a report has them (docs/report.md)."""
        tree, stage = self.lifted.tree, self.lifted.stage
        kernel = {"tree": tree.label, "release": tree.kernel, "revision": tree.revision or None,
                  "timekeeping_sha256": stage.timekeeping_sha256, "ntp_sha256": stage.ntp_sha256}
        return [{"core": "linux", "kernel": kernel, "hz": self.lifted.variant.hz, "against": each.against,
                 "decides": each is deciding(self.native, self.head), "words": each.words(), **each.document()}
                for each in self.comparisons]


def _compared(native: pairs.Pair, kept: Head, tasks: Sequence[Task], given: tuple[int, int], jobs: int, work: Work,
              ) -> tuple[list[tuple[Task, int, str, str]], Comparison, Comparison | None]:
    """Runs tasks, and beside them the comparison of a core with the native one, and, after an edit, with its HEAD.
    given: the ticks, and the seed. If HEAD is known to be equal to the native core, that comparison is made only if the
    edited core differs from HEAD."""
    ticks, seed = given
    head = kept.beside(native.b)
    known = kept.as_native(ticks, seed) if head else []
    asked = list(tasks)
    if head:
        asked += _pair_tasks("HEAD", head, ticks, seed)
    if not known:
        asked += _pair_tasks("native", native, ticks, seed)
    results = run_tasks(asked, jobs, work)
    if not head:
        reason = Comparison("HEAD", None, kept.reason) if kept.edited else None
        return results, _comparison("native", native, seed, results), reason
    compared = _comparison("HEAD", head, seed, results)
    if known and not compared.differs:
        return results, Comparison("native", pairs.judged(native, known, seed, 0.0), through="HEAD"), compared
    if known:
        results += run_tasks(_pair_tasks("native", native, ticks, seed), jobs, work)
    beside_native = _comparison("native", native, seed, results)
    if not beside_native.differs and not compared.differs:
        kept.is_as_native(ticks, seed, _outcomes("native", native, results))
    return results, beside_native, compared


def beside(word: str, variant: Variant, build: Path, work: Work, ticks: int = 1_000_000, seed: int = 1) -> Beside:
    """A tree's core beside the native one at its stage and, after an edit, its own HEAD; without scenarios."""
    work.say(f"lift {word}")
    kept = Head(word, variant, build)
    done = lift.lift(word, variant, build, (differ.PROGRAM, "core_b.o"), kept.prepare)
    _, native, head = _compared(_native(word, done, build), kept, (), (ticks, seed), os.cpu_count() or 1, work)
    return Beside(done, native, head)


def check(word: str, variant: Variant, build: Path, ticks: int, seed: int, jobs: int, work: Work,
          maker: Maker | None = None) -> Verdict:
    """The verdict on the tree that a word names. CannotRun if it cannot be lifted. maker: makes headers for the next
    edit, beside."""
    began = time.monotonic()
    timing: dict[str, float] = {}

    def lap(name: str, since: float) -> float:
        now = time.monotonic()
        timing[name] = now - since
        return now

    work.say("lift")
    kept = Head(word, variant, build)
    done = lift.lift(word, variant, build, (SIM, differ.PROGRAM, "core_b.o"), kept.prepare, maker)
    at = lap("lift", began)
    program = done.folder / SIM
    results, native, head = _compared(_native(word, done, build), kept, _scenario_tasks(build, program, variant),
                                      (ticks, seed), jobs, work)
    runs = _runs(program, results, list(scenarios.read(build).by_name))
    lap("run", at)
    edit = kept.edited[1] if kept.edited else None
    return Verdict(done.tree.name(), variant.hz, runs, native, head, edit, time.monotonic() - began, timing)


def parse(arguments: Sequence[str]) -> options.argparse.Namespace:
    parser = options.Parser("check", "Says whether an edited tree still holds all claims, and behaves as before.")
    parser.add_argument("tree", help="PATH, PATH@REV or a release (7.3)")
    parser.add_argument("--ticks", type=options.positive, default=1_000_000,
                        help="random ticks of each comparison (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the comparisons (default %(default)s)")
    parser.add_argument("--jobs", type=options.positive, default=os.cpu_count() or 1,
                        help="programs at a time (default: one a processor)")
    parser.add_argument("--hz", type=int, default=1000, help="(default %(default)s)")
    parser.add_argument("--periodic", action="store_true", help=options.PERIODIC)
    parser.add_argument("--pps", action="store_true", help=options.PPS)
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else, on stdout")
    parser.add_argument("--build", type=Path, default=BUILD, help="(default %(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    given = parse(arguments)
    if len(trees.words(given.tree)) != 1:
        raise CannotRun(Problem.USAGE, f"check judges one tree, and \"{given.tree}\" names several")
    with Maker() as maker:
        with Work(stderr(), "check", None, unit="programs") as work:
            verdict = check(given.tree, Variant("um", given.hz, not given.periodic, pps=given.pps), given.build,
                            given.ticks, given.seed, given.jobs, work, maker)
        if given.json:
            print(json.dumps(verdict.document(), indent=1), flush=True)
        else:
            print("\n".join(verdict.lines()), flush=True)
        maker.finish()
    return verdict.status

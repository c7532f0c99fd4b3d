# SPDX-License-Identifier: GPL-2.0-or-later
"""What each patch of a series is worth: each is applied in turn in a repository of our own, lifted, measured, and
compared with the row before. Assumes nothing of the patches: one that does not apply or does not compile is a row
that says so, and the rest goes on from the last good one.

    ./tickbench series 7.2 v3.mbx
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner import options, output
from runner.errors import need_built, CannotRun, Problem, Status
from runner.lift import lift, trees
from runner.lift.kbuild import Variant
from runner.report import progress
from runner.study import judge, own_git, pairs, patches, series_report
from runner.study.ahead import Ahead
from runner.study.own_git import Repository
from runner.study.store import Store, key_of

# Beside what a unit includes: what decides how it is compiled, and what kbuild makes headers of.
BUILD_FILES = re.compile(
    r"(^|/)(Kconfig[^/]*|Kbuild(\.include)?)$|^Makefile$|^(kernel|kernel/time|arch/x86|arch/um)/Makefile[^/]*$|"
    r"^scripts/(Makefile\.[^/]*|Kbuild\.include|Kconfig\.include)$|^kernel/bounds\.c$|/asm-offsets[^/]*\.c$|"
    r"^kernel/time/timeconst\.bc$")
AHEAD = 2  # steps that are lifted before they are asked for
ALWAYS = ("kernel/time/timekeeping.c", "kernel/time/ntp.c", "kernel/time/vsyscall.c", "lib/vdso/gettimeofday.c")


@dataclass(frozen=True)
class Step:
    """One revision to be measured: a row of the table."""

    group: str  # series, alone, all but
    number: int  # of the patch, from 1; 0: the base
    subject: str
    mails: tuple[bytes, ...]  # to be applied on the base, or the one that goes on the row before


class Bench:
    """Where the steps of one command are applied, lifted and measured."""

    def __init__(self, repository: Repository, variant: Variant, build: Path, ticks: int,
                 experiments: Sequence[judge.Experiment], store: Store) -> None:
        self.repository, self.variant, self.build = repository, variant, build
        self.ticks, self.experiments, self.store = ticks, experiments, store
        self.compiled: set[str] = set(ALWAYS)

    def touches(self, files: Sequence[str]) -> bool:
        """Whether a lift depends on any of these files."""
        return any(name in self.compiled or BUILD_FILES.search(name) for name in files)

    def word(self, commit: str, tag: str) -> str:
        """What to lift for a commit: the report says the tag."""
        self.repository.ask("tag", "-f", tag, commit)
        return f"{self.repository.path}@{tag}"

    def lifted(self, commit: str, tag: str) -> lift.Lifted:
        """Lifts a commit into a host process."""
        done = lift.lift(self.word(commit, tag), self.variant, self.build, ("tickbench-sim",))
        self.compiled |= compiled_files(done)
        return done

    def measured(self, commit: str, tag: str) -> tuple[lift.Lifted, list[dict[str, Any]]]:
        """A commit's runs. Those of an interrupted command are taken as they were."""
        done = self.lifted(commit, tag)
        kept = self.store.get(commit)
        if kept is None:
            kept = {"runs": judge.measure(done.folder / "tickbench-sim", self.experiments)}
            self.store.put(commit, kept)
        return done, kept["runs"]

    def compared(self, before: tuple[str, lift.Lifted], after: tuple[str, lift.Lifted]) -> dict[str, Any]:
        """How a commit differs from the one of the row before, over random ticks."""
        name = f"{before[0]} {after[0]} {self.ticks}"
        kept = self.store.get(name)
        if kept is None:
            a, b = (pairs.Side(pairs.words.parse(str(done.tree.path)), done.tree.label, done.folder, done)
                    for _, done in (before, after))
            found = pairs.compare(pairs.link(a, b, self.variant.hz, self.build), self.ticks)
            kept = {"differs": found.differs, "ticks": found.ticks, "fields": found.fields,
                    "first": [vars(each) for each in found.different], "operation": found.operation,
                    "tick": found.tick, "because": list(found.because), "left_out": list(found.left_out),
                    "replay": found.replay}
            self.store.put(name, kept)
        return kept


def compiled_files(done: lift.Lifted) -> set[str]:
    """The files of the tree that its units were compiled from, as names in the tree."""
    found: set[str] = set()
    for listing in done.folder.glob("wrap_*.dep"):
        for word in listing.read_text().replace("\\\n", " ").split()[1:]:
            # A neighbour's tree may have served: the names below its top are the same.
            at = re.search(r"/(?:tree|whole)(?:/[^/]+)??/((?:include|kernel|lib|arch|scripts)/.*)$", word)
            if word.startswith(f"{done.tree.path}/"):
                found.add(word[len(str(done.tree.path)) + 1:])
            elif at:
                found.add(at[1])
    return found


def base_repository(word: str, series: Sequence[patches.Patch], build: Path) -> tuple[Repository, str, str, str]:
    """A repository with the base in it: with its commit, its name for people, and what it was made of."""
    work = build / "work/series"
    path = Path(word).expanduser()
    before, at, revision = word.rpartition("@")
    if not path.is_dir() and at and Path(before).expanduser().is_dir():
        tree = Path(before).expanduser().resolve()
        return _borrowed(tree, revision, work)
    if path.is_dir():
        tree = path.resolve()
        if (tree / ".git").exists() and not trees._git(
                tree, "status", "--porcelain", "--", "kernel", "include", "arch/x86", "arch/um", "scripts", "lib"):
            return _borrowed(tree, "HEAD", work)
        name, source = tree.name, tree
    else:
        found = trees.resolve(word, (build / "lift").resolve())
        name, source = found.label, found.path
    also = sorted({file for patch in series for file in named_files(patch.mail)})
    folder = work / key_of(str(source), *also) / _plain(name)
    made = own_git.keep(folder)
    return made, own_git.take_files(made, source, also), name, str(source)


def _borrowed(tree: Path, revision: str, work: Path) -> tuple[Repository, str, str, str]:
    made = own_git.borrow(work / key_of(str(tree)) / _plain(tree.name), tree)
    commit = trees._git(tree, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not commit:
        raise CannotRun(Problem.LIFT_TREE, f"{tree} has no revision {revision}")
    return made, commit, tree.name if revision == "HEAD" else f"{tree.name}@{revision}", str(tree)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]", "_", name) or "linux"


def named_files(mail: bytes) -> list[str]:
    """The files that a mail's diffs name."""
    return [name.decode(errors="replace") for name in re.findall(rb"^diff --git a/(\S+) b/", mail, re.MULTILINE)]


def steps_of(series: Sequence[patches.Patch], alone: bool) -> list[Step]:
    """The rows of the table, without the base's."""
    found = [Step("series", n, patch.subject, (patch.mail,)) for n, patch in enumerate(series, 1)]
    if alone:
        found += [Step("alone", n, patch.subject, (patch.mail,)) for n, patch in enumerate(series, 1)]
        found += [Step("all but", n, patch.subject, tuple(other.mail for other in series if other is not patch))
                  for n, patch in enumerate(series, 1)]
    return found


def _row(step: Step) -> dict[str, Any]:
    return {"group": step.group, "patch": step.number, "subject": step.subject, "commit": None, "files": [],
            "left_out": [], "merged": [], "problem": None, "said": None, "lifted": False, "switches": [], "runs": [],
            "failed_claims": [], "equal": None, "seconds": {}}


@dataclass(frozen=True)
class Result:
    """What the mails of a step make of a commit."""

    commit: str
    files: list[str]  # in which it differs
    left_out: list[str]
    merged: list[str]  # files that took a three-way merge
    problems: list[str]  # git's words about mails that do not apply


class Walk:
    """Makes the rows, one step after the other. While one is measured, those that may follow are lifted."""

    def __init__(self, bench: Bench, base: str, ahead: Ahead) -> None:
        self.bench, self.base, self.ahead = bench, base, ahead
        self.good = base  # the last commit of the series that compiles
        self.last: dict[str, tuple[str, lift.Lifted, dict[str, Any]]] = {}
        self._results: dict[tuple[str, str, int], Result] = {}

    def first(self, name: str) -> dict[str, Any]:
        """The row of the base; CannotRun if it cannot be lifted."""
        row = _row(Step("series", 0, name, ()))
        self._measure(row, self.base, "base", None)
        return row

    def _apply(self, step: Step, before: str) -> Result:
        key = before, step.group, step.number
        if key not in self._results:
            own_git.start_at(self.bench.repository, before)
            left_out: list[str] = []
            merged: list[str] = []
            problems = []
            for mail in step.mails:
                done = own_git.apply(self.bench.repository, mail)
                left_out += [name for name in done.left_out if name not in left_out]
                merged += [name for name in done.merged if name not in merged]
                if not done.ok:
                    problems.append(done.said)
            commit = self.bench.repository.ask("rev-parse", "HEAD")
            files = self.bench.repository.files(before, commit) if commit != before else []
            self._results[key] = Result(commit, files, left_out, merged, problems)
        return self._results[key]

    def _lift_ahead(self, commit: str, coming: Sequence[Step]) -> None:
        """Lifts the steps to come, as they will be if this commit compiles."""
        wanted = []
        for step in coming:
            before = commit if step.group == "series" else self.base
            made = self._apply(step, before)
            if made.commit != before and not made.problems and self.bench.touches(made.files):
                wanted.append(self.bench.word(made.commit, _tag(step)))
            if step.group == "series":
                commit = made.commit
        self.ahead.want(wanted)

    def next(self, step: Step, coming: Sequence[Step] = ()) -> dict[str, Any]:
        """The row of a patch. coming: those after it."""
        row = _row(step)
        whole = step.group == "series"
        before = self.good if whole else self.base
        made = self._apply(step, before)
        row.update(commit=made.commit, files=made.files, left_out=made.left_out, merged=made.merged)
        if made.problems and (whole or step.group == "alone"):
            row.update(problem="does not apply", said=made.problems[0],
                       files=made.files or [name for each in step.mails for name in named_files(each)])
            return row
        if made.problems:
            row["said"] = "\n".join(made.problems)
        if made.commit == before or not self.bench.touches(row["files"]):
            self._as_before(row, before)
            self.good = made.commit if whole else self.good
            return row
        self.ahead.wait(self.bench.word(made.commit, _tag(step)))
        self._lift_ahead(made.commit if whole else self.good, coming)
        try:
            self._measure(row, made.commit, _tag(step), before)
        except CannotRun as error:
            row.update(problem="does not compile" if error.problem is not Problem.PROGRAM_FAILED else "does not run",
                       said=error.detail or error.sentence)
            return row
        self.good = made.commit if whole else self.good
        return row

    def _as_before(self, row: dict[str, Any], against: str) -> None:
        """Nothing that the lift compiles has changed: the row before is this one's."""
        commit, done, of = self.last[against]
        for name in ("switches", "runs", "failed_claims"):
            row[name] = of[name]
        self.last[row["commit"]] = (commit, done, of)

    def _measure(self, row: dict[str, Any], commit: str, tag: str, against: str | None) -> None:
        done, runs = self.bench.measured(commit, tag)
        row.update(commit=commit, lifted=True, runs=runs, seconds=done.seconds)
        row["switches"] = sorted(word for word in runs[0]["params"]["switches"].split(",") if word != "none")
        row["failed_claims"] = [f"{run['experiment']}: {claim}" for run in runs for claim in judge.failed(run)]
        if against:
            row["equal"] = self.bench.compared(self.last[against][:2], (commit, done))
        self.last[commit] = (commit, done, row)


def _tag(step: Step) -> str:
    """The name of a step's commit in our repository, which its reports carry."""
    return f"patch-{step.number}" if step.group == "series" else f"{_plain(step.group)}-{step.number}"


def study(bench: Bench, base: str, name: str, steps: Sequence[Step], quiet: bool) -> list[dict[str, Any]]:
    """All rows. Progress goes to stderr."""
    rows = []
    with ExitStack() as stack:
        work = None if quiet else stack.enter_context(
            progress.Work(progress.stderr(), "series", len(steps) + 1, unit="revisions"))
        walk = Walk(bench, base, stack.enter_context(Ahead(bench.variant, bench.build)))
        if work:
            work.say(name)
        rows.append(walk.first(name))
        for number, step in enumerate(steps):
            if work:
                work.add(words=step.subject)
            began = time.monotonic()
            rows.append(walk.next(step, steps[number + 1:number + 1 + AHEAD]))
            rows[-1]["seconds"]["row"] = time.monotonic() - began
    return rows


def parser() -> options.Parser:
    made = options.Parser("series", "Applies the patches of a series in turn, and measures what each is worth.")
    add = made.add_argument
    add("base", metavar="BASE", help="a tree, a revision of one (TREE@REV) or a release (7.2)")
    add("patches", metavar="PATCHES",
        help="an mbox from b4 or lore, a folder, or REV..REV (of BASE's tree, or TREE@REV..REV)")
    add("--alone", action="store_true", help="also the base with each patch alone, and with all but each")
    add("--hz", type=int, default=1000, help="(default %(default)s)")
    add("--pps", action="store_true", help=options.PPS)
    add("--ticks", type=options.positive, default=250_000,
        help="random ticks over which a row is compared with the one before (default %(default)s)")
    add("--json", action="store_true", help="print report.json on stdout, and no table")
    options.folders(made, "series")
    return made


def _experiments(variant: Variant) -> tuple[judge.Experiment, ...]:
    chosen = (*judge.DEFAULT, judge.PULSES) if variant.pps else judge.DEFAULT
    return tuple(judge.Experiment(each.name, (*each.words, f"hz={variant.hz}"), each.metrics) for each in chosen)


def main(arguments: Sequence[str]) -> Status:
    """The status is FAILED if a patch does not apply, does not compile, or fails a claim that the row before did
    not."""
    given = parser().parse_args(arguments)
    build = given.build.resolve()
    folder = given.output or given.build / "series"
    simulator = need_built(given.build / "tickbench-sim")
    tree = Path(given.base.rpartition("@")[0] or given.base).expanduser()
    tree = tree if tree.is_dir() else Path(given.base).expanduser()
    series = patches.read(given.patches, tree if tree.is_dir() else None)
    variant = Variant("um", given.hz, True, pps=given.pps)
    experiments = _experiments(variant)
    with output.prepared(folder), lift.alone(build / "work/series"):
        repository, base, name, source = base_repository(given.base, series, build)
        key = key_of(source, base, str(experiments), simulator.read_bytes())
        bench = Bench(repository, variant, build, given.ticks, experiments,
                      Store(build, "series", key))
        rows = study(bench, base, name, steps_of(series, given.alone), False)
        document = series_report.document(name, rows, experiments)
        series_report.write(document, folder)
    if given.json:
        json.dump(document, sys.stdout, indent=1)
        print()
    else:
        series_report.show(document, folder)
    return series_report.status(document)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared: cores that are measured now, and reports of runs that were measured before. Each becomes a
subject: a label, and its measurements by experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner import output
from runner.errors import CannotRun, Problem
from runner.report import report, samples
from runner.report.names import core_words

Run = dict[str, Any]
# The parameters that make an experiment what it is, and what a report without one has meant.
SHARED = {"hz": "1000", "duration_ms": "", "tickless": "0"}
VIRTUAL = {"counter_hz": "", "rate_ppm": "0.000000", "late_ns": "0", "offset_ns": "", "seed": ""}


@dataclass(frozen=True, order=True)
class Experiment:
    """What was measured, apart from the core: what two runs must share to be compared."""

    clock: str
    scenario: str
    parameters: tuple[tuple[str, str], ...] = ()

    def words(self) -> tuple[str, ...]:
        """The guest's words that ask for it again."""
        found = []
        for name, value in self.parameters:
            if name == "duration_ms" and value:
                found.append(f"duration={int(value) / 1000:g}")
            elif value:
                found.append(f"{name}={value}")
        return (f"clock={self.clock}", f"scenario={self.scenario}", *found)

    def title(self) -> str:
        """For people."""
        given = dict(self.parameters)
        words = [f"{self.scenario}, {self.clock} clock, HZ {given.get('hz', '?')}"]
        if given.get("duration_ms"):
            words.append(f"{int(given['duration_ms']) / 1000:g} s")
        if given.get("tickless") not in (None, "", "0"):
            words.append("tickless")
        if given.get("late_ns") not in (None, "", "0"):
            words.append(f"ticks up to {int(given['late_ns']) / 1000:g} µs late")
        return ", ".join(words)

    def differs(self, other: Experiment) -> list[str]:
        """The parameters in which two differ, in words; of one scenario on one clock."""
        mine, its = dict(self.parameters), dict(other.parameters)
        return [f"{name} is {mine[name] or 'unknown'} and {its[name] or 'unknown'}"
                for name in mine if mine[name] != its.get(name, "")]


def experiment(run: Run) -> Experiment:
    """Of a run in a report."""
    params = run["params"]
    wanted = dict(SHARED)
    if run["clock"] == "virtual":
        wanted |= VIRTUAL
    return Experiment(run["clock"], run["scenario"], tuple(
        (name, str(params.get(name, absent))) for name, absent in sorted(wanted.items())))


@dataclass(frozen=True)
class Measured:
    """One run, and its samples; None if its report's folder does not have them, or if they are not of the time
    that its metrics are of (slew goes on after that)."""

    run: Run
    samples: samples.Samples | None
    elsewhere: bool = False  # there are samples, of another time


@dataclass
class Subject:
    """Something that is compared. A list has one entry for each repetition."""

    label: str
    measured: dict[Experiment, list[Measured]] = field(default_factory=dict)

    def add(self, measured: Measured) -> None:
        """Another run, of any experiment."""
        self.measured.setdefault(experiment(measured.run), []).append(measured)


def _measured(run: Run, record: samples.Samples | None) -> Measured:
    count = run["metrics"].get("samples")
    if record is None or not record.whole or not isinstance(count, int):
        return Measured(run, record)
    kept = -(-count // (1 << record.decimation))  # every 2^n-th, from the first
    return Measured(run, record) if kept == len(record.error_ns) else Measured(run, None, True)


def attach(document: report.Document, folder: Path) -> list[Measured]:
    """The runs of a report, with the samples that stand beside it."""
    files: dict[str, dict[int, samples.Samples]] = {}
    found = []
    for run in document["runs"]:
        name = run["samples"]
        if name and name not in files:
            # A name is a file beside the report: a report cannot have other files read.
            files[name] = {record.run: record for record in samples.read(folder / Path(name).name)}
        number = str(run["params"].get("run", ""))
        found.append(_measured(run, files[name].get(int(number)) if name and number.isdigit() else None))
    return found


def report_path(word: str) -> Path | None:
    """The report that a word names: a file, or a folder with report.json in it; None if it names none."""
    path = Path(word).expanduser()
    if path.is_dir():
        return path / output.REPORT if (path / output.REPORT).is_file() else None
    return path if path.is_file() or path.suffix == ".json" else None


def read(path: Path) -> list[Subject]:
    """A subject for each core in a report; CannotRun if it is none, or has no run that was not skipped."""
    found: dict[str, Subject] = {}
    for measured in attach(report.read(path), path.parent):
        if measured.run["skipped"] is None:
            label = core_words(measured.run)
            found.setdefault(label, Subject(label)).add(measured)
    if not found:
        raise CannotRun(Problem.BAD_REPORT, f"{path} has no run to compare: all were skipped")
    return list(found.values())


def distinct(named: Sequence[tuple[str, Subject]]) -> list[Subject]:
    """Subjects whose labels differ: where two are the same, the word that the user gave is added, and then a
    number."""
    labels = [subject.label for _, subject in named]
    found: list[Subject] = []
    for word, subject in named:
        label = subject.label
        if labels.count(label) > 1 and word != label:
            label = f"{label} ({word})"
        taken = [each.label for each in found]
        number, wanted = 2, label
        while label in taken:
            label, number = f"{wanted} #{number}", number + 1
        found.append(replace(subject, label=label))
    return found


def shared(subjects: Sequence[Subject]) -> list[Experiment]:
    """The experiments that every subject has, in the order of the first. CannotRun if there are none, with what
    each has, or with the parameters that differ."""
    first, *rest = subjects
    both = [each for each in first.measured if all(each in other.measured for other in rest)]
    if both:
        return both
    for other in rest:
        for mine in first.measured:
            for its in other.measured:
                if (mine.scenario, mine.clock) == (its.scenario, its.clock) and mine != its:
                    raise CannotRun(Problem.COMPARE, f"{first.label} and {other.label} differ in how they were "
                                    f"measured ({mine.scenario}, {mine.clock} clock): "
                                    f"{', '.join(mine.differs(its))}")
    has = [f"{subject.label} has {', '.join(sorted({f'{e.scenario} ({e.clock} clock)' for e in subject.measured}))}"
           for subject in subjects]
    raise CannotRun(Problem.COMPARE, "there is no scenario that all were measured with: " + "; ".join(has))


def left_out(subjects: Sequence[Subject], both: Sequence[Experiment]) -> list[str]:
    """A sentence for each experiment that only some have."""
    every = dict.fromkeys(each for subject in subjects for each in subject.measured)
    return [f"{each.scenario}, {each.clock} clock, is left out: not measured with "
            + ", ".join(subject.label for subject in subjects if each not in subject.measured)
            for each in every if each not in both]


def follows_a_line(run: Run) -> bool:
    """Whether a run measured an error against the page. Others have claims alone."""
    return any(name in run["metrics"] for name in ("max_abs_ns", "samples"))


def claims_apart(subjects: Sequence[Subject], both: Sequence[Experiment]) -> list[str]:
    """A sentence for each claim that does not hold for some of the subjects alone."""
    lines = []
    for each in both:
        failed = [{claim["sentence"] for measured in subject.measured[each] for claim in measured.run["claims"]
                   if not claim["ok"] and claim["skipped"] is None and claim.get("todo") is None}
                  for subject in subjects]
        for sentence in sorted(set().union(*failed)):
            of = [subject.label for subject, found in zip(subjects, failed) if sentence in found]
            if len(of) < len(subjects):
                lines.append(f"{each.scenario}, {each.clock} clock: does not hold for {', '.join(of)}: {sentence}")
    return lines


def need_samples(subjects: Sequence[Subject], both: Sequence[Experiment]) -> None:
    """CannotRun if a run's samples are gone or cut short: its statistics would be of something else."""
    for subject in subjects:
        for each in both:
            for measured in subject.measured[each]:
                name = measured.run["samples"]
                if measured.elsewhere or not follows_a_line(measured.run):
                    continue
                if measured.samples is None or not len(measured.samples.error_ns):
                    raise CannotRun(Problem.COMPARE_SAMPLES, f"the samples of {subject.label}, {each.scenario}, "
                                    f"are not in {name or 'a file beside its report'}")
                if not measured.samples.whole:
                    raise CannotRun(Problem.COMPARE_SAMPLES,
                                    f"the samples of {subject.label}, {each.scenario}, in {name} are cut short")

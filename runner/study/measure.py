# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures cores for a comparison: in the host process on the virtual clock, in the guest on the real one. There
the cores take turns, A B A B, so that what the host does meanwhile is the same for all. What was measured before an
interruption is kept, and taken by the next command that asks for the same."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from runner import options, output, plan, scenarios, simulate
from runner.errors import need_built, output_error
from runner.guest import boot, launch, qemu
from runner.lift.images import images
from runner.lift.words import Core
from runner.report import progress, report
from runner.report.names import core_words
from runner.study import subjects
from runner.study.store import Store, key_of
from runner.study.subjects import Subject

Groups = Sequence[tuple[str, ...]]
# What the estimate of the time left begins with: the table of scenarios estimates an emulated CPU's.
SIM_IS_FASTER, BOOT_SECONDS = 20.0, 3.0


def split(groups: Groups) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """The experiments of the virtual clock and those of the real one. The clock is virtual where none is named."""
    real = tuple(group for group in groups if "clock=tsc" in group)
    return tuple(group for group in groups if "clock=tsc" not in group), real


class Kept:
    """The measurements of a comparison that was interrupted: each a report, the notes, and the samples beside it."""

    def __init__(self, build: Path, folder: Path, *asked: str) -> None:
        """folder: of the results. asked: all that the measurements are of, but for the programs."""
        self._folder, self.taken = folder, 0
        self._store = Store(build, "compare", key_of(*asked))

    def _shelf(self, data: Path) -> Path:
        return self._store.path.parent / data.name

    def take(self, name: str, data: Path) -> tuple[report.Document, list[str]] | None:
        """The report and notes of a measurement, whose samples become the file `data`; None if there is none."""
        found = self._store.get(name)
        if not found:
            return None
        try:
            if found["samples"]:
                shutil.copyfile(self._shelf(data), data)
        except OSError:
            return None  # its samples are gone: it is measured again
        self.taken += 1
        return found["document"], found["notes"]

    def put(self, name: str, data: Path, document: report.Document, notes: Sequence[str]) -> None:
        """Keeps a measurement."""
        try:
            if data.exists():
                shutil.copyfile(data, self._shelf(data))
        except OSError as error:
            raise output_error(error, self._shelf(data)) from error
        self._store.put(name, {"document": document, "notes": list(notes), "samples": data.exists()})

    def finish(self) -> None:
        """The comparison has its result: the next one measures afresh."""
        self._store.clear()
        for left in self._store.path.parent.glob("samples-*"):
            left.unlink(missing_ok=True)


def _count(work: progress.Work, fresh: bool, cost: float) -> None:
    if fresh:
        work.add(cost=cost)
    else:
        work.skip(cost=cost)


class _Heard(progress.Show):
    """Follows the runs of one measurement for the bar of all: shows nothing by itself."""

    def __init__(self, work: progress.Work, title: str) -> None:
        super().__init__(Console(quiet=True), title)
        self._work = work

    def feed(self, data: bytes) -> list[progress.Step]:
        begun = super().feed(data)
        for step in begun:
            self._work.say(f"{self.title}, {step.name}, {step.params.get('clock', '')} clock")
        return begun


@dataclass
class Measurement:
    """How to measure; notes: what the guest's runs had to say."""

    groups: Groups
    build: Path
    folder: Path
    periodic: bool
    accel: str
    qemu: str | None
    console: Console
    notes: list[str] = field(default_factory=list)
    documents: list[report.Document] = field(default_factory=list)
    accelerator: str | None = None  # of the guest, once it has run

    def of(self, cores: Sequence[Core], rounds: int) -> list[Subject]:
        """A subject for each core, in their order. rounds: how often each is measured on the real clock."""
        found = [Subject(core.word) for core in cores]
        names = [f"{file_name(core.word)}-{number}" for number, core in enumerate(cores, 1)]
        virtual, real = split(self.groups)
        kept = Kept(self.build, self.folder, repr([core.word for core in cores]), repr(self.groups), str(rounds),
                    str(self.periodic), self.accel, str(self.qemu))
        table = scenarios.read(self.build)
        costs = [table.seconds(virtual) / SIM_IS_FASTER, table.seconds(real) + BOOT_SECONDS if real else 0.0]
        with ExitStack() as stack:
            simulated = [images(self._plan(core, virtual), self.build, "sim", self.periodic, self.console)[0]
                         for core in cores] if virtual else []
            booted = [images(self._plan(core, real), self.build, "guest", self.periodic, self.console)[0]
                      for core in cores] if real else []
            how = self._how(real, cores[0]) if real else None
            work = stack.enter_context(progress.Work(
                self.console, "compare", len(simulated) + rounds * len(booted), unit="measurements",
                cost=len(cores) * (costs[0] + rounds * costs[1]), seconds=True))
            for core, name, image, subject in zip(cores, names, simulated, found):
                fresh = self._simulate(core, virtual, name, image, subject, kept, work)
                _count(work, fresh, costs[0])
            for turn in range(1, rounds + 1):
                for core, name, image, subject in zip(cores, names, booted, found):
                    assert how
                    title = f"{core.word}, {turn} of {rounds}" if rounds > 1 else core.word
                    fresh = self._boot(replace(how, groups=self._plan(core, real).groups), image, f"{name}-{turn}",
                                       title, subject, kept, work)
                    _count(work, fresh, costs[1])
        for core, subject in zip(cores, found):
            if not core.native and subject.measured:
                subject.label = core_words(next(iter(subject.measured.values()))[0].run)
        report.write(report.merge(self.documents), self.folder / output.REPORT)
        if kept.taken:
            self.notes.append(f"{kept.taken} of the measurements are of an earlier command that was interrupted")
        kept.finish()
        return found

    def _how(self, groups: Groups, core: Core) -> boot.Options:
        given = options.run_parser().parse_args(
            ["--build", str(self.build), "--accel", self.accel, *(["--qemu", self.qemu] if self.qemu else [])])
        how = launch.how(given, self._plan(core, groups), self.folder, qemu.find(given.qemu), (), self.console)
        self.accelerator = how.accel.name
        return how

    def _plan(self, core: Core, groups: Groups) -> plan.Plan:
        values = [] if core.switches is None else [f"switches={core.option}"]
        if core.native:
            return plan.Plan(plan.with_values(groups, values))
        return plan.Plan(plan.with_values(groups, ["core=linux"]), (core.word,))

    def _add(self, document: report.Document, subject: Subject) -> None:
        self.documents.append(document)
        for measured in subjects.attach(document, self.folder):
            if measured.run["skipped"] is None:
                subject.add(measured)
            else:
                self.notes.append(f"{measured.run['scenario']} was skipped: {measured.run['skipped']}")

    def _taken_or(self, measure: Callable[[], tuple[report.Document, list[str]]], key: str, data: Path,
                  subject: Subject, kept: Kept) -> bool:
        """Adds the measurement that was kept under this key, or measures and keeps it; False if it was kept."""
        found = kept.take(key, data)
        document, notes = found or measure()
        if not found:
            kept.put(key, data, document, notes)
        self._add(document, subject)
        self.notes += notes
        return not found

    def _simulate(self, core: Core, groups: Groups, name: str, image: plan.Image, subject: Subject, kept: Kept,
                  work: progress.Work) -> bool:
        """One measurement on the virtual clock; False if it was kept."""
        words, data = plan.words(self._plan(core, groups).groups), self.folder / f"samples-{name}.bin"
        key = key_of(need_built(image.sim).read_bytes(), *words)

        def measure() -> tuple[report.Document, list[str]]:
            with _Heard(work, core.word) as heard:
                text, status = simulate.watched(image.sim, ["--samples", str(data), *words],
                                                self.folder / f"serial-{name}.log", heard.feed)
            return simulate.document(image.sim, text, status, data.name, heard.seconds), []

        return self._taken_or(measure, key, data, subject, kept)

    def _boot(self, how: boot.Options, image: plan.Image, name: str, title: str, subject: Subject, kept: Kept,
              work: progress.Work) -> bool:
        """One measurement on the real clock; False if it was kept."""
        data = self.folder / f"samples-{name}.bin"
        key = key_of(need_built(image.elf).read_bytes(), how.accel.name, name, *plan.words(how.groups))

        def measure() -> tuple[report.Document, list[str]]:
            with _Heard(work, title) as heard:
                result = boot.run(how, image, heard, f"-{name}", lambda command: None)
            return result.document(how, heard.seconds), result.notes

        return self._taken_or(measure, key, data, subject, kept)


def file_name(word: str) -> str:
    """A word as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._+@~-]", "_", word)

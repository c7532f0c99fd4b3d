# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures cores for a comparison: in the host process on the virtual clock, in the guest on the real one. There
the cores take turns, A B A B, so that what the host does meanwhile is the same for all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from runner import options, output, plan, simulate
from runner.guest import launch, qemu
from runner.lift.images import images
from runner.lift.words import Core
from runner.report import progress, report
from runner.report.names import core_words
from runner.study import subjects
from runner.study.subjects import Subject

Groups = Sequence[tuple[str, ...]]


def split(groups: Groups) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """The experiments of the virtual clock and those of the real one. The clock is virtual where none is named."""
    real = tuple(group for group in groups if "clock=tsc" in group)
    return tuple(group for group in groups if "clock=tsc" not in group), real


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
        if virtual:
            for core, name, subject in zip(cores, names, found):
                self._simulate(core, virtual, name, subject)
        if real:
            self._boot(cores, names, real, rounds, found)
        for core, subject in zip(cores, found):
            if not core.native and subject.measured:
                subject.label = core_words(next(iter(subject.measured.values()))[0].run)
        report.write(report.merge(self.documents), self.folder / output.REPORT)
        return found

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

    def _simulate(self, core: Core, groups: Groups, name: str, subject: Subject) -> None:
        wanted = self._plan(core, groups)
        (image,) = images(wanted, self.build, "sim", self.periodic, self.console)
        data = self.folder / f"samples-{name}.bin"
        with progress.Show(self.console, core.word) as show:
            text, status = simulate.watched(image.sim, ["--samples", str(data), *plan.words(wanted.groups)],
                                            self.folder / f"serial-{name}.log", show.feed)
        self._add(simulate.document(image.sim, text, status, data.name, show.seconds), subject)

    def _boot(self, cores: Sequence[Core], names: Sequence[str], groups: Groups, rounds: int,
              found: Sequence[Subject]) -> None:
        given = options.run_parser().parse_args(
            ["--build", str(self.build), "--accel", self.accel, *(["--qemu", self.qemu] if self.qemu else [])])
        plans = [self._plan(core, groups) for core in cores]
        how = launch.how(given, plans[0], self.folder, qemu.find(given.qemu), (), self.console)
        self.accelerator = how.accel.name
        made = [images(wanted, self.build, "guest", self.periodic, self.console)[0] for wanted in plans]
        for turn in range(1, rounds + 1):
            for core, name, wanted, image, subject in zip(cores, names, plans, made, found):
                title = f"{core.word}, {turn} of {rounds}" if rounds > 1 else core.word
                this = replace(how, groups=wanted.groups)
                result, seconds = launch.boot_image(this, image, f"-{name}-{turn}", title, self.console)
                self._add(result.document(this, seconds), subject)
                self.notes += result.notes


def file_name(word: str) -> str:
    """A word as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._+@~-]", "_", word)

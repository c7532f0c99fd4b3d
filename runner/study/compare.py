# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench compare`: cores and reports beside each other, in figures and in one picture. Without arguments: the
TSC, the core left alone, kvmclock and the core that follows the page, against vmclock, on this host, now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner import options, output, plan
from runner.errors import output_error, CannotRun, Problem, Status
from runner.lift import words as core_words
from runner.report import plot, table
from runner.report.progress import stderr
from runner.study import clocks, comparison, page, show_comparison, subjects
from runner.study.measure import Measurement
from runner.study.subjects import Subject

DEFAULT: tuple[tuple[str, ...], ...] = (("clock=virtual", "scenario=lock,late,nohz"),)
ROUNDS = 3
SCHEMA = 1


@dataclass(frozen=True)
class Asked:
    """The words of a command line."""

    named: tuple[str, ...]  # cores and reports
    groups: tuple[tuple[str, ...], ...]  # experiments; none: the default, or those of the reports


def parse(words: Sequence[str]) -> Asked:
    """Tells name=value words, and the + between them, from cores and reports. A file or folder is never one of
    the former."""
    named = [word for word in words
             if word != plan.AND and (not plan.WORD.fullmatch(word) or Path(word).expanduser().exists())]
    rest = [word for word in words if word not in named]
    return Asked(tuple(named), plan.parse(rest, ()))


def _parser() -> options.Parser:
    parser = options.Parser("compare", "Compares cores, and reports of earlier runs: which is better?",
                            "./tickbench compare [options] [A B [C ...]] [name=value ... [+ name=value ...]]")
    add = parser.add_argument
    add("compared", nargs="*", metavar="CORE|REPORT|name=value",
        help="cores (native, native:-skew, a tree, TREE@REV, 7.3), report.json files or their folders, and what "
             "to measure the cores with, as for `tickbench run`")
    add("--rounds", type=int, default=ROUNDS, metavar="N",
        help="on the real clock: measure the cores N times in turn, A B A B (default %(default)s)")
    add("--picture", type=Path, metavar="FILE", help="the picture: FILE.png, .svg or .pdf "
        "(default: compare.png in the folder of the results)")
    add("--html", type=Path, metavar="FILE", help="also write one page that needs nothing else")
    add("--json", action="store_true", help="print JSON instead of tables")
    add("--accel", choices=("auto", "kvm", "tcg"), default="auto", help="of guests, as for `tickbench run`")
    add("--qemu", metavar="PATH", help="the QEMU to use (default: qemu-system-x86_64)")
    add("--periodic", action="store_true", help=options.PERIODIC)
    options.folders(parser, "compare")
    return parser


def _check(given: options.argparse.Namespace) -> None:
    if given.rounds < 1:
        raise CannotRun(Problem.USAGE, f"--rounds {given.rounds} is less than 1")
    if given.picture and given.picture.suffix[1:] not in plot.FORMATS:
        raise CannotRun(Problem.USAGE, f"--picture {given.picture} ends neither with "
                        + " nor with ".join(f".{each}" for each in plot.FORMATS))


def _measurement(groups: Sequence[tuple[str, ...]], given: options.argparse.Namespace, folder: Path) -> Measurement:
    return Measurement(groups, given.build, folder, given.periodic, given.accel, given.qemu, stderr())


@dataclass(frozen=True)
class Gathered:
    """What is compared, in the order of the words; what there is to say of it."""

    subjects: list[Subject]
    notes: list[str]


def gather(asked: Asked, given: options.argparse.Namespace, folder: Path) -> Gathered:
    """Reads the reports, and measures the cores. CannotRun if that is less than two to compare."""
    reports = {word: path for word in asked.named if (path := subjects.report_path(word)) is not None}
    cores = [core_words.parse(word) for word in asked.named if word not in reports]
    read = {word: subjects.read(path) for word, path in reports.items()}
    if sum(len(read[word]) if word in read else 1 for word in asked.named) < 2:
        raise CannotRun(Problem.COMPARE, f"{' '.join(asked.named) or 'nothing'} is not two things to compare")
    if not cores and asked.groups:
        raise CannotRun(Problem.COMPARE, f"{' '.join(asked.groups[0])} says how to measure, and nothing is measured")
    groups, notes, made = asked.groups, [], []
    if cores:
        if not groups and read:  # the cores are measured as the reports were
            groups = tuple(each.words() for each in subjects.shared([each for many in read.values() for each in many]))
        measurement = _measurement(groups or DEFAULT, given, folder)
        made, notes = measurement.of(cores, given.rounds), measurement.notes
    rest = iter(made)
    named = [(word, subject) for word in asked.named for subject in (read[word] if word in read else [next(rest)])]
    return Gathered(subjects.distinct(named), list(dict.fromkeys(notes)))


def _skipped(notes: Sequence[str], given: options.argparse.Namespace) -> Status:
    """Nothing was measured: why, as JSON where that was asked for."""
    if given.json:
        print(json.dumps({"schema": SCHEMA, "skipped": list(notes)}))
    else:
        for note in notes:
            table.console().print(note, markup=False, soft_wrap=True)
    return Status.SKIPPED


def _compare(asked: Asked, given: options.argparse.Namespace, folder: Path) -> Status:
    found = gather(asked, given, folder)
    console, picture = table.console(), given.picture or folder / output.COMPARISON
    if not all(subject.measured for subject in found.subjects):
        return _skipped(found.notes, given)
    both = subjects.shared(found.subjects)
    subjects.need_samples(found.subjects, both)
    notes = found.notes + subjects.left_out(found.subjects, both)
    every = [comparison.compare(found.subjects, each) for each in both]
    compared = [each for each in every if each.rows]
    notes += _without_figures([each for each in every if not each.rows]) + subjects.claims_apart(found.subjects, both)
    labels = [subject.label for subject in found.subjects]
    runs = [measured.run for subject in found.subjects for each in both for measured in subject.measured[each]]
    drawn = [each.panel for each in compared if each.panel.lines]
    notes += [f"{each.panel.title}: not drawn, as its samples are of another time than its metrics"
              for each in compared if not each.panel.lines]
    if drawn:
        plot.save(plot.comparison(drawn), picture)
    if given.html:
        _page(given.html, page.of_comparison(compared, labels, notes))
    if given.json:
        print(json.dumps({"schema": SCHEMA, "cores": labels, "picture": str(picture) if drawn else None, "notes": notes,
                          "experiments": [comparison.as_json(each, labels) for each in compared]}, allow_nan=False))
    else:
        show_comparison.show(compared, labels, notes, console)
        if drawn:
            console.print(f"the picture: {picture}", markup=False, soft_wrap=True)
    return table.status(runs)


def _without_figures(compared: Sequence[comparison.Comparison]) -> list[str]:
    names = ", ".join(each.experiment.scenario for each in compared)
    return [f"claims alone, and no figures, have: {names}"] if names else []


def _page(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise output_error(error, path) from error


def _first_question(words: Sequence[str], given: options.argparse.Namespace, folder: Path) -> Status:
    """TSC against vmclock, on this host. words: parameters other than the scenario and the clock."""
    if wrong := [word for word in words if word.startswith(("scenario=", "clock="))]:
        raise CannotRun(Problem.COMPARE, f"{wrong[0]} needs two cores or reports to compare")
    console, picture = table.console(), given.picture or folder / output.COMPARISON
    measurement = _measurement(plan.with_values(clocks.GROUPS, words), given, folder)
    (subject,) = measurement.of([core_words.parse("native")], 1)
    if not subject.measured:
        return _skipped(measurement.notes, given)
    found = clocks.of(subject)
    plot.save(plot.comparison([found.panel]), picture)
    if given.html:
        _page(given.html, page.of_clocks(found, measurement.notes))
    if given.json:
        print(json.dumps({"schema": SCHEMA, "picture": str(picture), "notes": measurement.notes, **found.as_json()},
                         allow_nan=False))
    else:
        show_comparison.show_clocks(found, measurement.notes, console)
        console.print(f"the picture: {picture}", markup=False, soft_wrap=True)
    return table.status([found.run])


def main(arguments: Sequence[str]) -> Status:
    """The status is the worst run's: a claim that fails makes it 1, as for `run`."""
    given = _parser().parse_intermixed_args(list(arguments))
    _check(given)
    asked = parse(given.compared)
    folder = given.output or given.build / "compare"
    with output.prepared(folder):
        if not asked.named and len(asked.groups) <= 1:
            return _first_question([word for group in asked.groups for word in group], given, folder)
        return _compare(asked, given, folder)

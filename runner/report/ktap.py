# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads KTAP version 1 as the guest and the host process print it: an outer test a run, with a
subtest that holds its parameters, metrics and claims. Assumes nothing about the text: firmware may
have written before it, and a guest may have died in the middle. Never raises; what is wrong with a
report stands in its `problems`."""

from __future__ import annotations

import enum
import math
import re
from dataclasses import dataclass, field


class Wrong(enum.Enum):
    """What can be wrong with a report."""

    NO_HEADER = "there is no line \"KTAP version 1\""
    NO_PLAN = "the plan is missing"
    MISSING_TESTS = "fewer tests than planned"
    EXTRA_TESTS = "more tests than planned"
    OUT_OF_ORDER = "a test number is out of order"
    UNFINISHED = "a run has no result"
    MISNAMED = "a run's result has another name"
    CONTRADICTION = "a run passed although one of its claims failed"
    BAD_METRIC = "a metric is not a number"
    TOO_LONG = "it has more lines, or a longer one, than a report may have"


@dataclass(frozen=True)
class Problem:
    kind: Wrong
    line: int  # 1 is the first; 0: of the whole
    text: str = ""

    def words(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.kind.value}" + (f" ({self.text})" if self.text else "")


@dataclass(frozen=True)
class Claim:
    """One test line."""

    number: int
    ok: bool
    sentence: str
    skip: str | None = None  # the reason
    todo: str | None = None  # why it is known not to hold

    @property
    def passes(self) -> bool:
        """It holds, or is known not to."""
        return self.ok or self.todo is not None


@dataclass(frozen=True)
class Metric:
    """A `# metric` line: value in `unit`."""

    value: float
    unit: str


@dataclass
class Run:
    """One subtest: a scenario that was run."""

    name: str
    line: int = 0
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    plan: int | None = None
    result: Claim | None = None

    @property
    def ok(self) -> bool:
        return self.result is not None and self.result.ok and all(claim.passes for claim in self.claims)

    @property
    def skipped(self) -> str | None:
        """Why, if nothing of it was tested."""
        if self.claims and all(claim.skip is not None for claim in self.claims):
            return self.claims[0].skip
        return self.result.skip if self.result and not self.claims else None


@dataclass
class Report:
    """A whole serial log: its runs, and all that was wrong with it."""

    plan: int | None = None
    runs: list[Run] = field(default_factory=list)
    results: list[Claim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    bail_out: str | None = None
    noise: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems and self.bail_out is None and all(c.ok for c in self.results)

    @property
    def all_skipped(self) -> bool:
        return bool(self.results) and all(c.skip is not None for c in self.results)


ESCAPES = re.compile(r"\x1b(\[[0-9;?=]*[ -/]*[@-~]|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]")
HEADER = re.compile(r"KTAP version 1\s*$")
PLAN = re.compile(r"1\.\.(\d{1,9})\s*(?:#.*)?$")
TEST = re.compile(r"(ok|not ok) (\d{1,9})(?:\s+-)?(?:\s+(.*))?$")
SKIP = re.compile(r"#\s*skip\b\s*(.*)$", re.IGNORECASE)
TODO = re.compile(r"#\s*todo\b\s*(.*)$", re.IGNORECASE)
SUBTEST = re.compile(r"#\s*Subtest:\s*(.*)$")
PARAM = re.compile(r"#\s*param (\S+)(?:\s+(.*))?$")
METRIC = re.compile(r"#\s*metric (\S+) (\S+)(?:\s+(.*))?$")
SAMPLES = "# samples "
BAIL = re.compile(r"Bail out!\s*(.*)$")
INDENT = "    "
# What a report may have: memory and time for one that never ends are bounded by these.
LINES_MAX = 100_000
LINE_MAX = 4096  # characters
NOISE_MAX = 1000  # lines that are kept


def clean(line: str) -> str:
    """A line without terminal escapes, control characters and trailing blanks."""
    return ESCAPES.sub("", line).rstrip()


def _claim(text: str) -> Claim | None:
    found = TEST.match(text)
    if not found:
        return None
    sentence = found[3] or ""
    skip, todo = SKIP.search(sentence), TODO.search(sentence)
    for directive in (skip, todo):
        if directive:
            sentence = sentence[:directive.start()]
    return Claim(int(found[2]), found[1] == "ok", sentence.strip(), skip[1] if skip else None,
                 todo[1] if todo else None)


class _Parser:
    def __init__(self) -> None:
        self.report = Report()
        self.run: Run | None = None
        self.started = False
        self.number = 0

    def wrong(self, kind: Wrong, text: str = "") -> None:
        self.report.problems.append(Problem(kind, self.number, text))

    def noise(self, text: str) -> None:
        if len(self.report.noise) < NOISE_MAX:
            self.report.noise.append(text)

    def line(self, text: str) -> None:
        self.number += 1
        if self.started and len(text) > LINE_MAX:
            self.wrong(Wrong.TOO_LONG, f"{len(text)} characters")
        # Firmware may write the header at the end of a line of its own.
        text = clean(text[:LINE_MAX] if self.started else text[-LINE_MAX:])
        if not self.started:
            if HEADER.search(text):
                self.started = True
            elif found := BAIL.match(text.strip()):
                self.report.bail_out = found[1]
            elif text:
                self.noise(text)
        elif text.startswith(INDENT):
            self.inner(text[len(INDENT):])
        elif text:
            self.outer(text)

    def order(self, claim: Claim, before: list[Claim]) -> None:
        if claim.number != len(before) + 1:
            self.wrong(Wrong.OUT_OF_ORDER, f"{claim.number} where {len(before) + 1} should be")

    def common(self, text: str, params: dict[str, str], notes: list[str]) -> bool:
        if found := PARAM.match(text):
            params[found[1]] = found[2] or ""
        elif text.startswith(SAMPLES):
            pass  # runner/report/samples.py reads them
        elif text.startswith("#"):
            notes.append(text[1:].strip())
        elif found := BAIL.match(text):
            self.report.bail_out = found[1]
        else:
            return False
        return True

    def outer(self, text: str) -> None:
        report = self.report
        if (found := PLAN.match(text)) and report.plan is None:
            report.plan = int(found[1])
        elif claim := _claim(text):
            self.order(claim, report.results)
            report.results.append(claim)
            self.close(claim)
        elif not self.common(text, report.params, report.notes):
            self.noise(text)

    def close(self, claim: Claim) -> None:
        run, self.run = self.run, None
        if run is None:
            return
        run.result = claim
        if claim.sentence != run.name:
            self.wrong(Wrong.MISNAMED, f"{run.name}: {claim.sentence}")
        if run.plan is None:
            self.wrong(Wrong.NO_PLAN, run.name)
        elif len(run.claims) != run.plan:
            kind = Wrong.MISSING_TESTS if len(run.claims) < run.plan else Wrong.EXTRA_TESTS
            self.wrong(kind, f"{run.name}: {len(run.claims)} of {run.plan}")
        if claim.ok and not all(inner.passes for inner in run.claims):
            self.wrong(Wrong.CONTRADICTION, run.name)

    def inner(self, text: str) -> None:
        text = text.strip()
        if found := SUBTEST.match(text):
            if self.run:
                self.wrong(Wrong.UNFINISHED, self.run.name)
            self.run = Run(found[1].strip(), self.number)
            self.report.runs.append(self.run)
            return
        run = self.run
        if run is None:
            if text and not HEADER.match(text):
                self.noise(text)
            return
        if found := METRIC.match(text):
            self.metric(run, found)
        elif (found := PLAN.match(text)) and run.plan is None:
            run.plan = int(found[1])
        elif claim := _claim(text):
            self.order(claim, run.claims)
            run.claims.append(claim)
        elif text and not self.common(text, run.params, run.notes):
            self.noise(text)

    def metric(self, run: Run, found: re.Match[str]) -> None:
        try:
            value = float(found[2])
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            run.metrics[found[1]] = Metric(value, found[3] or "")
        else:
            self.wrong(Wrong.BAD_METRIC, f"{found[1]} {found[2]}")

    def finish(self) -> Report:
        report = self.report
        if self.run:
            self.wrong(Wrong.UNFINISHED, self.run.name)
        self.number = 0
        if not self.started:
            if report.bail_out is None:
                self.wrong(Wrong.NO_HEADER)
        elif report.bail_out is None:
            if report.plan is None:
                self.wrong(Wrong.NO_PLAN)
            elif len(report.results) < report.plan:
                self.wrong(Wrong.MISSING_TESTS, f"{len(report.results)} of {report.plan}")
            elif len(report.results) > report.plan:
                self.wrong(Wrong.EXTRA_TESTS, f"{len(report.results)} of {report.plan}")
        return report


def parse(text: str) -> Report:
    """The report in a serial log, whatever else is in it."""
    parser = _Parser()
    at = 0
    while at <= len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if parser.number == LINES_MAX:
            parser.wrong(Wrong.TOO_LONG, f"over {LINES_MAX} lines")
            break
        parser.line(text[at:end])
        at = end + 1
    return parser.finish()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Metrics side by side, their difference, and whether it is more than two runs of one core differ by. Pure
functions of subjects; docs/compare.md defines each metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runner.report import stability
from runner.report.plot import Line, Panel
from runner.study.subjects import Experiment, Measured, Subject

TAU = 1.0  # of the single values of OADEV, TDEV and MTIE in the table, in seconds


@dataclass(frozen=True)
class Statistics:
    """The statistics of one run's samples."""

    of: Measured

    @cached_property
    def series(self) -> stability.Series | None:
        if self.of.samples is None:
            return None
        return stability.even(self.of.samples.seconds, self.of.samples.error_ns)

    @cached_property
    def regression(self) -> stability.Regression | None:
        if self.of.samples is None:
            return None
        return stability.regression(self.of.samples.seconds, self.of.samples.error_ns)

    @cached_property
    def frequency(self) -> stability.Spread | None:
        return stability.frequency(self.series) if self.series else None

    def at(self, function: Callable[[stability.Series, int], float], spans: int) -> float | None:
        """A statistic at TAU; None if the samples span fewer than so many TAU."""
        series = self.series
        if series is None or (len(series.x) - 1) // spans < series.factor(TAU):
            return None
        return function(series, series.factor(TAU))


@dataclass(frozen=True)
class Metric:
    """A row of the table. The value is None where a run does not have it."""

    name: str
    label: str
    unit: str
    value: Callable[[Statistics], float | None]
    judged: bool = False  # in the sentence that says which is better: the nearer to 0, the better


def _reported(name: str) -> Callable[[Statistics], float | None]:
    def value(statistics: Statistics) -> float | None:
        found = statistics.of.run["metrics"].get(name)
        return float(found) if isinstance(found, (int, float)) else None
    return value


def _regression(value: Callable[[stability.Regression], float]) -> Callable[[Statistics], float | None]:
    return lambda statistics: value(statistics.regression) if statistics.regression else None


def _frequency(value: Callable[[stability.Spread], float]) -> Callable[[Statistics], float | None]:
    return lambda statistics: value(statistics.frequency) if statistics.frequency else None


def _whole(statistics: Statistics) -> float | None:
    samples = statistics.of.samples
    return float(samples.error_ns.max() - samples.error_ns.min()) if samples and len(samples.error_ns) else None


METRICS = (
    Metric("max_abs_ns", "max", "ns", _reported("max_abs_ns"), True),
    Metric("rms_ns", "rms", "ns", _reported("rms_ns"), True),
    Metric("mean_ns", "mean", "ns", _reported("mean_ns")),
    Metric("drift_ns_per_s", "drift", "ns/s", _reported("drift_ns_per_s"), True),
    Metric("regression_ppb", "regression, frequency error", "ppb", _regression(lambda found: found.slope)),
    Metric("regression_deviation_ns", "regression, deviation", "ns", _regression(lambda found: found.deviation)),
    Metric("regression_max_ns", "regression, maximum", "ns", _regression(lambda found: found.largest)),
    Metric("freq_mean_ppb", "freq", "ppb", _frequency(lambda found: found.mean)),
    Metric("freq_deviation_ppb", "freq ±", "ppb", _frequency(lambda found: found.deviation)),
    Metric("delay_mean_us", "delay", "us", _reported("late_tick_mean_us")),
    Metric("delay_deviation_us", "delay ±", "us", _reported("late_tick_deviation_us")),
    Metric("oadev_1s_ppb", "OADEV at 1 s", "ppb",
           lambda s: s.at(lambda series, m: stability.oadev(series.x, series.tau0, m), 2), True),
    Metric("tdev_1s_ns", "TDEV at 1 s", "ns",
           lambda s: s.at(lambda series, m: stability.tdev(series.x, series.tau0, m), 3), True),
    Metric("mtie_1s_ns", "MTIE at 1 s", "ns", lambda s: s.at(lambda series, m: stability.mtie(series.x, m), 1),
           True),
    Metric("mtie_ns", "MTIE of the whole window", "ns", _whole),
    Metric("converged_1ns_s", "within 1 ns after", "s", _reported("converged_1ns_s")),
    Metric("trace_told_end_ns", "trace A, told, at the end", "ns", _reported("trace_told_end_ns")),
    Metric("trace_intended_end_ns", "trace B, intended, at the end", "ns", _reported("trace_intended_end_ns")),
    Metric("trace_going_end_ns", "trace C, going, at the end", "ns", _reported("trace_going_end_ns")),
    Metric("trace_told_rms_ns", "A less C, rms", "ns", _reported("trace_told_rms_ns")),
    Metric("trace_intended_rms_ns", "B less C, rms", "ns", _reported("trace_intended_rms_ns")),
    Metric("going_moved_ticks", "C moved by itself", "ticks", _reported("going_moved_ticks")),
)


@dataclass(frozen=True)
class Value:
    """A metric of one subject: the mean over its repetitions, and the largest less the smallest of them."""

    mean: float | None
    spread: float
    runs: int


@dataclass(frozen=True)
class Difference:
    """Of a subject less the first. more: it is more than two runs of one core differ by; None: nobody knows."""

    value: float
    more: bool | None


@dataclass(frozen=True)
class Row:
    """A metric of all subjects, in their order; a difference for each but the first."""

    metric: Metric
    values: tuple[Value, ...]
    differences: tuple[Difference | None, ...]


@dataclass(frozen=True)
class Comparison:
    """Of one experiment."""

    experiment: Experiment
    rows: tuple[Row, ...]
    panel: Panel


def difference(first: Value, other: Value, virtual: bool) -> Difference | None:
    """Two runs of one core on the virtual clock are the same, so that any difference is one of the cores. On the
    real one the means have to be further apart than the repetitions of either; with a single run of either core,
    nobody knows. None: one of the two has no value."""
    if first.mean is None or other.mean is None:
        return None
    apart = other.mean - first.mean
    if virtual:
        return Difference(apart, apart != 0)
    if min(first.runs, other.runs) < 2:
        return Difference(apart, None)
    return Difference(apart, abs(apart) > max(first.spread, other.spread))


def value(metric: Metric, of: Sequence[Statistics]) -> Value:
    """Over the repetitions; no mean unless each has a value."""
    found = [metric.value(each) for each in of]
    numbers = [each for each in found if each is not None]
    if len(numbers) < len(found) or not numbers:
        return Value(None, 0.0, len(found))
    if min(numbers) == max(numbers):
        return Value(numbers[0], 0.0, len(numbers))
    return Value(sum(numbers) / len(numbers), max(numbers) - min(numbers), len(numbers))


def compare(subjects: Sequence[Subject], each: Experiment) -> Comparison:
    """All metrics that any of the subjects has, and what is drawn: the first repetition of each."""
    statistics = [[Statistics(measured) for measured in subject.measured[each]] for subject in subjects]
    rows = []
    for metric in METRICS:
        values = tuple(value(metric, of) for of in statistics)
        if any(found.mean is not None for found in values):
            first, *rest = values
            rows.append(Row(metric, values, tuple(
                difference(first, other, each.clock == "virtual") for other in rest)))
    lines = [Line(subject.label, drawn.seconds, drawn.error_ns) for subject in subjects
             if (drawn := subject.measured[each][0].samples) is not None]
    steps = [step for subject in subjects for measured in subject.measured[each]
             if isinstance(step := measured.run["metrics"].get("mult_step_ns"), (int, float)) and step > 0]
    return Comparison(each, tuple(rows), Panel(each.title(), lines, max(steps, default=None)))


def verdict(comparison: Comparison, labels: Sequence[str], words: Callable[[Any], str]) -> list[str]:
    """A sentence for each subject but the first: in what it is better and worse than the first. words: of a
    number, as the table has it."""
    return [f"{label} against {labels[0]}: {_verdict(comparison, n, words)}" for n, label in enumerate(labels[1:])]


def _verdict(comparison: Comparison, n: int, words: Callable[[Any], str]) -> str:
    told = [(row, apart) for row in comparison.rows if (apart := row.differences[n]) is not None]
    real = [row for row, apart in told if apart.more]
    if any(apart.more is None for _, apart in told):
        return "on this clock two runs of one core differ, and one run of each cannot tell which is better"
    if not real:
        virtual = comparison.experiment.clock == "virtual"
        return "no difference" + ("" if virtual else " beyond what two runs of one core differ by")
    seen = [row for row in real if row.metric.judged and words(row.values[n + 1].mean) != words(row.values[0].mean)]
    if not seen:
        return "no difference that matters: " + ", ".join(row.metric.label for row in real) + " differ a little"
    parts = [f"{word} in {', '.join(_of(row, n + 1, words) for row in rows)}" for word, rows in (
        ("better", [row for row in seen if _nearer(row, n + 1)]),
        ("worse", [row for row in seen if not _nearer(row, n + 1)])) if rows]
    return "; ".join(parts)


def _nearer(row: Row, n: int) -> bool:
    mine, first = row.values[n].mean, row.values[0].mean
    assert mine is not None and first is not None  # there is a difference
    return abs(mine) < abs(first)


def _of(row: Row, n: int, words: Callable[[Any], str]) -> str:
    return f"{row.metric.label} ({words(row.values[n].mean)}, not {words(row.values[0].mean)} {row.metric.unit})"


def as_json(comparison: Comparison, labels: Sequence[str]) -> dict[str, Any]:
    """With the curves over tau, for `--json`."""
    curves: dict[str, dict[str, Any]] = {}
    for line in comparison.panel.lines:
        series = stability.even(line.seconds, line.error_ns)
        if series is not None and line.curves:
            found = stability.curves(series)
            curves[line.label] = {
                "tau0_s": series.tau0, "longest_gap_s": series.longest_gap,
                **{name: {"tau_s": curve.tau.tolist(), "value": curve.value.tolist()} for name, curve in (
                    ("oadev_ppb", found.oadev), ("tdev_ns", found.tdev), ("mtie_ns", found.mtie))}}
    return {
        "clock": comparison.experiment.clock, "scenario": comparison.experiment.scenario,
        "params": dict(comparison.experiment.parameters), "mult_step_ns": comparison.panel.step_ns,
        "metrics": [{
            "name": row.metric.name, "unit": row.metric.unit,
            "values": [{"core": label, "mean": found.mean, "spread": found.spread, "runs": found.runs}
                       for label, found in zip(labels, row.values)],
            "differences": [None if apart is None else {"core": label, "value": apart.value, "more": apart.more}
                            for label, apart in zip(labels[1:], row.differences)],
        } for row in comparison.rows],
        "curves": curves,
    }

# SPDX-License-Identifier: GPL-2.0-or-later
"""All pictures of errors: of each run alone (`run`, `sim`), and of several clocks beside each other (`compare`).
Assumes numpy and matplotlib. Colours are those of Okabe and Ito, which people who are colour-blind can tell
apart; lines differ in dashes and marks as well."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.errors import output_error
from runner.report import stability
from runner.report.names import core_words
from runner.report.samples import Samples

DPI = 110
POINTS = 4000  # more than a picture is wide
LINE, BAND = "#0072B2", "#99C7E0"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 2)), (0, (6, 2, 2, 2)))
MARKS = "osD^v<>"
LIMIT = "#555555"
WORDS_MAX = 20  # disruptions that are named in a picture
LEAST_NS = 1e-6  # a femtosecond: what samples are rounded to, and what a logarithmic axis begins with
FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True)
class Line:
    """A clock's error over time, to be drawn. Seconds and ns; the two have one length, which may be 2."""

    label: str
    seconds: NDArray[np.float64]
    error_ns: NDArray[np.float64]
    curves: bool = True  # also draw its distribution and its statistics over tau


@dataclass(frozen=True)
class Panel:
    """One experiment: the clocks that share its axes, and the effect of one step of mult, ns (None: not known)."""

    title: str
    lines: Sequence[Line] = field(default_factory=tuple)
    step_ns: float | None = None


def envelope(
    x: NDArray[np.float64], y: NDArray[np.float64], points: int = POINTS
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """At most `points` columns: where each begins, and the least and greatest of it. No peak is lost."""
    if len(x) <= points:
        return x, y, y
    starts = np.linspace(0, len(x), points, endpoint=False).astype(np.int64)
    return x[starts], np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)


def title(samples: Samples, run: dict[str, Any] | None) -> str:
    """Of a run's own picture."""
    if run is None:
        return samples.scenario
    ticks = f", HZ {run['hz']}" if run["hz"] else ""
    return f"{run['scenario']}, {run['clock']} clock, {core_words(run)}{ticks}"


def _scale(error_ns: NDArray[np.float64]) -> tuple[str, float]:
    """A symlog threshold where a run begins microseconds off and ends within picoseconds."""
    tail = np.abs(error_ns[len(error_ns) // 2:])
    settled = float(np.percentile(tail, 99)) if len(tail) else 0.0
    peak = float(np.max(np.abs(error_ns))) if len(error_ns) else 0.0
    return ("symlog", max(settled, 1e-3)) if peak > 50 * max(settled, 1e-3) else ("linear", 0.0)


def _figure(width: float, height: float, layout: str = "constrained") -> Any:
    os.environ["MPLBACKEND"] = "Agg"
    import matplotlib
    from matplotlib.figure import Figure

    # matplotlib reads a matplotlibrc of the current folder, which may have it start programs (TeX).
    matplotlib.rcdefaults()
    # The same picture has the same bytes each time: ids in an SVG come from this and not from chance.
    matplotlib.rcParams["svg.hashsalt"] = "tickbench"
    return Figure(figsize=(width, height), dpi=DPI, layout=layout)


def _save(figure: Any, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    try:
        if path.suffix == ".png":
            # savefig() would draw it twice.
            FigureCanvasAgg(figure).print_png(path)
        else:
            figure.savefig(path)
    except OSError as error:
        raise output_error(error, path) from error


def _error_line(axes: Any, line: Line, colour: str, dash: Any, points: int = POINTS) -> tuple[float, float]:
    """Draws an error over time; the least and the greatest of it."""
    x, low, high = envelope(line.seconds, line.error_ns, points)
    if len(x) < len(line.seconds):
        axes.fill_between(x, low, high, color=colour, alpha=0.35, linewidth=0, step="post")
        axes.plot(x, (low + high) / 2, color=colour, linewidth=0.5, linestyle=dash)
    else:
        axes.plot(x, low, color=colour, linewidth=0.7 if len(x) > 50 else 1.4, linestyle=dash)
    return float(low.min()), float(high.max())


def _draw_traces(axes: Any, record: Samples, run: dict[str, Any] | None) -> None:
    """Told, intended and going time against the page: where the clock is, should be, and will be."""
    traces = record.traces
    assert traces is not None
    lines = (("C, going", traces.going_ns, COLOURS[1], 1.6), ("B, intended", traces.intended_ns, COLOURS[2], 1.1),
             ("A, told", traces.told_ns, LINE, 0.6))
    for label, values, color, width in lines:
        axes.plot(traces.seconds, values, color=color, linewidth=width, label=label)
    axes.set_title(f"{title(record, run)}: traces", loc="left", fontsize=9)
    axes.set_ylabel("ns from the line", fontsize=8)
    axes.legend(fontsize=7, loc="best")
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.margins(x=0)
    _plain(axes)


def _mark_disruptions(axes: Any, run: dict[str, Any]) -> None:
    """A line at each disruption that the guest saw, and a band for as long as it knew no time; what it was, where
    there is room for the words. Drawn under the error."""
    found = run.get("disruptions") or {"seen": [], "causes": []}
    seen, causes = found["seen"], found["causes"]
    for number, saw in enumerate(seen):
        axes.axvspan(saw["at_s"], saw["at_s"] + (saw["unknown_ms"] or 0) / 1000, color=BAND, alpha=0.5, linewidth=0,
                     zorder=0)
        axes.axvline(saw["at_s"], color=COLOURS[1], linewidth=0.6 if len(seen) <= WORDS_MAX else 0.3, zorder=0)
        if len(seen) == len(causes) <= WORDS_MAX:
            cause = causes[number]
            axes.annotate(f"{cause['what']}, {cause['host']}", (saw["at_s"], 1), xycoords=("data", "axes fraction"),
                          xytext=(2, -2), textcoords="offset points", rotation=90, va="top", fontsize=6)


def _rows(rows: int) -> tuple[Any, Any]:
    """A figure with two axes a row, the left ones wider. The room for labels is fixed: to measure each label, as
    matplotlib's layouts do, takes as long as to draw them."""
    inches = {"left": 0.85, "right": 0.15, "top": 0.3, "bottom": 0.5}
    width, height, axes_height, gap = 11.0, inches["top"] + inches["bottom"] + 2.2 * rows - 0.6, 1.6, 0.6
    figure = _figure(width, height, "none")
    axes = figure.subplots(rows, 2, squeeze=False, gridspec_kw={
        "width_ratios": [4, 1], "wspace": 0.2, "hspace": gap / axes_height, "left": inches["left"] / width,
        "right": 1 - inches["right"] / width, "top": 1 - inches["top"] / height, "bottom": inches["bottom"] / height})
    return figure, axes


def draw(records: Sequence[Samples], runs: Sequence[dict[str, Any]], path: Path) -> bool:
    """The picture of runs, a row each; false if there is nothing to draw. runs[i] is of the record with run == i;
    a record without a run is drawn under its own name."""
    records = [record for record in records if len(record.error_ns)]
    traced = [record for record in records if record.traces is not None]
    if not records:
        return False
    figure, axes = _rows(len(records) + len(traced))
    from matplotlib import ticker

    for (left, right), record in zip(axes, records):
        run = runs[record.run] if record.run < len(runs) else None
        least, greatest = _error_line(left, Line("", record.seconds, record.error_ns), LINE, "-")
        scale, threshold = _scale(record.error_ns)
        counts, edges = np.histogram(record.error_ns[len(record.error_ns) // 2:], bins=60)
        right.stairs(counts, edges, orientation="horizontal", color=LINE, fill=True)
        if scale == "symlog":
            left.set_yscale("symlog", linthresh=threshold)
        else:
            left.ticklabel_format(axis="y", useOffset=False)
        if run:
            _mark_disruptions(left, run)
        if least <= 0 <= greatest:
            left.axhline(0, color="black", linewidth=0.4)
        left.set_title(title(record, run), loc="left", fontsize=9)
        right.set_title("second half", loc="left", fontsize=9)
        left.set_ylabel("error, ns", fontsize=8)
        left.margins(x=0)
        right.xaxis.set_major_locator(ticker.MaxNLocator(3, integer=True))
        right.ticklabel_format(axis="y", useOffset=False)
        for each in (left, right):
            _plain(each)
    for (left, right), record in zip(axes[len(records):], traced):
        right.set_axis_off()
        _draw_traces(left, record, runs[record.run] if record.run < len(runs) else None)
    axes[-1][0].set_xlabel("seconds since the start of the run", fontsize=8)
    axes[len(records) - 1][1].set_xlabel("samples", fontsize=8)
    _save(figure, path)
    return True


def _plain(axes: Any) -> None:
    axes.tick_params(labelsize=7)
    axes.grid(linewidth=0.3, alpha=0.6)


def _style(number: int) -> dict[str, Any]:
    """How a curve is drawn. Earlier ones are wider, so that one that lies upon another hides nothing."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)],
            "linewidth": max(1.1, 2.6 - 0.6 * number), "marker": MARKS[number % len(MARKS)],
            "markersize": max(3.0, 6.5 - 1.5 * number)}


@dataclass(frozen=True)
class Tau:
    """Of a clock: its largest errors in ns over the time in seconds, a step for each of equal pieces; statistics over
    tau in seconds, ADEV in ppb, TDEV and MTIE in ns."""

    label: str
    time: Sequence[float]  # the pieces' ends, one more than there are peaks
    peak: Sequence[float]
    tau: Sequence[float]
    adev: Sequence[float]
    tdev: Sequence[float]
    mtie: Sequence[float]


def over_tau(rows: Sequence[tuple[str, Sequence[Tau]]], path: Path) -> None:
    """A row of four panels, the error over time, ADEV, TDEV and MTIE, for each title with its clocks."""
    figure = _figure(18, 0.5 + 3.8 * len(rows))
    all_axes = figure.subplots(len(rows), 4, squeeze=False, width_ratios=[2, 1, 1, 1])
    for (title_, clocks), (over_time, *axes) in zip(rows, all_axes):
        for number, clock in enumerate(clocks):
            over_time.stairs([max(value, LEAST_NS) for value in clock.peak], clock.time, baseline=None,
                             **{name: value for name, value in _style(number).items() if "marker" not in name})
        over_time.set_yscale("log")
        over_time.margins(x=0)
        over_time.set_xlabel("time, s", fontsize=8)
        over_time.set_ylabel("largest |error|, ns", fontsize=8)
        over_time.set_title(title_, loc="left", fontsize=10, fontweight="bold")
        _plain(over_time)
        for panel, name, words in zip(axes, ("adev", "tdev", "mtie"), ("ADEV, ppb", "TDEV, ns", "MTIE, ns")):
            for number, clock in enumerate(clocks):
                values = [max(value, LEAST_NS * LEAST_NS) for value in getattr(clock, name)]
                panel.loglog(clock.tau, values, label=clock.label, **_style(number))
            panel.set_xlabel("tau, s", fontsize=8)
            panel.set_ylabel(words, fontsize=8)
            _plain(panel)
        axes[-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5))
    _save(figure, path)


def _over_time(axes: Any, panel: Panel, points: int) -> None:
    everything = np.concatenate([line.error_ns for line in panel.lines])
    peak = float(np.max(np.abs(everything)))
    quiet = min(float(np.percentile(np.abs(line.error_ns[len(line.error_ns) // 2:]), 99)) for line in panel.lines)
    threshold = max(quiet, panel.step_ns or 0.0, 1e-3)
    ends = [_error_line(axes, line, COLOURS[number % len(COLOURS)], "-" if line.curves else (0, (6, 2)), points)
            for number, line in enumerate(panel.lines)]
    if panel.step_ns:
        for end in (-panel.step_ns, panel.step_ns):
            axes.axhline(end, color=LIMIT, linewidth=0.8, linestyle=":")
    if peak > 50 * threshold:
        axes.set_yscale("symlog", linthresh=threshold)
        # A symlog axis is symmetric by itself: half of it would be empty.
        room = 2 * (panel.step_ns or threshold)
        axes.set_ylim(min(2 * min(low for low, _ in ends), -room), max(2 * max(high for _, high in ends), room))
    axes.axhline(0, color="black", linewidth=0.4)
    axes.margins(x=0)
    axes.set_title(panel.title, loc="left", fontsize=11, fontweight="bold", pad=22)
    axes.set_xlabel("time since the start of the window, s", fontsize=8)
    axes.set_ylabel("error against the page, ns", fontsize=8)


def _distribution(axes: Any, panel: Panel) -> None:
    """Which share of the samples is within how many ns."""
    for number, line in enumerate(panel.lines):
        if line.curves:
            x = np.sort(np.maximum(np.abs(line.error_ns), LEAST_NS))
            share = np.arange(1, len(x) + 1) / len(x) * 100
            keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), 500)).astype(np.int64))
            axes.plot(x[keep], share[keep], **(_style(number) | {"marker": ""}))
    if panel.step_ns:
        axes.axvline(panel.step_ns, color=LIMIT, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_ylim(0, 101)
    axes.set_title("distribution", loc="left", fontsize=9)
    axes.set_xlabel("|error|, ns", fontsize=8)
    axes.set_ylabel("samples within it, %", fontsize=8)


def _over_tau(axes: Sequence[Any], panel: Panel) -> None:
    """OADEV, TDEV and MTIE; for each the limit of a clock that stays within one step."""
    for number, line in enumerate(panel.lines):
        series = stability.even(line.seconds, line.error_ns) if line.curves else None
        if series is None:
            continue
        found = stability.curves(series)
        for each, curve, scale in zip(axes, (found.oadev, found.tdev, found.mtie), (1e-9, 1.0, 1.0)):
            above = curve.value > 0  # a logarithmic axis has no 0
            each.plot(curve.tau[above], curve.value[above] * scale, **_style(number))
    for each, name, unit in zip(axes, ("OADEV", "TDEV", "MTIE"), ("relative frequency", "ns", "ns")):
        each.set_xscale("log")
        each.set_yscale("log")
        each.set_title({"OADEV": "Allan deviation, overlapping", "TDEV": "time deviation",
                        "MTIE": "maximum time interval error"}[name], loc="left", fontsize=9)
        each.set_xlabel("averaging time τ, s" if name != "MTIE" else "observation interval τ, s", fontsize=8)
        each.set_ylabel(f"{name}, {unit}", fontsize=8)
        if panel.step_ns and each.lines:
            taus = np.array(each.get_xlim())
            limit = stability.limits(panel.step_ns)
            values = {"OADEV": limit.oadev * 1e-9 / taus, "TDEV": limit.tdev + 0 * taus, "MTIE": limit.mtie + 0 * taus}
            each.plot(taus, values[name], color=LIMIT, linewidth=1.0, linestyle=":", scalex=False)


def comparison(panels: Sequence[Panel], points: int = POINTS) -> Any:
    """A figure with two rows of axes an experiment: the errors over time and their distribution; and OADEV, TDEV
    and MTIE over tau. Each panel has lines, and each line samples."""
    from matplotlib.lines import Line2D

    figure = _figure(12.5, 0.5 + 6.6 * len(panels))
    grid = figure.add_gridspec(2 * len(panels), 6)
    for row, panel in enumerate(panels):
        time = figure.add_subplot(grid[2 * row, :4])
        share = figure.add_subplot(grid[2 * row, 4:])
        taus = [figure.add_subplot(grid[2 * row + 1, 2 * n:2 * n + 2]) for n in range(3)]
        _over_time(time, panel, points)
        _distribution(share, panel)
        _over_tau(taus, panel)
        for each in (time, share, *taus):
            _plain(each)
        keys = [Line2D([], [], label=line.label, **(_style(n) if line.curves else
                       {"color": COLOURS[n % len(COLOURS)], "linestyle": (0, (6, 2))}))
                for n, line in enumerate(panel.lines)]
        if panel.step_ns:
            keys.append(Line2D([], [], color=LIMIT, linestyle=":",
                               label=f"limit of one mult step, {panel.step_ns:.3g} ns"))
        time.legend(handles=keys, fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.1,
                    ncols=4, frameon=False, handlelength=3)
    return figure


def save(figure: Any, path: Path) -> None:
    """As PNG, SVG or PDF, by the path's ending; CannotRun if it cannot be written."""
    _save(figure, path)


def svg(figure: Any) -> str:
    """An <svg> element for a page: it refers to nothing outside of itself."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    return text.getvalue()[text.getvalue().index("<svg"):]

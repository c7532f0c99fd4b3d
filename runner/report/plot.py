# SPDX-License-Identifier: GPL-2.0-or-later
"""Draws the error of each run over time, and its distribution beside it, into one PNG. Assumes numpy
and matplotlib; samples without a run in the report are drawn under their own name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.errors import output_error
from runner.report.names import core_words
from runner.report.samples import Samples

POINTS = 4000  # more than a picture is wide
LINE, BAND = "#1f5fa8", "#9dbfe3"


def envelope(
    x: NDArray[np.float64], y: NDArray[np.float64], points: int = POINTS
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """At most `points` columns: where each begins, and the least and greatest of it. No peak is lost."""
    if len(x) <= points:
        return x, y, y
    starts = np.linspace(0, len(x), points, endpoint=False).astype(np.int64)
    return x[starts], np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)


def title(samples: Samples, run: dict[str, Any] | None) -> str:
    if run is None:
        return samples.scenario
    return f"{run['scenario']}, {run['clock']} clock, {core_words(run)}, HZ {run['hz']}"


def _scale(error_ns: NDArray[np.float64]) -> tuple[str, float]:
    """A symlog threshold where a run begins microseconds off and ends within picoseconds."""
    tail = np.abs(error_ns[len(error_ns) // 2:])
    settled = float(np.percentile(tail, 99)) if len(tail) else 0.0
    peak = float(np.max(np.abs(error_ns))) if len(error_ns) else 0.0
    return ("symlog", max(settled, 1e-3)) if peak > 50 * max(settled, 1e-3) else ("linear", 0.0)


def _draw_traces(axes: Any, record: Samples, run: dict[str, Any] | None) -> None:
    """Told, intended and going time against the page: where the clock is, should be, and will be."""
    traces = record.traces
    assert traces is not None
    lines = (("C, going", traces.going_ns, "#b5651d", 1.6), ("B, intended", traces.intended_ns, "#4b8b3b", 1.1),
             ("A, told", traces.told_ns, LINE, 0.6))
    for label, values, color, width in lines:
        axes.plot(traces.seconds, values, color=color, linewidth=width, label=label)
    axes.set_title(f"{title(record, run)}: traces", loc="left", fontsize=9)
    axes.set_ylabel("ns from the line", fontsize=8)
    axes.legend(fontsize=7, loc="best")
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.tick_params(labelsize=7)
    axes.grid(linewidth=0.3, alpha=0.6)
    axes.margins(x=0)


def draw(records: Sequence[Samples], runs: Sequence[dict[str, Any]], path: Path) -> bool:
    """Writes the picture; false if there is nothing to draw. runs[i] is of the record with run == i."""
    records = [record for record in records if len(record.error_ns)]
    traced = [record for record in records if record.traces is not None]
    if not records:
        return False
    os.environ["MPLBACKEND"] = "Agg"
    import matplotlib
    from matplotlib import ticker
    from matplotlib.figure import Figure

    # matplotlib reads a matplotlibrc of the current folder, which may have it start programs (TeX).
    matplotlib.rcdefaults()
    rows = len(records) + len(traced)
    figure = Figure(figsize=(11, 0.6 + 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False, width_ratios=[4, 1])
    for (left, right), record in zip(axes, records):
        run = runs[record.run] if record.run < len(runs) else None
        x, low, high = envelope(record.seconds, record.error_ns)
        if len(x) < len(record.seconds):
            left.fill_between(x, low, high, color=BAND, linewidth=0, step="post")
            left.plot(x, (low + high) / 2, color=LINE, linewidth=0.5)
        else:
            left.plot(x, low, color=LINE, linewidth=0.6)
        scale, threshold = _scale(record.error_ns)
        tail = record.error_ns[len(record.error_ns) // 2:]
        right.hist(tail, bins=60, orientation="horizontal", color=LINE)
        if scale == "symlog":
            left.set_yscale("symlog", linthresh=threshold)
        else:
            left.ticklabel_format(axis="y", useOffset=False)
        if low.min() <= 0 <= high.max():
            left.axhline(0, color="black", linewidth=0.4)
        left.set_title(title(record, run), loc="left", fontsize=9)
        right.set_title("second half", loc="left", fontsize=9)
        left.set_ylabel("error, ns", fontsize=8)
        left.margins(x=0)
        right.xaxis.set_major_locator(ticker.MaxNLocator(3, integer=True))
        right.ticklabel_format(axis="y", useOffset=False)
        for each in (left, right):
            each.tick_params(labelsize=7)
            each.grid(linewidth=0.3, alpha=0.6)
    for (left, right), record in zip(axes[len(records):], traced):
        right.set_axis_off()
        _draw_traces(left, record, runs[record.run] if record.run < len(runs) else None)
    axes[-1][0].set_xlabel("seconds since the start of the run", fontsize=8)
    axes[len(records) - 1][1].set_xlabel("samples", fontsize=8)
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise output_error(error, path) from error
    return True

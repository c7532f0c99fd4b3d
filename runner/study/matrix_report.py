# SPDX-License-Identifier: GPL-2.0-or-later
"""The results of a matrix: a row for each block and core, linux-tktest's columns, what fails with the command
that shows it, and a heat map. Assumes runs in the order of the matrix's cells, each with `cell`: its block, its
core and its axes."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner import output
from runner.errors import output_error
from runner.report import report, table
from runner.report.reasons import figure, known

Run = dict[str, Any]
PICTURES = ("matrix.png", "matrix.svg")
REGRESS = "regress"
LISTED = 20  # of the cells that fail
SAME = "it behaves as the native core with its switches does"
COLUMNS = 30  # of a panel of the heat map


def worst_ns(run: Run) -> float | None:
    """The figure that a cell is known by, ns: the largest error of the clock."""
    name = "maximum_worst_ns" if run["scenario"] == REGRESS else "max_abs_ns"
    value = run["metrics"].get(name)
    return float(value) if isinstance(value, (int, float)) else None


def differs(run: Run) -> bool:
    """Whether a lifted core is not as the native core at its stage."""
    return any(claim["sentence"] == SAME and not claim["ok"] for claim in run["claims"])


def verdict(run: Run) -> str:
    """One of FAIL, differs, skipped, known, pass."""
    if run["ok"] is False:
        return "FAIL"
    if differs(run):
        return "differs"
    if run["skipped"]:
        return "skipped"
    return "known" if known(run) else "pass"


STYLES = {"FAIL": "bold red", "differs": "magenta", "skipped": "yellow", "known": "yellow", "pass": "green"}


def label(run: Run, leave: Sequence[str] = ()) -> str:
    """A cell by its axes: hz 100, counter tsc."""
    axes = [f"{name} {value}" for name, value in run["cell"].items() if name not in ("block", "core", *leave)]
    return ", ".join(axes)


def _constant(runs: Sequence[Run]) -> list[str]:
    """The axes that have one value in all of these runs."""
    return [name for name in runs[0]["cell"] if name not in ("block", "core")
            and len({run["cell"].get(name) for run in runs}) == 1]


def _grouped(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        found.setdefault((run["cell"]["block"], run["cell"]["core"]), []).append(run)
    return found


def summary(runs: Sequence[Run]) -> Table:
    """A row a block and core: how many cells hold, and the worst of them."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("block", "core"):
        made.add_column(title, overflow="fold")
    for title in ("cells", "pass", "known", "differ", "FAIL", "max ns, median", "max ns, worst", "drift ns/s, worst"):
        made.add_column(title, justify="right", no_wrap=True)
    made.add_column("the worst cell", overflow="fold", min_width=24)
    for (block, core), some in _grouped(runs).items():
        verdicts = [verdict(run) for run in some]
        numbers = sorted(value for run in some if (value := worst_ns(run)) is not None)
        drifts = [abs(run["metrics"].get("drift_ns_per_s") or 0.0) for run in some]
        worst = max(some, key=lambda run: worst_ns(run) or 0.0)
        count = {name: verdicts.count(name) for name in STYLES}
        made.add_row(
            block, core, str(len(some)), str(count["pass"]),
            *(Text(str(count[name]) if count[name] else "-", style=STYLES[name] if count[name] else "")
              for name in ("known", "differs", "FAIL")),
            figure(numbers[len(numbers) // 2] if numbers else None), figure(numbers[-1] if numbers else None),
            figure(max(drifts)) if some[0]["scenario"] != REGRESS else "-",
            label(worst, _constant(some)))
    return made


def regression(runs: Sequence[Run]) -> Table | None:
    """linux-tktest's columns, a row for each experiment and core; None if there is none."""
    some = [run for run in runs if run["scenario"] == REGRESS]
    if not some:
        return None
    made = Table(title="100 to 100.099 ppm in steps of 0.001, by regression", title_justify="left",
                 box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("counter", "NO_HZ", "HZ", "core"):
        made.add_column(title, overflow="fold")
    for title in ("readings", "frequency error ppm", "deviation ns", "maximum ns"):
        made.add_column(title, justify="right", no_wrap=True)
    for run in some:
        metrics = run["metrics"]
        error = metrics.get("frequency_error_ppb")
        made.add_row(run["cell"].get("counter", str(run["counter_hz"])),
                     "on" if run["params"].get("tickless") == "1" else "off", str(run["hz"]), run["cell"]["core"],
                     str(metrics.get("readings", "-")), "-" if error is None else f"{error / 1000:.7f}",
                     figure(metrics.get("deviation_ns")), figure(metrics.get("maximum_ns")))
    return made


def complaints(runs: Sequence[Run], commands: Sequence[str]) -> list[str]:
    """What fails or differs, cell by cell, with the command that shows it."""
    lines = []
    for run, command in zip(runs, commands):
        word = verdict(run)
        if word not in ("FAIL", "differs"):
            continue
        broken = [claim["sentence"] for claim in run["claims"] if not claim["ok"] and claim["todo"] is None]
        notes = [note for note in run["notes"] if note.startswith("not as native")] if word == "differs" else []
        lines += [f"{word}: {run['cell']['core']}, {run['cell']['block']}, {label(run)}: {'; '.join(notes or broken)}",
                  f"  {command}"]
    more = len(lines) // 2 - LISTED
    return [*lines[:2 * LISTED], *([f"and {more} more, in report.json"] if more > 0 else [])]


def verdict_line(runs: Sequence[Run]) -> str:
    """All of it in one line."""
    verdicts = [verdict(run) for run in runs]
    words = [f"{verdicts.count('pass') + verdicts.count('known')} of {len(runs)} cells passed"]
    for name, text in (("known", "of them with claims that are known to fail for want of a switch"),
                       ("differs", "not as the native core with the same switches"), ("FAIL", "failed"),
                       ("skipped", "skipped")):
        if count := verdicts.count(name):
            words.append(f"{count} {text}")
    return ", ".join(words)


def _panels(runs: Sequence[Run], cores: Sequence[str]) -> list[tuple[str, list[str], list[list[Run | None]]]]:
    """A panel for each block, of at most COLUMNS experiments: title, what each column is, rows by core."""
    made = []
    blocks = list(dict.fromkeys(run["cell"]["block"] for run in runs))
    for block in blocks:
        some = [run for run in runs if run["cell"]["block"] == block]
        constant = _constant(some)
        varying = [name for name in some[0]["cell"] if name not in ("block", "core", *constant)]
        columns = list(dict.fromkeys(label(run) for run in some))
        names = {label(run): "\n".join(run["cell"][name] for name in varying) for run in some}
        by = {(run["cell"]["core"], label(run)): run for run in some}
        fixed = ", ".join(f"{name} {some[0]['cell'][name]}" for name in constant)
        title = "; ".join([block, *([fixed] if fixed else []), f"columns: {', '.join(varying)}"])
        for at in range(0, len(columns), COLUMNS):
            part = columns[at:at + COLUMNS]
            rows = [[by.get((core, column)) for column in part] for core in cores
                    if any((core, column) in by for column in columns)]
            made.append((title, [names[column] for column in part], rows))
    return made


def draw(runs: Sequence[Run], cores: Sequence[str], paths: Sequence[Path]) -> None:
    """The heat map: a panel for each block, a row for each core, a column for each experiment; the colour is the
    largest error. CannotRun if a path cannot be written."""
    os.environ["MPLBACKEND"] = "Agg"
    import matplotlib
    import numpy as np
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    # matplotlib reads a matplotlibrc of the current folder, which may have it start programs (TeX).
    matplotlib.rcdefaults()
    panels = _panels(runs, cores)
    depth = [max(len(name.split("\n")) for name in names) for _, names, _ in panels]
    heights = [0.30 * len(rows) + 0.13 * lines + 0.55 for (_, _, rows), lines in zip(panels, depth)]
    figure_ = Figure(figsize=(13, sum(heights) + 0.6), layout="constrained")
    axes = figure_.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    values = [value for run in runs if (value := worst_ns(run)) is not None and value > 0]
    low, high = (min(values), max(values)) if values else (0.1, 1.0)
    norm = LogNorm(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high) + 1e-9))
    image = None
    for (axis,), (title, names, rows) in zip(axes, panels):
        grid = np.array([[math.nan if run is None or worst_ns(run) is None else max(worst_ns(run) or 0.0, norm.vmin)
                          for run in row] for row in rows])
        image = axis.imshow(grid, norm=norm, cmap="viridis", aspect="auto")
        for y, row in enumerate(rows):
            for x, run in enumerate(row):
                if run is not None:
                    _mark(axis, x, y, run, float(norm(grid[y, x])) if not math.isnan(grid[y, x]) else 1.0)
        axis.set_title(title, loc="left", fontsize=9)
        axis.set_yticks(range(len(rows)), [next(run for run in row if run)["cell"]["core"] for row in rows], fontsize=8)
        axis.set_xticks(range(len(names)), names, fontsize=5.5)
        axis.tick_params(length=0)
        axis.set_xlim(-0.5, max(COLUMNS, len(names)) - 0.5 if len(names) > COLUMNS // 2 else len(names) - 0.5)
    if image is not None:
        bar = figure_.colorbar(image, ax=[axis for (axis,) in axes], shrink=0.5, aspect=40, pad=0.01)
        bar.set_label("largest error, ns     (!: a claim fails, ~: not as native, k: known to fail)", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    try:
        for path in paths:
            figure_.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise output_error(error, paths[0]) from error


def short(value: float) -> str:
    """A figure in at most five characters: 0.098, 28, 6e3, 4e-4."""
    if value == 0 or 0.01 <= value < 1000:
        return f"{value:.0f}" if value >= 100 or value == 0 else f"{value:.2g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _mark(axis: Any, x: int, y: int, run: Run, light: float) -> None:
    sign = {"FAIL": "! ", "differs": "~ ", "known": "k ", "skipped": "- "}.get(verdict(run), "")
    value = worst_ns(run)
    text = "" if value is None else short(value)
    axis.text(x, y, sign + text, ha="center", va="center", fontsize=6, color="black" if light > 0.6 else "white",
              fontweight="bold" if sign == "! " else "normal")


def _wide(to: Console, made: Table) -> None:
    """A table without a cut figure: wider than the output's width if need be."""
    least = table.console(1000).measure(made).maximum
    to.print(made, width=None if to.is_terminal else max(to.width, least))


def show(document: report.Document, commands: Sequence[str], folder: Path) -> None:
    """All of it on stdout."""
    to, runs = table.console(), document["runs"]
    _wide(to, summary(runs))
    fitted = regression(runs)
    if fitted is not None:
        _wide(to, fitted)
    for line in table.switches_lines(runs):
        to.print(line, markup=False, soft_wrap=True)
    speeds = ", ".join(f"{core} {speed}" for core, speed in document["million_ticks_per_s"].items())
    to.print(f"million ticks/s: {speeds}", markup=False, soft_wrap=True)
    for line in complaints(runs, commands):
        to.print(line, markup=False, soft_wrap=True)
    to.print(verdict_line(runs), markup=False, soft_wrap=True)
    to.print(f"in {folder}: {', '.join((output.REPORT, *PICTURES))}", markup=False, soft_wrap=True)

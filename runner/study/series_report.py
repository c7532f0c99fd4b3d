# SPDX-License-Identifier: GPL-2.0-or-later
"""What `tickbench series` found, as a document, a table and a picture. Assumes rows as runner/study/series.py makes
them: the base first, then one for each patch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from runner import output
from runner.errors import output_error, Status
from runner.report import report
from runner.report import table as tables
from runner.study import judge

PICTURES = ("series.png", "series.svg")
SHORT = {"drift_ns_per_s": "drift ns/s", "max_abs_ns": "max ns", "plus_end_mean_ns": "10 us ends at ns",
         "adjtime_end_mean_ns": "adjtime ends at ns", "tail_time_offset_left": "tail left",
         "frequency_error_max_ppb": "max ppb", judge.FAILED: "failed claims"}
# A metric is rounded when it is printed: less than this is no change.
RELATIVE = 1e-9
Row = dict[str, Any]


def columns(experiments: Sequence[judge.Experiment]) -> list[tuple[str, str]]:
    """The experiment and the metric of each column of figures."""
    return [(each.name, metric) for each in experiments for metric in each.metrics]


def figure(row: Row, experiment: str, metric: str) -> float | None:
    """A metric of a row; None if it has none."""
    run = next((run for run in row["runs"] if run["experiment"] == experiment), None)
    return judge.value(run, metric) if run else None


def differs(a: float | None, b: float | None) -> bool:
    """Whether two values of a metric are not the same."""
    if a is None or b is None:
        return a is not b
    return abs(a - b) > RELATIVE * max(abs(a), abs(b))


def changes(row: Row, before: Row) -> list[dict[str, Any]]:
    """The metrics in which two rows differ, all of them, and not only the table's."""
    found = []
    old = {run["experiment"]: run for run in before["runs"]}
    for run in row["runs"]:
        other = old.get(run["experiment"])
        for name in sorted(set(run["metrics"]) | set(other["metrics"] if other else ())):
            a = judge.value(other, name) if other else None
            b = judge.value(run, name)
            if differs(a, b):
                found.append({"experiment": run["experiment"], "metric": name, "before": a, "after": b})
    return found


def document(name: str, rows: Sequence[Row], experiments: Sequence[judge.Experiment]) -> report.Document:
    """The report: schema 1, with `series` beside the runs of all rows."""
    base = before = rows[0]
    for row in rows:
        against = before if row["group"] == "series" else base
        row["changes"] = changes(row, against) if row["runs"] and row is not base else []
        row["new_failed_claims"] = [each for each in row["failed_claims"] if each not in against["failed_claims"]]
        row["switches_added"] = sorted(set(row["switches"]) - set(against["switches"])) if row["runs"] else []
        row["switches_removed"] = sorted(set(against["switches"]) - set(row["switches"])) if row["runs"] else []
        if row["group"] == "series" and row["runs"]:
            before = row
    return {"schema": report.SCHEMA, "command": "series", "base": name,
            "columns": [list(each) for each in columns(experiments)], "rows": list(rows)}


def status(value: report.Document) -> Status:
    """FAILED if a patch is not measured, or makes a claim fail that held before."""
    bad = any(row["problem"] or (row["patch"] and row["new_failed_claims"]) for row in value["rows"])
    return Status.FAILED if bad else Status.PASSED


def label(row: Row) -> str:
    """A row's place, for people: base, 3, alone 3, all but 3."""
    if not row["patch"]:
        return "base"
    return str(row["patch"]) if row["group"] == "series" else f"{row['group']} {row['patch']}"


def equal_words(row: Row) -> str:
    """Whether the row's core behaves as the one of the row before, in a few words."""
    if row["problem"]:
        return row["problem"]
    if not row["patch"]:
        return ""
    if not row["lifted"]:
        return "nothing that the lift compiles" if row["files"] else "no file of this tree"
    compared = row["equal"]
    if not compared["differs"]:
        return "equal"
    first = compared["first"][0]["name"] if compared["first"] else "?"
    why = f" ({', '.join(compared['because'])})" if compared["because"] else ""
    return f"differs: {first}{why}"


def switch_words(row: Row) -> str:
    """All switches of the base; of the others what has come and gone."""
    if not row["patch"]:
        return ",".join(row["switches"]) or "none"
    return " ".join([*(f"+{each}" for each in row["switches_added"]),
                     *(f"-{each}" for each in row["switches_removed"])])


def files_words(row: Row) -> str:
    """The files that a patch touches: those under kernel/time by their names."""
    names = [name.removeprefix("kernel/time/") for name in row["files"] if name.startswith("kernel/time/")]
    rest = len(row["files"]) + len(row["left_out"]) - len(names)
    return ", ".join([*names[:3], *([f"{len(names) - 3} more of kernel/time"] if names[3:] else []),
                      *([f"{rest} elsewhere"] if rest else [])])


def _claims(row: Row) -> Text:
    failed = len(row["failed_claims"])
    if not row["runs"]:
        return Text("-")
    return Text(f"{failed} failed" if failed else "pass", style="red" if row["new_failed_claims"] else "")


def _changed(row: Row, experiment: str, metric: str) -> bool:
    return any(each["experiment"] == experiment and each["metric"] == metric for each in row["changes"])


def moved(value: report.Document) -> list[tuple[str, str]]:
    """The columns of figures in which any two rows differ."""
    rows = [row for row in value["rows"] if row["runs"]]
    return [(experiment, metric) for experiment, metric in value["columns"]
            if any(differs(figure(row, experiment, metric), figure(rows[0], experiment, metric)) for row in rows)]


def table(value: report.Document) -> Table:
    """A row a patch, with the metrics that any row changes. A figure that differs from the row before (of --alone:
    from the base) has a * beside it."""
    made = Table(title=f"on {value['base']}", title_justify="left", box=box.SIMPLE, pad_edge=False,
                 padding=(0, 1, 0, 0))
    for name in ("patch", "subject", "files", "switches", "to the row before", "claims"):
        made.add_column(name, no_wrap=name in ("patch", "claims"), max_width=36)
    wanted = moved(value)
    for experiment, metric in wanted:
        made.add_column(f"{experiment}:\n{SHORT.get(metric, metric)}", justify="right", no_wrap=True)
    group = "series"
    for row in value["rows"]:
        if row["group"] != group:
            made.add_section()
            group = row["group"]
        figures = []
        for experiment, metric in wanted:
            changed = _changed(row, experiment, metric)
            words = judge.number(figure(row, experiment, metric)) + ("*" if changed else "")
            figures.append(Text(words, style="bold" if changed else ""))
        made.add_row(label(row), row["subject"], files_words(row), switch_words(row), equal_words(row), _claims(row),
                     *figures)
    return made


def _from_to(before: float | None, after: float | None) -> str:
    """Two figures, with all their places if fewer do not tell them apart."""
    a, b = judge.number(before), judge.number(after)
    return f"{before:.12g} to {after:.12g}" if a == b and before is not None and after is not None else f"{a} to {b}"


def causes(value: report.Document) -> list[str]:
    """Of each metric of the table, which patches of the series changed it, and from what to what."""
    lines = []
    for experiment, metric in value["columns"]:
        found = [f"{label(row)} ({_from_to(each['before'], each['after'])})"
                 for row in value["rows"] if row["group"] == "series" for each in row["changes"]
                 if each["experiment"] == experiment and each["metric"] == metric]
        if found:
            lines.append(f"{experiment}, {SHORT.get(metric, metric)}: changed by {', '.join(found)}")
    return lines


def notes(value: report.Document) -> list[str]:
    """What the table has no room for: the tools' own words, new failed claims, patches that no figure shows."""
    lines = []
    for row in value["rows"]:
        name = f"{label(row)} {row['subject']}"
        if row["problem"]:
            lines += [f"{name}: {row['problem']}", *(f"  {line}" for line in (row["said"] or "").splitlines()[:12])]
        if row["patch"]:
            lines += [f"{name}: no longer holds: {claim}" for claim in row["new_failed_claims"]]
        if row["left_out"]:
            lines.append(f"{name}: left out, as the tree has no such folder: {', '.join(row['left_out'][:4])}")
        if row["merged"]:
            lines.append(f"{name}: applied by a three-way merge of {', '.join(row['merged'][:4])}")
        if row["equal"] and row["equal"]["differs"] and not row["changes"]:
            lines.append(f"{name}: no experiment shows it; the comparison does: {row['equal']['operation']}")
    return lines


def show(value: report.Document, folder: Path) -> None:
    """All of it on stdout."""
    to = tables.console()
    made = table(value)
    tables.console(max(to.width, tables.console(1000).measure(made).maximum)).print(made)
    still = [f"{experiment} {SHORT.get(metric, metric)}" for experiment, metric in value["columns"]
             if (experiment, metric) not in moved(value)]
    if still:
        to.print(f"the same in all rows: {', '.join(still)}", markup=False, soft_wrap=True)
    for line in [*causes(value), *notes(value)]:
        to.print(line, markup=False, soft_wrap=True)
    to.print(f"in {folder}: {', '.join((output.REPORT, *PICTURES))}", markup=False, soft_wrap=True)


def write(value: report.Document, folder: Path) -> None:
    """report.json and the pictures."""
    report.write(value, folder / output.REPORT)
    try:
        draw(value, [folder / name for name in PICTURES])
    except OSError as error:
        raise output_error(error, error.filename or folder) from error


def draw(value: report.Document, paths: Sequence[Path]) -> None:
    """A panel for each column of figures, a line for each row: the figure as a dot, red where it changed."""
    os.environ["MPLBACKEND"] = "Agg"
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcdefaults()
    matplotlib.rcParams["svg.hashsalt"] = "tickbench"
    rows = value["rows"]
    wanted = moved(value) or [(name, metric) for name, metric in value["columns"][:1]]
    height = 1.6 + 0.3 * len(rows)
    made = Figure(figsize=(4 + 1.7 * len(wanted), height), layout="constrained")
    axes = made.subplots(1, len(wanted), squeeze=False, sharey=True)[0]
    for axis, (experiment, metric) in zip(axes, wanted):
        _panel(axis, rows, experiment, metric)
    names = [f"{label(row)}  {row['subject']}"[:60] + (f"  [{row['problem']}]" if row["problem"] else "")
             for row in rows]
    axes[0].set_yticks(range(len(rows)), names, fontsize=8)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    made.suptitle(f"{value['base']}, and each patch on the row before; red: changed by this row", fontsize=9)
    for path in paths:
        made.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)


def _panel(axis: Any, rows: Sequence[Row], experiment: str, metric: str) -> None:
    shown = [(y, figure(row, experiment, metric), _changed(row, experiment, metric)) for y, row in enumerate(rows)]
    have = [(y, each, changed) for y, each, changed in shown if each is not None]
    sizes = [abs(each) for _, each, _ in have if each]
    if sizes and max(sizes) > 50 * min(sizes):
        axis.set_xscale("symlog", linthresh=max(min(sizes), max(sizes) * 1e-6))
        axis.locator_params(axis="x", numticks=4)
    axis.plot([each for _, each, _ in have], [y for y, _, _ in have], color="#9dbfe3", lw=1, zorder=1)
    axis.scatter([each for _, each, _ in have], [y for y, _, _ in have], s=22, zorder=2,
                 c=["#c0392b" if changed else "#1f5fa8" for _, _, changed in have])
    for y, each, changed in have:
        if changed or y == 0:
            axis.annotate(judge.number(each), (each, y), textcoords="offset points", xytext=(4, 4), fontsize=6)
    axis.set_title(f"{experiment}\n{SHORT.get(metric, metric)}", fontsize=8)
    axis.tick_params(axis="x", labelsize=6)
    axis.xaxis.get_offset_text().set_fontsize(6)
    axis.grid(axis="y", color="#eeeeee")
    axis.margins(x=0.25)

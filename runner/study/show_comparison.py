# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints a comparison: a table for each experiment, and what it says in words."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from runner.report.reasons import figure
from runner.report.table import console as console_of
from runner.study.clocks import Clocks
from runner.study.comparison import Comparison, Difference, Row, verdict

MORE = {True: "yes", False: "no", None: "?"}


def signed(apart: Difference | None) -> str:
    """A difference with its sign; a dash if there is none."""
    if apart is None:
        return "-"
    return f"+{figure(apart.value)}" if apart.value > 0 else figure(apart.value)


def columns(labels: Sequence[str], virtual: bool) -> list[str]:
    """The titles of a table's columns. On the virtual clock any difference is the cores'."""
    found = ["metric", "unit", labels[0]]
    for label in labels[1:]:
        found += [label, "difference"] if virtual else [label, "difference", "runs differ by", "more?"]
    return found


def cells(row: Row, virtual: bool) -> list[str]:
    """A row of the table, below these titles."""
    found = [row.metric.label, row.metric.unit, figure(row.values[0].mean)]
    for value, apart in zip(row.values[1:], row.differences):
        found += [figure(value.mean), signed(apart)]
        if not virtual:
            runs = min(row.values[0].runs, value.runs)
            found += [figure(max(row.values[0].spread, value.spread)) if runs > 1 else "-",
                      "-" if apart is None else MORE[apart.more]]
    return found


def _print(made: Table, console: Console) -> None:
    """Nothing is cut where there is no terminal."""
    least = console_of(1000).measure(made).maximum
    console.print(made, width=None if console.is_terminal else max(least, console.width))


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> Table:
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, name in enumerate(titles):
        made.add_column(name, justify="left" if number < left else "right", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def show(compared: Sequence[Comparison], labels: Sequence[str], notes: Sequence[str], console: Console) -> None:
    """All experiments, one below the other."""
    for each in compared:
        virtual = each.experiment.clock == "virtual"
        console.print(f"\n{each.experiment.title()}", markup=False, soft_wrap=True)
        _print(_table(columns(labels, virtual), [cells(row, virtual) for row in each.rows], 2), console)
        for sentence in verdict(each, labels, figure):
            console.print(sentence, markup=False, soft_wrap=True)
    console.print()
    for note in notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)


def show_clocks(found: Clocks, notes: Sequence[str], console: Console) -> None:
    """The answer to the first question."""
    run = found.run
    console.print(f"\nagainst vmclock, {found.seconds:g} s each, {run['accel']}, TSC of {run['counter_hz']} Hz "
                  f"(from {run['counter_source']})", markup=False, soft_wrap=True)
    _print(_table(("clock", "drift ppb", "ns after it", "why not"), [
        (each.name, figure(each.drift_ppb), figure(each.error_ns, 1), each.why) for each in found.clocks], 1), console)
    for note in notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)

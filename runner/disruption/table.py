# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of disruptions: what was done, what the host saw, and what the guest saw. Of many of one kind it
shows the least, the median and the greatest."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from runner.report.reasons import figure

ROWS_MAX = 20
# Title, of the host's or the guest's record, field, unit of the printed figure.
COLUMNS = (
    ("away ms", "causes", "away_ms"),
    ("noticed ms", "causes", "notice_ms"),
    ("own ms", "causes", "own_ms"),
    ("line ms", "causes", "line_ms"),
    ("unknown ms", "seen", "unknown_ms"),
    ("before ns", "seen", "off_ns"),
    ("after ns", "seen", "after_ns"),
    ("stated ns", "seen", "stated_ns"),
    ("10 ns ms", "seen", "to_10ns_ms"),
)


def pairs(run: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a disruption: its cause, and what the guest saw of it. Where the guest saw more than were
    caused, which belongs to which is not known."""
    causes, seen = run["disruptions"]["causes"], run["disruptions"]["seen"]
    if len(seen) > len(causes):
        return [{"causes": {}, "seen": saw} for saw in seen]
    return [{"causes": cause, "seen": saw or {}} for cause, saw in zip_longest(causes, seen)]


def values(rows: Sequence[dict[str, Any]], part: str, name: str) -> list[float]:
    return [abs(row[part][name]) for row in rows if row[part].get(name) is not None]


def show(run: dict[str, Any], to: Console) -> None:
    """Prints the table."""
    rows = pairs(run)
    if not rows:
        return
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    made.add_column("#", justify="right", no_wrap=True)
    made.add_column("what", no_wrap=True)
    for title, _, _ in COLUMNS:
        made.add_column(title, justify="right", no_wrap=True)
    if len(rows) <= ROWS_MAX:
        for number, row in enumerate(rows, 1):
            cause = row["causes"]
            what = f"{cause['what']}, {cause['host']}" if cause else "-"
            made.add_row(str(number), what,
                         *(figure(row[part].get(name)) for _, part, name in COLUMNS))
    else:
        picks: dict[str, Callable[[list[float]], float]] = {
            "least": min, "median": statistics.median, "greatest": max}
        for title, pick in picks.items():
            cells = [values(rows, part, name) for _, part, name in COLUMNS]
            made.add_row(str(len(rows)), title, *(figure(pick(cell)) if cell else "-" for cell in cells))
    to.print(made)

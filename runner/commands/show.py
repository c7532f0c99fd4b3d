# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench show`: prints the table of reports that were written before."""

from __future__ import annotations

from collections.abc import Sequence

from runner import options
from runner.errors import Status
from runner.report import report, table


def main(arguments: Sequence[str]) -> Status:
    """The status is the one that `run` or `sim` ended with."""
    given = options.show_parser().parse_args(list(arguments))
    whole = report.merge([report.read(path) for path in given.reports])
    compared = whole.get("comparisons", [])
    table.show(whole["runs"], table.console(), compared)
    return table.status(whole["runs"], compared)

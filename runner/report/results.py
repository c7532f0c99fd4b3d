# SPDX-License-Identifier: GPL-2.0-or-later
"""The results of one command: the reports and samples of each core's vehicle, joined, written and
printed."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from runner import output
from runner.errors import Status
from runner.report import plot, report, samples, table


@dataclass
class Results:
    """What has been measured so far. Samples are numbered by run over all documents."""

    documents: list[report.Document] = field(default_factory=list)
    records: list[samples.Samples] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    comparisons: list[dict[str, Any]] = field(default_factory=list)  # of lifted cores with others
    details: list[str] = field(default_factory=list)  # of those that differ

    def add(self, document: report.Document, path: Path) -> None:
        """One vehicle's report, and the file of its samples."""
        first = sum(len(each["runs"]) for each in self.documents)
        self.records += [replace(record, run=record.run + first) for record in samples.read(path)]
        self.documents.append(document)

    def _whole(self) -> report.Document:
        whole = report.merge(self.documents)
        return whole | ({"comparisons": self.comparisons} if self.comparisons else {})

    def print_json(self) -> None:
        """What report.json has, on stdout."""
        json.dump(self._whole(), sys.stdout, indent=1)
        print()

    def write(self, folder: Path) -> Status:
        """Writes report.json; the status of all runs together."""
        whole = self._whole()
        report.write(whole, folder / output.REPORT)
        return table.status(whole["runs"], self.comparisons)

    def show(self, folder: Path, console: Console) -> None:
        """Draws the picture, and prints the table, the notes and the names of the files."""
        runs = report.merge(self.documents)["runs"]
        drawn = plot.draw(self.records, runs, folder / output.PICTURE)
        table.show(runs, console, self.comparisons)
        for line in self.details:
            console.print(line, markup=False, soft_wrap=True)
        for note in self.notes:
            console.print(f"note: {note}", markup=False, soft_wrap=True)
        files = [output.REPORT, *([output.PICTURE] if drawn else []), *output.logs(folder)]
        console.print(f"in {folder}: {', '.join(files)}", markup=False, soft_wrap=True)

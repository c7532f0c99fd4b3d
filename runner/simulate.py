# SPDX-License-Identifier: GPL-2.0-or-later
"""One call of the host process: its KTAP, parsed, as the report document. Assumes the words that
tickbench-sim takes, name=value and + between experiments."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.errors import need_built, CannotRun, Problem, Status
from runner.report import ktap, report


def document(program: Path, ktap_text: str, status: int, samples: str | None = None,
             seconds: Sequence[float | None] = ()) -> report.Document:
    """The report of what `program` printed; CannotRun if it could not run, or its KTAP is broken."""
    parsed = ktap.parse(ktap_text)
    if parsed.bail_out is not None:
        raise CannotRun(Problem.GUEST_BAILED, f"tickbench-sim cannot run this: {parsed.bail_out}")
    if parsed.problems or status not in (Status.PASSED, Status.FAILED, Status.SKIPPED):
        raise CannotRun(Problem.PROGRAM_FAILED, f"{program} failed (status {status})",
                        "\n".join(each.words() for each in parsed.problems[:8]) if ktap_text else "")
    return report.document(parsed, report.Vehicle("sim"), samples, seconds)


def runs(program: Path, words: Sequence[str]) -> list[dict[str, Any]]:
    """The runs of the experiments that `words` ask for, as in report.json. CannotRun with the program's
    own words if it refuses them."""
    done = subprocess.run([str(need_built(program)), *words], capture_output=True, text=True)
    if done.returncode not in (Status.PASSED, Status.FAILED, Status.SKIPPED):
        raise CannotRun(Problem.PROGRAM_FAILED, f"{program.name} ended with status {done.returncode}",
                        done.stderr)
    return document(program, done.stdout, done.returncode)["runs"]

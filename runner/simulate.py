# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the host process tickbench-sim, and makes a report document of the KTAP that it prints. Assumes
arguments as tickbench-sim takes them: name=value, and + between experiments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from runner import process
from runner.errors import need_built, output_error, CannotRun, Problem, Status
from runner.report import ktap, report

KTAP_BYTES = 4 << 20  # a whole report has some kilobytes


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


def watched(
    program: Path, words: Sequence[str], log: Path, heard: Callable[[bytes], object]
) -> tuple[str, int]:
    """The KTAP and the exit status. Each piece is written to the log and given to heard() as it comes."""
    need_built(program)
    text = bytearray()
    try:
        child = process.start([str(program), *words], stderr=sys.stderr.buffer)
    except OSError as error:
        raise CannotRun(Problem.PROGRAM_FAILED, f"cannot start {program} ({error})") from error
    try:
        assert child.stdout
        with _opened(log) as file:
            while data := os.read(child.stdout.fileno(), 65536):
                text += data
                if len(text) > KTAP_BYTES:
                    raise CannotRun(Problem.GUEST_LOUD, f"{program} wrote more than {KTAP_BYTES} bytes")
                _append(file, data, log)
                heard(data)
        child.wait()
    finally:
        process.end(child)
    return text.decode(errors="replace"), child.returncode


def _opened(log: Path) -> IO[bytes]:
    """Unbuffered: a write that failed on a full disk must not be tried again at the close."""
    try:
        return log.open("wb", buffering=0)
    except OSError as error:
        raise output_error(error, log) from error


def _append(file: IO[bytes], data: bytes, log: Path) -> None:
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest):]
    except OSError as error:
        raise output_error(error, log) from error

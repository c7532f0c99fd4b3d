# SPDX-License-Identifier: GPL-2.0-or-later
"""The output folder of a command: which results it may hold, and that only one command uses it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from runner.errors import output_error, CannotRun, Problem

REPORT, PICTURE, COMPARISON = "report.json", "error.png", "compare.png"
LOGS = ("serial*.log", "samples*.bin", "publisher*.log")


@contextlib.contextmanager
def prepared(folder: Path) -> Iterator[None]:
    """Makes the folder, and removes the results of an earlier command. CannotRun if it cannot be written,
    or if another command uses it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise output_error(error, folder) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRun(Problem.OUTPUT_FOLDER, f"another run writes its results to {folder}") from None
        _tidy(folder)
        yield
    finally:
        os.close(lock)


def _tidy(folder: Path) -> None:
    try:
        for pattern in (*LOGS, REPORT, PICTURE, COMPARISON):
            for left in folder.glob(pattern):
                left.unlink()
        (folder / REPORT).touch()
        (folder / REPORT).unlink()
    except OSError as error:
        raise output_error(error, folder) from error


def logs(folder: Path) -> list[str]:
    """The names of the logs and samples in it."""
    return sorted(path.name for pattern in LOGS for path in folder.glob(pattern))

# SPDX-License-Identifier: GPL-2.0-or-later
"""The page and mailbox files that a guest shares with the host, and the publisher that writes them.
Assumes build/vmclock-host; the files are in /dev/shm where that is, and never outlive the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from runner import process
from runner.errors import CannotRun, Problem, output_error
from runner.machine import PAGE_BYTES

PREFIX = "tickbench-"
PAGE_MAGIC = (0x4B4C4356).to_bytes(4, "little")
READY_SECONDS = 5.0


def shm() -> Path:
    return Path(os.environ.get("TICKBENCH_SHM", "/dev/shm"))


def sweep(folder: Path) -> None:
    """Removes what runs left that were killed before they could."""
    for left in folder.glob(f"{PREFIX}*-*"):
        pid = left.name[len(PREFIX):].split("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists() and left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


def _roomy(folder: Path) -> bool:
    try:
        room = os.statvfs(folder)
    except OSError:
        return False
    return os.access(folder, os.W_OK) and room.f_bavail * room.f_frsize >= 3 * PAGE_BYTES


class SharedFolder:
    """A context: a folder for the files, in memory if possible; `note` says where it is if not."""

    def __init__(self, fallback: Path) -> None:
        self.path = Path()
        self.note = ""
        self._fallback = fallback

    def __enter__(self) -> SharedFolder:
        wanted = shm()
        folders = [wanted, Path(tempfile.gettempdir()), self._fallback]
        where = next((folder for folder in folders if _roomy(folder)), None)
        if where is None:
            raise CannotRun(Problem.OUTPUT_FULL,
                            f"there is no room for the page in {', '.join(map(str, folders))}")
        if where != wanted:
            self.note = f"no room in {wanted}: the page is a file in {where}"
        sweep(where)
        try:
            self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=where))
        except OSError as error:
            raise output_error(error, where) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def begins(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


@dataclass
class Publisher:
    """A context: the publisher runs in it, and is asked to end when it is left."""

    program: Path
    page: Path
    mailbox: Path | None  # none: it writes one given line, and is done
    log: Path
    args: Sequence[str] = ()

    def __enter__(self) -> Publisher:
        self._child: subprocess.Popen[bytes] | None = None
        self._file: IO[bytes] | None = None
        if not self.program.exists():
            raise CannotRun(Problem.NOT_BUILT, f"there is no {self.program}")
        try:
            self._file = self.log.open("wb")
            self._child = process.start(
                [str(self.program), "--page", str(self.page),
                 *(["--mailbox", str(self.mailbox)] if self.mailbox else []), *self.args],
                stdout=self._file, stderr=self._file)
        except OSError as error:
            if self._file is None:
                raise output_error(error, self.log) from error
            self._file.close()
            raise CannotRun(Problem.PUBLISHER, f"cannot start the publisher ({error})") from error
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def _wait(self) -> None:
        """Until QEMU can map the files: the page is valid, if only to say that it initializes."""
        assert self._child
        until = time.monotonic() + READY_SECONDS
        while True:
            # Asked before the page is looked at: one that has ended can have made it.
            status = self._child.poll()
            if self._there():
                return
            if status is not None:
                raise CannotRun(Problem.PUBLISHER,
                                f"the publisher ended at once (status {status})", self.words())
            if time.monotonic() > until:
                raise CannotRun(Problem.PUBLISHER, "the publisher has no page after"
                                f" {READY_SECONDS:g} s", self.words())
            time.sleep(0.005)

    def _there(self) -> bool:
        files = [self.page] + ([self.mailbox] if self.mailbox else [])
        return begins(self.page, PAGE_MAGIC) and all(
            path.exists() and path.stat().st_size >= PAGE_BYTES for path in files)

    def words(self) -> str:
        """What it said."""
        try:
            return self.log.read_text(errors="replace")
        except OSError:
            return ""

    def stop(self) -> None:
        if self._child:
            process.end(self._child)
        if self._file:
            self._file.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

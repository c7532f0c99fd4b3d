# SPDX-License-Identifier: GPL-2.0-or-later
"""The page and mailbox files that a guest shares with the host, and the publisher that writes them.
Assumes build/vmclock-host. The files are in /dev/shm if that has room, and are removed after the run."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from runner import process
from runner.errors import output_error, CannotRun, Problem
from runner.guest.addresses import PAGE_BYTES

PREFIX = "tickbench-run-"
PAGE_MAGIC = (0x4B4C4356).to_bytes(4, "little")
READY_SECONDS = 5.0
# The log's limit. It holds for every file that the publisher writes, so a page must fit into it.
LOG_BYTES = 2 * PAGE_BYTES
LAST_WORDS_BYTES = 4096


def shm() -> Path:
    return Path(os.environ.get("TICKBENCH_SHM", "/dev/shm"))


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None if another has it, or there is no such folder. The
    lock ends with its holder, and is seen from every PID namespace that shares the file system."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Removed between open and lock?
        if os.fstat(lock).st_ino == os.stat(folder, follow_symlinks=False).st_ino:
            return lock
    except OSError:
        pass
    os.close(lock)
    return None


def sweep(folder: Path) -> None:
    """Removes the folders of runs that were killed before they could."""
    for left in folder.glob(f"{PREFIX}*"):
        lock = _locked(left)
        if lock is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)


def _own_folder(where: Path) -> tuple[Path, int]:
    """A new folder, and the descriptor that keeps its lock."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=where))
        # Another run's sweep may have locked it first, and then removes it.
        if (lock := _locked(path)) is not None:
            return path, lock


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
            self.path, self._lock = _own_folder(where)
        except OSError as error:
            raise output_error(error, where) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def begins(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


def _objection(page: Path) -> str:
    """What is wrong with a page of the user's own, and what to do about it; empty: nothing."""
    try:
        # O_NONBLOCK: a FIFO is refused, not waited for.
        file = os.open(page, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "it is a symbolic link (name the file that it leads to)"
        return f"{error.strerror} (name a file that is there and that you may read)"
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            return "it is not a regular file (name one, as vmclock-host makes it)"
        if found.st_uid != os.geteuid():
            return "it belongs to another user (copy it, or run this as its owner)"
        if found.st_size < PAGE_BYTES:
            return f"it is {found.st_size} bytes long, and QEMU maps 2 MiB (make it with vmclock-host)"
        if os.pread(file, len(PAGE_MAGIC), 0) != PAGE_MAGIC:
            return "it does not begin with a vmclock page's magic (make it with vmclock-host)"
    finally:
        os.close(file)
    return ""


def check_own_page(page: Path) -> None:
    """CannotRun unless the file is the user's own and a vmclock page that QEMU can map."""
    if objection := _objection(page):
        raise CannotRun(Problem.PUBLISHER, f"{page} is not used as the page: {objection}")


@dataclass
class Publisher:
    """A context: the publisher runs inside it, and is ended when it is left."""

    program: Path
    page: Path
    mailbox: Path | None  # None: the publisher writes one given line, and exits
    log: Path
    args: Sequence[str] = ()

    def __enter__(self) -> Publisher:
        self._child: subprocess.Popen[bytes] | None = None
        self._file: IO[bytes] | None = None
        if not self.program.exists():
            raise CannotRun(Problem.NOT_BUILT, f"there is no {self.program}")
        try:
            self._file = self.log.open("ab")
            self._child = process.start(
                [str(self.program), "--page", str(self.page),
                 *(["--mailbox", str(self.mailbox)] if self.mailbox else []), *self.args],
                stdout=self._file, stderr=self._file, file_bytes=LOG_BYTES)
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
            # Read before the page: a publisher that has ended by now may have made it before.
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

    def ended(self) -> str:
        """How it ended ("status 3", "signal 9"); empty while it runs."""
        status = self._child.poll() if self._child else None
        if status is None:
            return ""
        return f"signal {-status}" if status < 0 else f"status {status}"

    def signal(self, number: int) -> None:
        """Sends it a signal; nothing if it has ended."""
        if self._child and self._child.poll() is None:
            self._child.send_signal(number)

    def restart(self) -> None:
        """Starts it again, after it has ended, on the files that it left."""
        self.stop()
        self.__enter__()

    def words(self) -> str:
        """The end of its log."""
        try:
            return self.log.read_bytes()[-LAST_WORDS_BYTES:].decode(errors="replace")
        except OSError:
            return ""

    def stop(self) -> None:
        if self._child:
            process.end(self._child)
        if self._file and not self._file.closed:
            if os.fstat(self._file.fileno()).st_size >= LOG_BYTES:
                self._file.write(b"\n[tickbench: cut here]\n")
            self._file.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

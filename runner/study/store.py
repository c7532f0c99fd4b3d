# SPDX-License-Identifier: GPL-2.0-or-later
"""Results that a command keeps, so that it can be interrupted and go on later. They are JSON lines in a folder
build/work/COMMAND/KEY/; the key is made of all that the results depend on. Several processes may use one
folder at the same time: each sees what the others have added."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.errors import output_error

FILE = "results.jsonl"


def key_of(*parts: str | bytes) -> str:
    """A key, of all that a result depends on: 16 hex digits."""
    sums = [hashlib.sha256(part.encode() if isinstance(part, str) else part).digest() for part in parts]
    return hashlib.sha256(b"".join(sums)).hexdigest()[:16]


def _parse(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """The name and the result; None for a line that is damaged, whose result is then made again."""
    try:
        found = json.loads(line)
        name, result = found["name"], found["result"]
    except (ValueError, KeyError, TypeError):
        return None
    return (name, result) if isinstance(name, str) and isinstance(result, dict) else None


class Store:
    """The results under one key, by name. Safe to call from several threads and processes. CannotRun if the
    folder cannot be written."""

    def __init__(self, build: Path, command: str, key: str) -> None:
        self.path = build / "work" / command / key / FILE
        self._found: dict[str, dict[str, Any]] = {}
        self._read = 0  # bytes of the file that _found has
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, self.path) from error
        with self._alone() as file:
            self._catch_up(file)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[int]:
        """The open file, while no other thread and no other process writes to it."""
        try:
            with self._lock:
                file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    yield file
                finally:
                    os.close(file)
        except OSError as error:
            raise output_error(error, self.path) from error

    def _catch_up(self, file: int) -> None:
        """Reads what was added, and cuts off a last line that has no end: its writer stopped within it."""
        size = os.fstat(file).st_size
        if size < self._read:  # somebody removed the file and it was begun again
            self._read, self._found = 0, {}
        with open(file, "rb", closefd=False) as whole:
            whole.seek(self._read)
            added = whole.read()
        end = added.rfind(b"\n") + 1
        if end != len(added):
            os.ftruncate(file, self._read + end)
        self._read += end
        for line in added[:end].splitlines():
            if parsed := _parse(line):
                self._found[parsed[0]] = parsed[1]

    def _grown(self) -> bool:
        try:
            return self.path.stat().st_size != self._read
        except OSError:
            return False

    def get(self, name: str) -> dict[str, Any] | None:
        """The result of this name, or None. Another process may have put it."""
        if name not in self._found and self._grown():
            with self._alone() as file:
                self._catch_up(file)
        return self._found.get(name)

    def put(self, name: str, result: dict[str, Any]) -> None:
        """Adds a result; once this returns, it is on the disk. The last one of a name counts."""
        line = json.dumps({"name": name, "result": result}).encode() + b"\n"
        with self._alone() as file:
            self._catch_up(file)
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(file, rest):]
            os.fsync(file)
            self._read += len(line)
            self._found[name] = result

    def clear(self) -> None:
        """Forgets all results of this key."""
        with self._alone() as file:
            os.ftruncate(file, 0)
            self._read, self._found = 0, {}

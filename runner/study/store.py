# SPDX-License-Identifier: GPL-2.0-or-later
"""Results that a command keeps, so that it can be interrupted and go on later. They are JSON lines in a folder
build/work/COMMAND/KEY/; the key is made of all that the results depend on."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from runner.errors import output_error

FILE = "results.jsonl"


class Store:
    """The results under one key, by name. Safe to call from several threads. CannotRun if the folder cannot
    be written."""

    def __init__(self, build: Path, command: str, key: str) -> None:
        self.path = build / "work" / command / key / FILE
        self._found: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._load()
        except OSError as error:
            raise output_error(error, self.path) from error

    def _load(self) -> None:
        if not self.path.exists():
            return
        whole = self.path.read_bytes()
        # A line that was being written when the machine stopped has no end: it is cut off.
        end = whole.rfind(b"\n") + 1
        if end != len(whole):
            os.truncate(self.path, end)
        for line in whole[:end].splitlines():
            each = json.loads(line)
            self._found[each["name"]] = each["result"]

    def get(self, name: str) -> dict[str, Any] | None:
        """The result of this name, or None."""
        return self._found.get(name)

    def put(self, name: str, result: dict[str, Any]) -> None:
        """Adds a result; once this returns, it is on the disk."""
        line = json.dumps({"name": name, "result": result}) + "\n"
        try:
            with self._lock, self.path.open("a") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
                self._found[name] = result
        except OSError as error:
            raise output_error(error, self.path) from error

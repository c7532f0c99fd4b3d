# SPDX-License-Identifier: GPL-2.0-or-later
"""What files contain, as digests. A digest is remembered with the file's modification time, size and inode, so
that an unchanged file is not read again. Assumes that no file is changed twice within the memory's margin without
a change of its modification time."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

# A file that was written this recently may be written again with the same modification time.
MARGIN_NS = 2_000_000_000
MISSING = ""


def of_text(text: str) -> str:
    """The digest of a text: 32 hexadecimal digits."""
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).hexdigest()


class Digests:
    """The files of one folder, by their names relative to it; absolute names are taken as they are."""

    def __init__(self, root: Path, memory: Path) -> None:
        self.root, self.memory = root, memory
        self._changed = False
        self._known: dict[str, list[object]] = {}
        try:
            held = json.loads(memory.read_text())
            if held["root"] == str(root):
                self._known = held["files"]
        except (OSError, ValueError, KeyError, TypeError):
            pass

    def of(self, name: str) -> str:
        """The digest of a file's content, MISSING if there is no such file."""
        path = os.path.join(self.root, name)
        try:
            stat = os.stat(path)
            known = self._known.get(name)
            mark = [stat.st_mtime_ns, stat.st_size, stat.st_ino]
            if known and known[:3] == mark:
                return str(known[3])
            with open(path, "rb") as file:
                digest = hashlib.blake2b(file.read(), digest_size=16).hexdigest()
        except OSError:
            return MISSING
        if time.time_ns() - stat.st_mtime_ns > MARGIN_NS:
            self._known[name] = [*mark, digest]
            self._changed = True
        else:
            self._known.pop(name, None)
        return digest

    def of_all(self, names: Iterable[str]) -> dict[str, str]:
        """The digests of several files."""
        return {name: self.of(name) for name in names}

    def same(self, digests: dict[str, str]) -> bool:
        """Whether all these files have the contents that they had."""
        return all(self.of(name) == digest for name, digest in digests.items())

    def names_in(self, folder: str) -> str:
        """A digest of the names in a folder, MISSING if there is none."""
        try:
            return of_text("\n".join(sorted(os.listdir(os.path.join(self.root, folder)))))
        except OSError:
            return MISSING

    def save(self) -> None:
        """Keeps what was learnt. A memory that cannot be written costs time, nothing else."""
        if not self._changed:
            return
        try:
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            new = self.memory.with_name(f"{self.memory.name}.{os.getpid()}")
            new.write_text(json.dumps({"root": str(self.root), "files": self._known}))
            new.rename(self.memory)
        except OSError:
            return
        self._changed = False

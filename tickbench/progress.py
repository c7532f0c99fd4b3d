# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows how far a run is, from the lines "# run K of N" that a vehicle prints before each: a bar on a
terminal, else one plain line a run. Assumes that an expected time may be wrong: the bar then waits."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tickbench import ktap


class Show:
    """A context that is fed serial output, and notes each run's wall time."""

    def __init__(self, console: Console, title: str, quiet: bool = False) -> None:
        self.console, self.title, self.quiet = console, title, quiet
        self.seconds: list[float | None] = []
        self.now: ktap.Announcement | None = None
        self.began = time.monotonic()
        self._rest = ""
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Show:
        if self.console.is_terminal and not self.quiet:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
                console=self.console, transient=True)
            self._task = self._bar.add_task(self.title, total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finished()
        if self._bar:
            self._bar.stop()

    def _finished(self) -> None:
        if self.now:
            self.seconds.append(round(time.monotonic() - self.began, 3))
            self.now = None

    def feed(self, data: bytes) -> list[ktap.Announcement]:
        """Takes a piece of output; the runs that it announces."""
        *lines, self._rest = (self._rest + data.decode(errors="replace")).split("\n")
        self._rest = self._rest[-4096:]
        found = [each for line in lines if (each := ktap.announcement(line))]
        for announcement in found:
            self._finished()
            self.now, self.began = announcement, time.monotonic()
            words = f"{self.title}: {announcement.number} of {announcement.count}, {announcement.name}"
            if self._bar:
                self._bar.update(self._task, description=words, completed=0,
                                 total=announcement.seconds or None)
            elif not self.quiet:
                about = f", about {announcement.seconds:g} s" if announcement.seconds else ""
                self.console.print(words + about, markup=False, soft_wrap=True)
        return found

    def idle(self) -> None:
        """Moves the bar."""
        if self._bar and self.now:
            done = time.monotonic() - self.began
            self._bar.update(self._task, completed=min(done, self.now.seconds))

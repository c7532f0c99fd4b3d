# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows progress: of a vehicle, from its report as it comes (Show), and of work that is counted (Work). A
bar on a terminal, else plain lines. An expected time may be wrong: the bar then stays full until the run
ends."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.progress import (BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn,
                           TimeElapsedColumn)
from rich.text import Text

from runner.report import ktap
from runner.scenarios import expected_seconds


LAST_PARAM = "run"  # the last parameter that a run prints


@dataclass
class Step:
    """A run that has begun."""

    name: str
    number: int
    params: dict[str, str] = field(default_factory=dict)

    def expected(self) -> float:
        """The seconds that it takes, estimated from the parameters that it printed."""
        duration, hz = self.params.get("duration_ms", ""), self.params.get("hz", "")
        return expected_seconds(self.params.get("clock", "virtual"),
                                int(duration) / 1000 if duration.isdigit() else 0.0,
                                float(hz) if hz.isdigit() else 1000.0)


class Show:
    """A context that is given the output, and notes each run's wall time. raw: the output itself goes to
    stdout, and nothing else is shown."""

    def __init__(self, console: Console, title: str, raw: bool = False) -> None:
        self.console, self.title, self.raw = console, title, raw
        self.seconds: list[float | None] = []
        self.count = ""
        self.now: Step | None = None
        self.began = time.monotonic()
        self._rest = ""
        self._number = 0
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Show:
        if self.console.is_terminal and not self.raw:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
                console=self.console, transient=True)
            self._task = self._bar.add_task(f"{self.title}: starts", total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def feed(self, data: bytes) -> list[Step]:
        """Takes a piece of output; returns the runs that begin in it. BrokenPipeError if it is raw, and
        nobody reads stdout any more."""
        if self.raw:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        *lines, self._rest = (self._rest + data.decode(errors="replace")).split("\n")
        self._rest = self._rest[-4096:]
        return [step for line in lines if (step := self._line(ktap.clean(line)))]

    def _line(self, text: str) -> Step | None:
        inner = text.removeprefix(ktap.INDENT)
        if inner == text:
            if found := ktap.PLAN.match(text):
                self.count = f" of {found[1]}"
            elif self.now and ktap.TEST.match(text):
                self.seconds.append(round(time.monotonic() - self.began, 3))
                self.now = None
        elif found := ktap.SUBTEST.match(inner):
            self._number += 1
            self.now, self.began = Step(found[1], self._number), time.monotonic()
        elif self.now and (found := ktap.PARAM.match(inner)):
            self.now.params[found[1]] = found[2] or ""
            if found[1] == LAST_PARAM:
                self._begin(self.now)
                return self.now
        return None

    def _begin(self, step: Step) -> None:
        clock = step.params.get("clock", "")
        words = f"{self.title}: run {step.number}{self.count}, {step.name}, {clock} clock"
        expected = step.expected()
        if self._bar:
            self._bar.update(self._task, description=words, completed=0, total=expected)
        elif not self.raw:
            about = f", about {expected:.0f} s" if expected >= 2 else ""
            self.console.print(words + about, markup=False, soft_wrap=True)

    def idle(self) -> None:
        """Moves the bar."""
        if self._bar and self.now:
            self._bar.update(self._task, completed=time.monotonic() - self.began)


PLAIN_EVERY_S = 5.0  # where there is no terminal


class _Left(ProgressColumn):
    """The time left, as it is when the bar is drawn."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work

    def render(self, task: Task) -> Text:
        left = self._work.left_s()
        return Text("" if left is None else f"{duration_words(left)} left")


class Work:
    """A context that shows how much of some work is done, and how long the rest will take: a bar on a
    terminal, else a plain line every few seconds. For stderr: stdout has the results. Safe to call from
    several threads.

    total: how many units there are; None if nobody knows. Units that were done before (kept by an
    interrupted command) are given as `kept` or to skip(), and do not count for the speed. cost: of all that is
    still to be done, where units differ much; add() is told the cost of each then. seconds: costs are estimates in
    seconds, which count until the first unit is done."""

    def __init__(self, console: Console, title: str, total: int | None, kept: int = 0, unit: str = "",
                 cost: float | None = None, seconds: bool = False) -> None:
        self.console, self.title, self.total, self.unit = console, title, total, unit
        self.done = self.kept = kept
        self.cost, self._spent, self._seconds = cost, 0.0, seconds
        self.began = self._said = self._added = time.monotonic()
        self._words = ""
        self._lock = threading.Lock()
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Work:
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), _Left(self),
                console=self.console, transient=True)
            self._task = self._bar.add_task(self.title, total=self.total, completed=self.done)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def left_s(self) -> float | None:
        """The seconds that the rest takes at the speed so far; None if that is not known yet."""
        if self.total is None or self.done == self.total:
            return None
        now, fresh = time.monotonic(), self.done - self.kept
        if fresh <= 0:
            return max(0.0, self.cost - (now - self.began)) if self.cost is not None and self._seconds else None
        spent_s = self._added - self.began
        if self.cost is not None and self._spent > 0:
            whole = spent_s / self._spent * max(0.0, self.cost - self._spent)
        else:
            whole = spent_s / fresh * max(0, self.total - self.done)
        return max(0.0, whole - (now - self._added))

    def words(self) -> str:
        """The state in one line: matrix: 40 of 216 cells, about 12 s left."""
        of = f" of {self.total}" if self.total is not None else ""
        left = self.left_s()
        return (f"{self.title}: {self.done}{of}{' ' + self.unit if self.unit else ''}"
                + (f", {duration_words(left)} left" if left is not None else "")
                + (f"; {self._words}" if self._words else ""))

    def add(self, count: int = 1, words: str = "", cost: float = 0.0) -> None:
        """`count` more are done; words: what is done now."""
        with self._lock:
            self.done += count
            self._spent += cost
            self._added = time.monotonic()
            self._show(words)

    def expect(self, total: int, cost: float) -> None:
        """Tells how many units there are, and what they cost in seconds, once that is known."""
        with self._lock:
            self.total, self.cost, self._seconds = total, cost, True
            self.began = self._added = time.monotonic()
            if self._bar:
                self._bar.update(self._task, total=total)

    def skip(self, count: int = 1, cost: float = 0.0) -> None:
        """`count` more were done by an earlier command."""
        with self._lock:
            self.done += count
            self.kept += count
            if self.cost is not None:
                self.cost -= cost
            self._show(self._words)

    def say(self, words: str) -> None:
        """What is done now."""
        with self._lock:
            self._show(words)

    def _show(self, words: str) -> None:
        self._words = words
        if self._bar:
            title = f"{self.title}: {words}" if words else self.title
            self._bar.update(self._task, completed=self.done, description=title)
        elif time.monotonic() - self._said >= PLAIN_EVERY_S and self.done != self.total:
            self._said = time.monotonic()
            self.console.print(self.words(), markup=False, highlight=False, soft_wrap=True)


def duration_words(seconds: float) -> str:
    """A time that is an estimate: about 12 s, about 3 min, about 2 h."""
    if seconds < 99:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min" if seconds < 5940 else f"about {round(seconds / 3600)} h"


def stderr() -> Console:
    """Where progress is shown."""
    return Console(stderr=True, highlight=False)

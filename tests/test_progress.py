# SPDX-License-Identifier: GPL-2.0-or-later
"""Progress of counted work: what the line says, and that it is plain where there is no terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from runner.report import progress


class Clock:
    """time.monotonic, set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def test_the_time_left_follows_from_the_speed_so_far(clock: Clock) -> None:
    out = io.StringIO()
    with progress.Work(Console(file=out), "matrix", 100, unit="cells") as work:
        assert work.left_s() is None and work.words() == "matrix: 0 of 100 cells"
        clock.now += 10
        work.add(20, "7.3")
        assert work.left_s() == 40.0
    assert out.getvalue() == "matrix: 20 of 100 cells, about 40 s left; 7.3\n"


def test_units_of_different_cost_count_as_much_as_they_cost(clock: Clock) -> None:
    with progress.Work(Console(file=io.StringIO()), "matrix", 4, kept=1, cost=100.0) as work:
        clock.now += 10
        work.add(cost=80.0)
        assert work.left_s() == pytest.approx(2.5)


def test_what_was_kept_says_nothing_of_the_speed(clock: Clock) -> None:
    with progress.Work(Console(file=io.StringIO()), "matrix", 100, kept=80) as work:
        clock.now += 10
        work.add()
        assert work.left_s() == pytest.approx(190.0) and "81 of 100, about 3 min left" in work.words()


def test_before_the_first_unit_the_estimate_in_seconds_counts(clock: Clock) -> None:
    with progress.Work(Console(file=io.StringIO()), "compare", 3, cost=60.0, seconds=True) as work:
        clock.now += 5
        assert work.left_s() == pytest.approx(55.0)
        work.skip(cost=20.0)
        assert work.left_s() == pytest.approx(35.0) and work.words() == "compare: 1 of 3, about 35 s left"
        clock.now += 5
        work.add(cost=20.0)
        clock.now += 4  # of the next unit, which will take 10
        assert work.left_s() == pytest.approx(6.0)


def test_without_a_terminal_lines_are_plain_and_seldom(clock: Clock) -> None:
    out = io.StringIO()
    with progress.Work(Console(file=out), "soak", None) as work:
        for _ in range(100):
            clock.now += 0.5
            work.add()
    lines = out.getvalue().splitlines()
    assert len(lines) == 10 and lines[0] == "soak: 10" and "\x1b" not in out.getvalue()


def test_a_terminal_gets_a_bar_that_leaves_nothing_behind() -> None:
    out = io.StringIO()
    with progress.Work(Console(file=out, force_terminal=True, width=100), "[a] matrix", 4) as work:
        work.add(2)
    shown = out.getvalue()
    assert "[a] matrix" in shown and "2/4" in shown and shown.rstrip("\n").endswith("\x1b[2K")


@pytest.mark.parametrize("seconds, words", [
    (0, "about 1 s"), (98.4, "about 98 s"), (100, "about 2 min"), (5900, "about 98 min"), (6000, "about 2 h")])
def test_a_time_is_told_in_one_unit(seconds: float, words: str) -> None:
    assert progress.duration_words(seconds) == words

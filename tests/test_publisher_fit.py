# SPDX-License-Identifier: GPL-2.0-or-later
"""The publisher's line: what the fit leaves out, and how the line follows a clock that is steady, steered
or set. Assumes an x86 host."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil, floor

import pytest

from pagetool import Page, Tool

NSEC = 10**9


class Clock:
    """A host's clock that the test rules: its rate, its grain, its noise."""

    HZ = 2_300_000_000

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.counter = 10**12
        # Apart, so that a float holds what passes to less than a picosecond.
        self.start_ns = 1_700_000_000 * 10**9
        self.passed_ns = 0.25
        self.rate_ppb = 1000.0
        self.chance = random.Random(7)

    def run(self, seconds: float, step: float = 0.01, noise_ns: float = 0.0,
            stray: float = 0.0) -> None:
        for _ in range(ceil(seconds / step)):
            self.counter += int(self.HZ * step)
            self.passed_ns += step * 1e9 * (1 + self.rate_ppb * 1e-9)
            told = self.passed_ns + self.chance.gauss(0, noise_ns)
            if self.chance.random() < stray:
                told += self.chance.uniform(-5000, 5000)
            self.tool.ask("pair", self.counter, self.start_ns + floor(told))

    def refresh(self) -> tuple[Page, bool]:
        """The next line, and whether it stepped."""
        words = self.tool.ask("refresh", self.counter)
        return (Page(counter_value=int(words[0]), time_sec=int(words[1]), time_frac=int(words[2]),
                     period_frac=int(words[3]), shift=int(words[4])), words[5] == "1")

    def off_ns(self, page: Page) -> float:
        """The page's line less this clock, now."""
        return float(page.time_at(self.counter) * 10**9 - self.start_ns - Fraction(self.passed_ns))


def test_fit_ignores_strays(tool: Tool) -> None:
    clock = Clock(tool)
    clock.run(2, step=0.002, noise_ns=1, stray=0.1)
    page, _ = clock.refresh()
    assert abs(clock.off_ns(page)) < 0.6
    rate_ppb = float(page.period * clock.HZ - 1) * 1e9
    assert abs(rate_ppb - clock.rate_ppb) < 0.5


@pytest.mark.parametrize(("stray_ns", "kept"), [(8, True), (10, False)])
def test_strays_are_what_lies_beyond_four_and_a_half_medians(tool: Tool, stray_ns: int, kept: bool) -> None:
    # At 1 GHz, residuals of 2 ns to either side in turn, so that 2 ns is their median and 9 ns the bound;
    # and in twenty pairs of each hundred, strays to either side.
    for n in range(2000):
        off = (stray_ns if n % 100 < 20 else 2) * (1 if n % 2 else -1)
        tool.ask("pair", 10**12 + n * 10**6, 1_700_000_000 * NSEC + n * 10**6 + off)
    worst_ns = float(tool.ask("refresh", 10**12 + 2000 * 10**6)[7])
    assert worst_ns == pytest.approx(stray_ns if kept else 2, abs=0.1)


@pytest.mark.parametrize(("stray_ns", "kept"), [(1, True), (2, False)])
def test_a_nanosecond_is_never_a_stray(tool: Tool, stray_ns: int, kept: bool) -> None:
    # The clock's grain: a median of nothing, and a few pairs that are off.
    for n in range(2000):
        off = stray_ns * (-1, 1)[n % 40 == 0] if n % 20 == 0 else 0
        tool.ask("pair", 10**12 + n * 10**6, 1_700_000_000 * NSEC + n * 10**6 + off)
    worst_ns = float(tool.ask("refresh", 10**12 + 2000 * 10**6)[7])
    assert worst_ns == pytest.approx(stray_ns if kept else 0, abs=0.1)


def test_lines_of_a_steady_clock_hardly_move(tool: Tool) -> None:
    clock = Clock(tool)
    clock.run(1, step=0.001, noise_ns=2)
    page, _ = clock.refresh()
    for _ in range(20):
        clock.run(1, noise_ns=2)
        old = page
        page, stepped = clock.refresh()
        assert not stepped
        assert abs(page.time_at(page.counter_value) - old.time_at(page.counter_value)) * 10**9 < 0.001
        assert abs(page.period / old.period - 1) < Fraction(4, 10**10)
        assert abs(clock.off_ns(page)) < 2


@pytest.mark.parametrize("change_ppb", [2.0, 100.0, 10_000.0, -400_000.0])
def test_line_follows_a_clock_that_is_steered(tool: Tool, change_ppb: float) -> None:
    clock = Clock(tool)
    clock.run(4)
    page, _ = clock.refresh()
    clock.rate_ppb += change_ppb
    worst = 0.0
    for _ in range(60):
        clock.run(1)
        old = page
        page, stepped = clock.refresh()
        if not stepped:
            assert abs(page.time_at(page.counter_value)
                       - old.time_at(page.counter_value)) * 10**9 < 0.001
        worst = max(worst, abs(clock.off_ns(page)))
    assert abs(clock.off_ns(page)) < 3
    # A second's worth of the change cannot be foreseen; a few seconds' is what the window costs.
    assert worst < 8 * abs(change_ppb) + 3


def test_clock_that_was_set_is_followed_at_once(tool: Tool) -> None:
    clock = Clock(tool)
    clock.run(4)
    clock.refresh()
    clock.passed_ns += 3e6
    tool.ask("shift", 3_000_000)
    clock.run(1)
    page, stepped = clock.refresh()
    assert stepped and abs(clock.off_ns(page)) < 2

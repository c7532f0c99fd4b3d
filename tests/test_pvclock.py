# SPDX-License-Identifier: GPL-2.0-or-later
"""kvmclock's arithmetic against exact fractions: KVM's interface says ns = system_time + (cycles shifted) * mul /
2^32. Under the sanitizers."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

NSEC = 10**9


@pytest.fixture(scope="session")
def tool(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("pvclock") / "pvclock_tool"
    subprocess.run(
        ["gcc", "-std=gnu11", "-fms-extensions", "-O1", "-g", "-Wall", "-Werror", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all", f"-I{root}", "-o", str(program), str(root / "tests/pvclock_tool.c"),
         str(root / "arch/x86/pvclock.c"), str(root / "lib/instant.c")], check=True)
    return program


def told(tool: Path, *words: int) -> Fraction:
    """Seconds, exactly."""
    given = [str(word) for word in words]
    sec, frac, _ = subprocess.run([str(tool), *given], check=True, capture_output=True, text=True).stdout.split()
    return int(sec) + Fraction(int(frac), 2**64)


HOUR = 3600 * 3 * 10**9
MUL = 3512692530  # of a TSC of 2445406000 Hz: cycles / 2 are 0.8178633 ns each, times 2^32


@pytest.mark.parametrize("stamp, system, mul, shift, counter", [
    (0, 0, MUL, -1, 0), (1000, 5, MUL, -1, 1000 + 10**6), (10**15, 7 * NSEC + 1, MUL, -1, 10**15 + HOUR),
    (10**15, 7000 * NSEC, MUL, -1, 10**15 - 2 * 10**9),  # before its stamp: a reading from before the update
    (2**64 - 5, NSEC, MUL, -1, 10**6),  # the counter wraps
    (0, NSEC - 1, 2**32 - 1, 4, 10**7), (0, 0, 2**31, 0, 1), (0, 2**62, 2**32 - 1, 0, HOUR)])
def test_a_reading(tool: Path, stamp: int, system: int, mul: int, shift: int, counter: int) -> None:
    cycles = (counter - stamp + 2**63) % 2**64 - 2**63
    size = abs(cycles) << shift if shift >= 0 else abs(cycles) >> -shift
    ns = system + Fraction(size * mul, 2**32) * (1 if cycles >= 0 else -1)
    found = told(tool, stamp, system, mul, shift, counter)
    assert 0 <= ns / NSEC - found < Fraction(1, 2**64)  # rounded down, to the page's unit


@pytest.mark.parametrize("hz", [2_445_406_000, 1_000_000_000, 999_999_000, 100_000, 33_000_000_000])
def test_the_frequency_that_it_states(tool: Path, hz: int) -> None:
    """As KVM chooses mul, of which the largest below 2^32 is the most exact, and shift."""
    shift = max(shift for shift in range(-32, 33) if NSEC * 2**32 / (hz * Fraction(2)**shift) >= 2**31)
    mul = int(NSEC * 2**32 / (hz * Fraction(2)**shift))
    assert 2**31 <= mul < 2**32
    said = subprocess.run([str(tool), "0", "0", str(mul), str(shift), "0"], check=True, capture_output=True, text=True)
    assert abs(int(said.stdout.split()[2]) - hz) <= hz / 2**31 + 2**max(-shift, 0)


def test_a_page_without_a_factor_has_no_frequency(tool: Path) -> None:
    said = subprocess.run([str(tool), "0", "0", "0", "0", "0"], check=True, capture_output=True, text=True)
    assert said.stdout.split()[2] == "0"

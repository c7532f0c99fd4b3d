# SPDX-License-Identifier: GPL-2.0-or-later
"""The statistics against published values, and against their definitions. NBS14 is in NIST SP 1065, section
12.4, with the values that its authors computed; the 1000 points are made by the generator that it gives."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies

from conftest import make
from runner.report import stability

# SP 1065, table 30: nine frequencies; table 31: their deviations at tau 1 and 2.
NINE = np.array([892.0, 809, 823, 798, 671, 644, 883, 903, 677])
OF_NINE = {stability.adev: (91.22945, 115.8082), stability.oadev: (91.22945, 85.95287),
           stability.mdev: (91.22945, 74.78849), stability.tdev: (52.67135, 86.35831)}
# Table 32: the deviations of 1000 points at tau 1, 10 and 100.
OF_THOUSAND = {stability.adev: (2.922319e-01, 9.965736e-02, 3.897804e-02),
               stability.oadev: (2.922319e-01, 9.159953e-02, 3.241343e-02),
               stability.mdev: (2.922319e-01, 6.172376e-02, 2.170921e-02),
               stability.tdev: (1.687202e-01, 3.563623e-01, 1.253382e-00)}
# Stable32's sample file PHASE.DAT is the phase of the 1000 points less their mean. Its MTIE, as Stable32 prints it.
OF_PHASE_DAT = {1: 5.0597e-01, 3: 1.2984, 7: 2.2922, 15: 2.9949, 31: 4.4550, 63: 6.5989, 127: 6.8061,
                255: 7.8205, 511: 7.8205}


def thousand() -> stability.Array:
    """The 1000 frequencies: a prime modulus multiplicative generator, SP 1065, 12.4."""
    state, found = 1234567890, []
    for _ in range(1000):
        found.append(state / 2147483647)
        state = 16807 * state % 2147483647
    return np.array(found)


@pytest.mark.parametrize("function", OF_NINE, ids=lambda function: function.__name__)
def test_nbs14_of_nine_points(function: object) -> None:
    assert callable(function)
    x = stability.phase(NINE, 1.0)
    for m, published in zip((1, 2), OF_NINE[function]):
        assert function(x, 1.0, m) == pytest.approx(published, rel=1e-6)


@pytest.mark.parametrize("function", OF_THOUSAND, ids=lambda function: function.__name__)
def test_nbs14_of_1000_points(function: object) -> None:
    assert callable(function)
    # Seven digits are published: half of the last one is up to 1.6e-7 of these values.
    for m, published in zip((1, 10, 100), OF_THOUSAND[function]):
        assert function(stability.phase(thousand(), 1.0), 1.0, m) == pytest.approx(published, rel=3e-7)


def test_mtie_of_stable32s_sample_file() -> None:
    points = thousand()
    x = stability.phase(points - points.mean(), 1.0)
    # Five digits are published, so half of the last is 5e-5.
    assert stability.mtie_curve(x, OF_PHASE_DAT) == pytest.approx(list(OF_PHASE_DAT.values()), rel=0, abs=5.1e-5)


# Stable32 on the phase of a caesium clock, allantools' tests/Cs5071A: averaging factors and deviations.
OF_CAESIUM = {
    stability.oadev: {1: 3.3171e-10, 10: 3.2118e-11, 100: 3.4040e-12, 1000: 4.7341e-13, 10000: 1.0126e-13,
                      100000: 2.6121e-14},
    stability.mdev: {1: 3.3171e-10, 10: 9.9741e-12, 100: 8.7807e-13, 1000: 2.4555e-13, 10000: 6.4513e-14,
                     100000: 1.2329e-14},
    stability.tdev: {1: 1.9151e-10, 10: 5.7586e-11, 100: 5.0696e-11, 1000: 1.4177e-10, 10000: 3.7247e-10,
                     100000: 7.1180e-10},
}
MTIE_OF_CAESIUM = {1: 1.9662e-08, 10: 2.0188e-08, 100: 2.0271e-08, 1000: 2.0407e-08, 10000: 2.0686e-08,
                   100000: 2.8377e-08, 200000: 3.2098e-08}


def test_cs5071a() -> None:
    file = os.environ.get("CS5071A")
    if not file:
        pytest.skip("the data set is not part of tickbench: CS5071A=FILE names 5071A_phase.txt(.gz), which"
                    " allantools has in tests/Cs5071A")
    x = np.loadtxt(Path(file))
    for function, published in OF_CAESIUM.items():
        for m, value in published.items():
            assert function(x, 1.0, m) == pytest.approx(value, rel=1e-4), (function.__name__, m)
    assert stability.mtie_curve(x, MTIE_OF_CAESIUM) == pytest.approx(list(MTIE_OF_CAESIUM.values()), rel=1e-4)


PHASES = strategies.lists(strategies.floats(-1e6, 1e6), min_size=4, max_size=60).map(np.array)


@given(PHASES, strategies.data())
def test_deviations_are_their_definitions(x: stability.Array, data: strategies.DataObject) -> None:
    tau0 = 0.25
    m = data.draw(strategies.integers(1, len(x) // 3))
    tau = m * tau0
    n = len(x)
    differences = [x[i + 2 * m] - 2 * x[i + m] + x[i] for i in range(n - 2 * m)]
    assert stability.oadev(x, tau0, m) == pytest.approx(
        math.sqrt(sum(d * d for d in differences) / (2 * tau**2 * len(differences))), rel=1e-9, abs=1e-6)
    apart = differences[::m]
    assert stability.adev(x, tau0, m) == pytest.approx(
        math.sqrt(sum(d * d for d in apart) / (2 * tau**2 * len(apart))), rel=1e-9, abs=1e-6)
    averages = [sum(differences[j + i] for i in range(m)) / m for j in range(n - 3 * m + 1)]
    modified = sum(d * d for d in averages) / (2 * tau**2 * len(averages))
    assert stability.mdev(x, tau0, m) == pytest.approx(math.sqrt(modified), rel=1e-9, abs=1e-6)
    assert stability.tdev(x, tau0, m) == pytest.approx(tau * math.sqrt(modified / 3), rel=1e-9, abs=1e-6)


@given(PHASES)
def test_mtie_is_its_definition(x: stability.Array) -> None:
    factors = range(1, len(x))
    expected = [max(max(x[i:i + m + 1]) - min(x[i:i + m + 1]) for i in range(len(x) - m)) for m in factors]
    assert stability.mtie_curve(x, factors) == pytest.approx(expected, rel=1e-12)


@given(PHASES, strategies.floats(1e-3, 1e6))
def test_no_clock_within_a_band_exceeds_the_limits(x: stability.Array, band: float) -> None:
    width = float(x.max() - x.min())
    inside = (x - x.min()) * (band / width) if width > 1e-3 else np.zeros(len(x))
    limits = stability.limits(band)
    for m in range(1, (len(x) - 1) // 3 + 1):
        assert stability.oadev(inside, 1.0, m) <= limits.oadev / m * (1 + 1e-9)
        assert stability.tdev(inside, 1.0, m) <= limits.tdev * (1 + 1e-9)
        assert stability.mtie(inside, m) <= limits.mtie * (1 + 1e-9)


def test_the_limits_are_reached() -> None:
    """An error that alternates between the ends of the band: no lower limit would do."""
    alternating = np.array([0.0, 1.0] * 50)
    limits = stability.limits(1.0)
    assert stability.oadev(alternating, 1.0, 1) == pytest.approx(limits.oadev)
    assert stability.tdev(alternating, 1.0, 1) == pytest.approx(limits.tdev)
    assert stability.mtie(alternating, 1) == limits.mtie


@pytest.mark.parametrize("function, least", [
    (stability.adev, lambda m: 2 * m + 1), (stability.oadev, lambda m: 2 * m + 1),
    (stability.mdev, lambda m: 3 * m), (stability.tdev, lambda m: 3 * m)],
    ids=["adev", "oadev", "mdev", "tdev"])
def test_too_few_samples_are_refused(function: object, least: object) -> None:
    assert callable(function) and callable(least)
    for m in (1, 2, 5):
        assert function(np.arange(least(m)) ** 2.0, 1.0, m) > 0
        with pytest.raises(ValueError, match="too few"):
            function(np.arange(least(m) - 1) ** 2.0, 1.0, m)
    with pytest.raises(ValueError):
        function(np.arange(9.0), 1.0, 0)


@pytest.mark.parametrize("factors", [[0], [9], [4, 1]])
def test_mtie_refuses_factors_out_of_range_or_order(factors: list[int]) -> None:
    with pytest.raises(ValueError, match="averaging factor"):
        stability.mtie_curve(np.arange(9.0), factors)


def test_a_straight_line_has_a_frequency_and_no_deviation() -> None:
    seconds = np.arange(1000) * 0.1
    series = stability.even(seconds, 5.0 + 3.0 * seconds)
    assert series is not None and series.tau0 == pytest.approx(0.1)
    assert stability.oadev(series.x, series.tau0, 10) == pytest.approx(0, abs=1e-12)
    found = stability.frequency(series)
    assert found is not None
    assert (found.mean, found.deviation) == (pytest.approx(3.0), pytest.approx(0, abs=1e-9))
    line = stability.regression(seconds, 5.0 + 3.0 * seconds)
    assert line is not None
    assert (line.slope, line.largest) == (pytest.approx(3.0), pytest.approx(0, abs=1e-9))


def test_uneven_samples_are_interpolated_at_a_spacing_that_almost_all_gaps_keep() -> None:
    rng = np.random.default_rng(7)
    seconds = np.cumsum(rng.integers(1, 11, 5000)) * 0.001
    series = stability.even(seconds, 2.0 * seconds)
    assert series is not None
    assert series.tau0 == pytest.approx(0.010) and series.longest_gap == pytest.approx(0.010)
    assert np.diff(series.x) == pytest.approx(2.0 * series.tau0)


@pytest.mark.parametrize("seconds", [[], [0.0], [0.0, 1.0], [1.0, 1.0, 1.0]])
def test_nothing_is_said_of_too_few_samples(seconds: list[float]) -> None:
    times = np.array(seconds)
    assert stability.even(times, times) is None and stability.regression(times, times) is None


def test_curves_reach_as_far_as_the_samples() -> None:
    x = np.random.default_rng(1).normal(size=100)
    found = stability.curves(stability.Series(0.5, x, 0.5))
    assert list(found.oadev.tau) == [0.5, 1, 2, 4, 8, 16]  # 2m + 1 <= 100
    assert list(found.tdev.tau) == [0.5, 1, 2, 4, 8, 16]  # 3m <= 100
    assert list(found.mtie.tau) == [0.5, 1, 2, 4, 8, 16, 32]  # m + 1 <= 100
    assert found.oadev.value[2] == stability.oadev(x, 0.5, 4)


# The freestanding code's statistics, which keep no samples (lib/stability.c).
Streamed = dict[int, dict[str, float]]


@pytest.fixture(scope="session")
def lib_tool() -> Path:
    return make("lib-tests") / "lib-tool"


def streamed(tool: Path, samples: Sequence[str], tau0_cycles: int, hz: int) -> Streamed:
    """By averaging factor. Of samples in fs; deviations of the frequency in ns/s, of the time in ns."""
    lines = [f"stability {tau0_cycles} {hz}", *samples, "."]
    words = subprocess.run([str(tool)], input="\n".join(lines) + "\n", capture_output=True, text=True).stdout.split()
    numbers = [int(word) for word in words]
    return {numbers[at]: {"adev": numbers[at + 1] * 1e-12, "mdev": numbers[at + 2] * 1e-12,
                          "tdev": numbers[at + 3] * 1e-12, "mtie": numbers[at + 4] * 1e-6}
            for at in range(0, len(numbers), 5)}


def strided(x: stability.Array, tau0: float, m: int) -> dict[str, float]:
    """The same by their definitions, of windows that begin at every stride-th sample."""
    stride = max(1, m // 10)
    x = x[:len(x) // stride * stride]
    second = (x[2 * m:] - 2 * x[m:-m] + x[:-2 * m])[::stride]
    sums = np.concatenate((np.zeros(1), np.cumsum(x)))
    averages = ((sums[m:] - sums[:-m]) / m)[::stride]
    step = m // stride
    modified = averages[2 * step:] - 2 * averages[step:-step] + averages[:-2 * step]
    mdev = math.sqrt(np.mean(modified**2) / 2) / (m * tau0)
    windows = np.lib.stride_tricks.sliding_window_view(x, m + 1)[::stride]
    return {"adev": math.sqrt(np.mean(second**2) / 2) / (m * tau0), "mdev": mdev,
            "tdev": m * tau0 * mdev / math.sqrt(3), "mtie": float(np.max(windows.max(1) - windows.min(1)))}


def walk(seed: int, count: int) -> np.typing.NDArray[np.int64]:
    """A phase in fs: white noise of a nanosecond on a random walk of the frequency, from a microsecond off."""
    random = np.random.default_rng(seed)
    frequency = np.cumsum(random.normal(0, 1e3, count))
    return (1e9 + random.normal(0, 1e6, count) + np.cumsum(frequency)).astype(np.int64)


@pytest.mark.parametrize("count", [9, 10, 99, 100, 1234, 10_000, 25_001])
def test_streaming_statistics_are_numpys_on_the_same_samples(lib_tool: Path, count: int) -> None:
    x = walk(count, count)
    found = streamed(lib_tool, [str(each) for each in x], 2_596_146, 2_596_146_000)
    assert list(found) == [m for m in (1, 10, 100, 1000) if count >= 10 * m]
    for m, values in found.items():
        assert values == pytest.approx(strided(x / 1e6, 1e-3, m), rel=1e-9)


def test_streaming_windows_are_all_windows_up_to_ten(lib_tool: Path) -> None:
    x = walk(1, 2000)
    found = streamed(lib_tool, [str(each) for each in x], 1000, 1_000_000)
    for m in (1, 10):
        ns = x / 1e6
        assert found[m] == pytest.approx({
            "adev": stability.oadev(ns, 1e-3, m), "mdev": stability.mdev(ns, 1e-3, m),
            "tdev": stability.tdev(ns, 1e-3, m), "mtie": stability.mtie(ns, m)}, rel=1e-9)


def test_no_streaming_window_spans_a_gap(lib_tool: Path) -> None:
    """Bursts that start anywhere: the squares of each are averaged together, and MTIE is the largest of them."""
    bursts = [walk(seed, 1000) + seed * 10**12 for seed in (1, 2, 3)]
    lines = [line for x in bursts for line in ("gap", *(str(each) for each in x))]
    found = streamed(lib_tool, lines, 1000, 1_000_000)
    assert list(found) == [1, 10, 100]  # a tenth of a burst
    for m, values in found.items():
        of = [strided(x / 1e6, 1e-3, m) for x in bursts]
        expected = {name: math.sqrt(np.mean([each[name]**2 for each in of])) for name in ("adev", "mdev", "tdev")}
        assert values == pytest.approx(expected | {"mtie": max(each["mtie"] for each in of)}, rel=1e-9)


def test_streaming_keeps_the_digits_of_small_and_of_large_errors(lib_tool: Path) -> None:
    """Alternating by a fs, and by 900 s: what the largest term is shifted by costs no more than 2^-40."""
    for size, tau0 in ((1, 0.001), (9 * 10**17, 10**6)):
        found = streamed(lib_tool, [str(size if n % 2 else -size) for n in range(1000)], round(tau0 * 1e6), 1_000_000)
        assert found[1]["adev"] == pytest.approx(math.sqrt(8) * size * 1e-6 / tau0, rel=1e-9)
        assert found[10]["adev"] == 0.0 and found[100]["mtie"] == pytest.approx(2 * size * 1e-6, rel=1e-12)
    absurd = streamed(lib_tool, [str(10**18 if n % 2 else -10**18) for n in range(1000)], 1000, 1_000_000)
    assert absurd[1]["adev"] == pytest.approx(2**64 * 1e-12)  # it does not fit, and does not wrap


def test_streaming_statistics_of_uneven_samples_are_of_the_line_between_them(lib_tool: Path) -> None:
    """Samples of late ticks: a broken line with its corners on the grid has the same values there."""
    corners = walk(3, 300) // 1000 * 1000
    uneven = [f"{1000 * n + extra} {corners[n] + (corners[n + 1] - corners[n]) * extra // 1000}"
              for n in range(299) for extra in (0, *([250, 750] if n % 3 else []))]
    uneven.append(f"{1000 * 299} {corners[299]}")
    even = streamed(lib_tool, [str(each) for each in corners], 1000, 1_000_000)
    assert streamed(lib_tool, uneven, 1000, 1_000_000)[10] == pytest.approx(even[10], rel=1e-6)
    skipped = [f"{1000 * n} {1000 * n}" for n in (0, 7, 8, 100, 2000)]
    flat = streamed(lib_tool, skipped, 1000, 1_000_000)
    assert list(flat) == [1, 10, 100] and flat[100]["adev"] == 0.0 and flat[100]["mtie"] == pytest.approx(0.1)

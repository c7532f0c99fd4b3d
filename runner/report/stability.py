# SPDX-License-Identifier: GPL-2.0-or-later
"""The field's statistics of a clock's error over time: Allan deviations, time deviation, MTIE, and what ptp4l
prints. Pure functions over numpy arrays; docs/compare.md has the formulas. A phase is a sequence x[0..n-1],
equally spaced by tau0 seconds. Where x is in ns, deviations of the frequency are in ns/s, which is ppb, and
deviations of the time are in ns. m is the averaging factor, a whole number from 1: tau = m * tau0.

Sources: W. Riley, Handbook of Frequency Stability Analysis (NIST SP 1065, 2008), section 5; for MTIE, ITU-T
G.810 (1996), II.5, computed as S. Bregni, Fast Algorithms for TVAR and MTIE (2001), section IV, does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
EVEN = 1.5  # gaps of up to this many medians: equally spaced, but for a sample's own jitter


def phase(frequency: Array, tau0: float) -> Array:
    """The phase of which these are the frequencies, averaged over tau0 each: one sample more, from 0."""
    return np.concatenate((np.zeros(1), np.cumsum(frequency) * tau0))


def _second_differences(x: Array, m: int) -> Array:
    """x[i + 2m] - 2 x[i + m] + x[i]. ValueError unless x has more than 2m samples."""
    if m < 1 or len(x) <= 2 * m:
        raise ValueError(f"{len(x)} samples are too few for an averaging factor of {m}")
    return x[2 * m:] - 2 * x[m:-m] + x[:-2 * m]


def _rms(values: Array) -> float:
    return math.sqrt(float(np.mean(np.square(values))))


def adev(x: Array, tau0: float, m: int) -> float:
    """Allan deviation, of intervals that do not overlap (SP 1065, 5.2.2). More than 2m samples."""
    if m < 1:
        raise ValueError(f"{m} is no averaging factor")
    return _rms(_second_differences(x[::m], 1)) / (math.sqrt(2) * m * tau0)


def oadev(x: Array, tau0: float, m: int) -> float:
    """Overlapping Allan deviation (SP 1065, 5.2.4). More than 2m samples."""
    return _rms(_second_differences(x, m)) / (math.sqrt(2) * m * tau0)


def mdev(x: Array, tau0: float, m: int) -> float:
    """Modified Allan deviation (SP 1065, 5.2.5): of phases averaged over m samples. At least 3m samples."""
    if m < 1 or len(x) < 3 * m:
        raise ValueError(f"{len(x)} samples are too few for an averaging factor of {m}")
    # A straight line has no second differences; without it the sums stay small, and keep their digits.
    rest = x - np.linspace(x[0], x[-1], len(x))
    sums = np.concatenate((np.zeros(1), np.cumsum(rest)))
    averages = (sums[m:] - sums[:-m]) / m
    return _rms(_second_differences(averages, m)) / (math.sqrt(2) * m * tau0)


def tdev(x: Array, tau0: float, m: int) -> float:
    """Time deviation (SP 1065, 5.2.6): tau * MDEV / sqrt(3). At least 3m samples."""
    return m * tau0 * mdev(x, tau0, m) / math.sqrt(3)


def mtie_curve(x: Array, factors: Iterable[int]) -> list[float]:
    """Maximum time interval error for averaging factors in rising order, below len(x) each: the largest
    max - min of any m + 1 successive samples. O(n log n) in all: extremes of windows of 2^k samples are kept
    and doubled, and a window of any length is two of these, which may overlap. ValueError for a factor that is
    out of order or out of range."""
    high = low = x
    length = 1  # samples in each window of `high` and `low`
    found = []
    for m in factors:
        if not max(1, length - 1) <= m < len(x):
            raise ValueError(f"an averaging factor of {m} after windows of {length}, of {len(x)} samples")
        while 2 * length <= m + 1:
            high, low = np.maximum(high[:-length], high[length:]), np.minimum(low[:-length], low[length:])
            length *= 2
        shift = m + 1 - length
        last = len(high) - shift
        found.append(float(np.max(np.maximum(high[:last], high[shift:]) - np.minimum(low[:last], low[shift:]))))
    return found


def mtie(x: Array, m: int) -> float:
    """Maximum time interval error for one averaging factor, 1 to len(x) - 1."""
    return mtie_curve(x, [m])[0]


@dataclass(frozen=True)
class Series:
    """A phase in ns, equally spaced. longest_gap: between two samples that were taken, in seconds."""

    tau0: float
    x: Array
    longest_gap: float

    def factor(self, tau: float) -> int:
        """The averaging factor of a tau in seconds: the nearest."""
        return max(1, round(tau / self.tau0))


def even(seconds: Array, error_ns: Array) -> Series | None:
    """Samples at rising times as an equally spaced phase. Samples that are equally spaced, but for jitter, are
    taken as they are. Of others (late or skipped ticks) 99 % of the gaps are at most tau0, and the error is
    interpolated between the two samples beside. None: fewer than three samples, or no time passes."""
    if len(seconds) < 3 or seconds[-1] <= seconds[0]:
        return None
    gaps = np.diff(seconds)
    longest = float(gaps.max())
    mean = float(seconds[-1] - seconds[0]) / (len(seconds) - 1)
    if longest <= EVEN * float(np.median(gaps)):
        return Series(mean, error_ns, longest)
    tau0 = max(float(np.percentile(gaps, 99)), mean)
    count = int((seconds[-1] - seconds[0]) / tau0) + 1
    if count < 3:
        return None
    return Series(tau0, np.interp(seconds[0] + tau0 * np.arange(count), seconds, error_ns), longest)


@dataclass(frozen=True)
class Curve:
    """A statistic over tau in seconds."""

    tau: Array
    value: Array


def octaves(most: int) -> list[int]:
    """1, 2, 4, ... up to `most`."""
    return [1 << k for k in range(most.bit_length())] if most >= 1 else []


def _curve(series: Series, most: int, function: Callable[[Array, float, int], float]) -> Curve:
    factors = octaves(most)
    return Curve(np.array(factors, float) * series.tau0,
                 np.array([function(series.x, series.tau0, m) for m in factors]))


@dataclass(frozen=True)
class Curves:
    """Over octaves of tau: OADEV in ns/s, TDEV and MTIE in ns."""

    oadev: Curve
    tdev: Curve
    mtie: Curve


def curves(series: Series) -> Curves:
    """All three, as far as the samples reach: tau up to a half, a third, and all of their time."""
    n = len(series.x)
    factors = octaves(n - 1)
    return Curves(_curve(series, (n - 1) // 2, oadev), _curve(series, n // 3, tdev),
                  Curve(np.array(factors, float) * series.tau0, np.array(mtie_curve(series.x, factors))))


@dataclass(frozen=True)
class Limits:
    """What no clock exceeds that stays within a band of s ns around its line: OADEV in ns/s at a tau of 1 s
    (it falls with 1/tau), TDEV and MTIE in ns."""

    oadev: float
    tdev: float
    mtie: float


def limits(band_ns: float) -> Limits:
    """A second difference of three values of a band of width s is 2s at most, so OADEV is at most
    sqrt((2s)^2 / 2) / tau, TDEV at most sqrt((2s)^2 / 6); and MTIE is the width itself."""
    return Limits(math.sqrt(2) * band_ns, band_ns * math.sqrt(2 / 3), band_ns)


@dataclass(frozen=True)
class Spread:
    """A mean and a standard deviation."""

    mean: float
    deviation: float


def frequency(series: Series, interval: float = 1.0) -> Spread | None:
    """ptp4l's `freq`: of the frequency errors, in ppb, over successive intervals of so many seconds, or of a
    tenth of the series where that is shorter. None: there are not two of them."""
    m = max(1, min(series.factor(interval), (len(series.x) - 1) // 10))
    steps = np.diff(series.x[::m]) / (m * series.tau0)
    if len(steps) < 2:
        return None
    return Spread(float(np.mean(steps)), float(np.std(steps)))


@dataclass(frozen=True)
class Regression:
    """The least-squares line through an error: its slope in ppb, and the error's standard deviation and
    largest distance about that line, ns."""

    slope: float
    deviation: float
    largest: float


def regression(seconds: Array, error_ns: Array) -> Regression | None:
    """None: fewer than three samples, or no time passes."""
    if len(seconds) < 3 or seconds[-1] <= seconds[0]:
        return None
    times = seconds - np.mean(seconds)
    errors = error_ns - np.mean(error_ns)
    slope = float(np.dot(times, errors) / np.dot(times, times))
    rest = errors - slope * times
    return Regression(slope, _rms(rest), float(np.max(np.abs(rest))))

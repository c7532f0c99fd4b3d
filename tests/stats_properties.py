# SPDX-License-Identifier: GPL-2.0-or-later
"""What the statistics of lib/ must be, by their definitions in integers and fractions without bounds.
tests/test_properties.py and, for each broken form of lib/stats.c and lib/stability.c, `tickbench mutants --own` check
these: python3 tests/stats_properties.py PROGRAM [FILE], in which PROGRAM is what tests/lib_tool.c was built into."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from properties import Program, equal, judge, require

CLAMP = 10**18  # fs
LIMIT = 1 << 60  # fs, of stability.c
U64 = 1 << 64
S64_MAX = (1 << 63) - 1
MOST = 1 << 12  # samples that the tool has room for


@dataclass(frozen=True)
class Tool(Program):
    """A program that answers each command, which may have several lines, with a line of numbers."""

    def ask(self, commands: Sequence[str]) -> list[list[int]]:
        answers = [[int(word) for word in words] for words in self.answers(commands)]
        require(len(answers) == len(commands), f"{len(commands)} commands have {len(answers)} answers")
        return answers


@dataclass(frozen=True)
class Sample:
    """As stats_add() takes it."""

    counter: int
    us: int
    fs: int


@dataclass(frozen=True)
class Series:
    """Samples, and how they are kept and asked for."""

    samples: Sequence[Sample]
    capacity: int = MOST
    hz: int = 10**6
    per_mille: int = 990

    @property
    def errors(self) -> list[int]:
        return [clamped(each.fs, CLAMP) for each in self.samples]

    def command(self) -> str:
        lines = [f"{each.counter} {each.us} {each.fs}" for each in self.samples]
        return "\n".join([f"statistics {self.capacity} {self.hz} {self.per_mille}", *lines, "."])


@dataclass(frozen=True)
class Told:
    """What the tool answers."""

    count: int
    max_abs: int
    min: int
    max: int
    first: int
    last: int
    last_us: int
    within_10ns: int
    within_1ns: int
    mean: int
    rms: int
    drift: int
    percentile: int
    drift_error: int
    kept: Sequence[tuple[int, int]]
    decimation: int
    after_reset: Sequence[int]

    @staticmethod
    def of(words: Sequence[int]) -> Told:
        kept, decimation, rest = words[14], words[15], words[16:]
        pairs = [(rest[2 * n], rest[2 * n + 1]) for n in range(kept)]
        return Told(*words[:14], pairs, decimation, rest[2 * kept:])  # type: ignore[call-arg, arg-type]


def clamped(value: int, limit: int) -> int:
    return max(-limit, min(limit, value))


def half_away(value: Fraction) -> int:
    whole = (abs(value) + Fraction(1, 2)).__floor__()
    return -whole if value < 0 else whole


def toward_zero(n: int, d: int) -> int:
    return -(-n // d) if n < 0 else n // d


def within(series: Series, bound: int) -> int:
    since = -1
    for sample, error in zip(series.samples, series.errors):
        if abs(error) > bound:
            since = -1
        elif since < 0:
            since = sample.us
    return since


def decimation(series: Series) -> int:
    shift = 0
    while -(-len(series.samples) // (1 << shift)) > series.capacity:
        shift += 1
    return shift


def slope(times: Sequence[int], errors: Sequence[int]) -> tuple[Fraction, Fraction]:
    """By least squares, and n times the sum of the squares of the times about their mean."""
    n, st, se = len(times), sum(times), sum(errors)
    below = n * sum(t * t for t in times) - st * st
    above = n * sum(t * e for t, e in zip(times, errors)) - st * se
    return (Fraction(above, below) if below else Fraction(0)), Fraction(below, n)


def drift_error(kept: Sequence[tuple[int, int]], hz: int) -> float:
    """The standard error of the slope, as lib/stats.h defines it, fs a second."""
    first = kept[0][0]
    times, errors = [(counter - first) % U64 for counter, _ in kept], [error for _, error in kept]
    rate, below = slope(times, errors)
    if len(kept) < 8 or not below:
        return 0.0
    n = len(kept)
    middle, level = Fraction(sum(times), n), Fraction(sum(errors), n)
    sums = [float(e - level - rate * (t - middle)) for t, e in zip(times, errors)]
    largest, length = 0.0, 1
    while len(sums) >= 8:
        largest = max(largest, math.fsum(value * value for value in sums) / (len(sums) * length))
        sums = [sums[2 * n] + sums[2 * n + 1] for n in range(len(sums) // 2)]
        length *= 2
    return math.sqrt(largest / float(below)) * hz


def check(series: Series, told: Told) -> None:
    samples, errors, n = series.samples, series.errors, len(series.samples)
    brief = (n, series.capacity, series.hz, series.per_mille, samples[:3])
    equal((told.count, told.first, told.last, told.last_us), (n, errors[0], errors[-1], samples[-1].us),
          "count, first, last", brief)
    extremes = (min(errors), max(errors), max(abs(error) for error in errors))
    equal((told.min, told.max, told.max_abs), extremes, "the extremes", brief)
    equal(told.within_10ns, within(series, 10**7), "the time within 10 ns", brief)
    equal(told.within_1ns, within(series, 10**6), "the time within 1 ns", brief)
    equal(told.mean, half_away(Fraction(sum(errors), n)), "the mean", brief)
    squares = sum((abs(error) // 1000) ** 2 for error in errors)
    equal(told.rms, isqrt((squares << 20) // n) * 1000 >> 10, "rms", brief)
    step = 1 << decimation(series)
    kept = [(sample.counter, error) for sample, error in zip(samples, errors)][::step]
    equal((1 << told.decimation, told.kept), (step, kept), "what is kept", brief)
    ranked = sorted(abs(error) for _, error in kept)
    equal(told.percentile, ranked[max(0, -(-len(kept) * series.per_mille // 1000) - 1)], "the percentile", brief)
    equal(list(told.after_reset), [0, 0, 0], "what is left after a reset", brief)
    check_drift(series, told, kept)


def check_drift(series: Series, told: Told, kept: Sequence[tuple[int, int]]) -> None:
    brief = (len(series.samples), series.samples[:3], series.samples[-1])
    times = [sample.us for sample in series.samples]
    rate, below = slope(times, series.errors)
    # In long runs the unit of time is coarser.
    unit = 1 << max(0, max(times).bit_length() - 37)
    coarse = Fraction(2 * unit, max(1, max(times) - min(times)))
    # Each sum may be off by one, and the quotient is cut off.
    bound = 1 + (1 + abs(rate)) / max(Fraction(1), below - 1) * 10**6
    bound += abs(rate) * 10**6 * (Fraction(1, 10**15) + coarse)
    if below > 1:
        require(abs(told.drift - clamped((rate * 10**6).__floor__(), S64_MAX)) <= bound,
                f"the drift is {told.drift}, not {float(rate * 10**6)} within {float(bound)}", brief)
    elif not below:
        equal(told.drift, 0, "the drift", brief)
    wanted = min(drift_error(kept, series.hz), float(S64_MAX))
    require_close(told, wanted, kept, series.hz, brief)


def require_close(told: Told, wanted: float, kept: Sequence[tuple[int, int]], hz: int, brief: object) -> None:
    """The drift's error, to what lib/stats.c cuts off: residuals are whole units of at least a fs, times have 31
    bits, and the root of the sum of their squares is a whole number."""
    times = [(counter - kept[0][0]) % U64 for counter, _ in kept]
    rate, spread = slope(times, [error for _, error in kept])
    cycles = 1 << max(0, max(times).bit_length() - 31)
    unit = (1 << max(0, told.max_abs.bit_length() - 45)) + cycles * abs(rate)
    # A batch adds up what is cut off of each.
    cut = 2 * float(unit) * (1 + math.sqrt(len(kept) / 8)) * hz / math.sqrt(max(1.0, float(spread)))
    coarse = cycles / math.sqrt(max(1.0, float(spread)))
    require(abs(told.drift_error - wanted) <= 2 + wanted * (1e-6 + coarse) + cut,
            f"the drift's error is {told.drift_error}, not {wanted}", brief)


def made(errors: Sequence[int], us: int = 1000, cycles: int = 1000, start: int = U64 - 5000) -> list[Sample]:
    return [Sample((start + n * cycles) % U64, n * us, error) for n, error in enumerate(errors)]


def of_any_length(tool: Tool) -> int:
    value = tool.random.getrandbits(tool.random.randint(1, 60))
    return -value if tool.random.random() < 0.5 else value


def statistics_are_their_definitions(tool: Tool) -> None:
    series = []
    for n in (1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 31, 33, 64, 100, 333):
        for scale in (1, 10**3, 10**6, 10**7, 2 * 10**10, 10**15):
            errors = [tool.random.randint(-scale, scale) for _ in range(n)]
            series.append(Series(made(errors), tool.random.choice((2, 4, 8, 32, 64, 512)),
                                 tool.random.choice((10**6, 24 * 10**6, 10**9)),
                                 tool.random.choice((0, 1, 10, 500, 990, 999, 1000))))
    # Errors of any length, and beyond what is taken; the edges of the two bounds.
    for _ in range(10):
        series.append(Series(made([of_any_length(tool) for _ in range(40)])))
    edges = [10**7, 10**7 + 1, -10**7, -10**7 - 1, 10**6, 10**6 + 1, -10**6, -10**6 - 1, 0, 999, -999, 1000]
    for length in range(1, 30):
        series.append(Series(made([tool.random.choice(edges) for _ in range(length)]), 16))
    series.append(Series(made([CLAMP, CLAMP + 1, -CLAMP - 1, 2**62, -2**62, CLAMP - 1, 1 - CLAMP] * 5)))
    answers = tool.ask([each.command() for each in series])
    for each, words in zip(series, answers):
        check(each, Told.of(words))


def drifts_are_found_under_noise_of_any_kind(tool: Tool) -> None:
    series = []
    n = 600
    noises: list[Callable[[int], int]] = [
        lambda i: 0, lambda i: tool.random.randint(-10**5, 10**5), lambda i: 60_000 if i % 7 < 3 else -45_000,
        lambda i: i % 100 * 5000, lambda i: 10**8 if i % 2 else -10**8, lambda i: (i - n // 2) ** 2 * 100,
        lambda i: 10**17 if i % 64 < 32 else -10**17, lambda i: i * i * i]
    for noise in noises:
        for drift in (0, 7, -1000, 10**9):
            for us, cycles, start in ((1000, 10**6, 5), (10, 10, U64 - 2000), (10**7, 2 * 10**10, U64 // 2)):
                errors = [noise(i) + drift * i + 12 * 10**6 for i in range(n)]
                series.append(Series(made(errors, us, cycles, start), 256, cycles * 10**6 // us))
    # Uneven times, all at one time, and times a microsecond apart.
    for spread in (1, 5, 10**6):
        at, samples = 0, []
        for _ in range(100):
            at += tool.random.randint(1, spread)
            samples.append(Sample(at * 7, at, tool.random.randint(-10**9, 10**9)))
        series.append(Series(samples, 128, 7 * 10**6))
    series.append(Series([Sample(9, 5, error) for error in range(20)]))
    answers = tool.ask([each.command() for each in series])
    for each, words in zip(series, answers):
        check(each, Told.of(words))


def the_longest_and_the_largest_fit(tool: Tool) -> None:
    year = 31_556_952 * 10**6
    series = []
    for us in (1 << 27, (1 << 27) + 1, 1 << 28, 12 * year // 1000, 35 * year // 1000):
        for size in (10**6, CLAMP):
            errors = [clamped((i - 500) * size // 500, CLAMP) for i in range(1000)]
            series.append(Series(made(errors, us, us, 0), 1024, 10**6))
    for each, words in zip(series, tool.ask([each.command() for each in series])):
        check(each, Told.of(words))


def sums_of_squares_become_coarser_and_stay_right(tool: Tool) -> None:
    """As if so many errors of 1000 s had come before: the next one is beyond 126 bits."""
    ps = CLAMP // 1000
    for count in ((1 << 126) // ps**2 - 1, (1 << 126) // ps**2, (1 << 126) // ps**2 - 700):
        sum_squares = count * ps**2
        lines = [f"= {count} {sum_squares >> 64:x} {sum_squares % U64:x}",
                 *(f"{n} {n} {CLAMP if n % 2 else -CLAMP}" for n in range(600))]
        (words,) = tool.ask(["\n".join(["statistics 2 1 500", *lines, "."])])
        told = Told.of(words)
        equal(told.count, count + 600, "the count")
        require(abs(told.rms - CLAMP) <= CLAMP >> 40, f"rms is {told.rms}, not {CLAMP}", count)


def nothing_is_said_of_no_samples(tool: Tool) -> None:
    (words,) = tool.ask(["statistics 8 1 990\n."])
    told = Told.of(words)
    equal(words[:14], [0, 0, 0, 0, 0, 0, 0, -1, -1, 0, 0, 0, 0, 0], "the statistics of nothing")
    equal(list(told.kept), [], "what is kept of nothing")
    # Without a buffer nothing is kept, and the rest is as ever.
    some = made([5, -7, 9])
    (words,) = tool.ask([Series(some, 0).command()])
    told = Told.of(words)
    equal((told.count, told.max_abs, told.mean, list(told.kept), told.percentile), (3, 9, 2, [], 0), "without a buffer")


# Statistics over tau: exact sums of squares by their definitions, of windows that begin at every stride.

Values = dict[int, tuple[int, int, int, int]]


def root_of(sum_squares: int, count: int, n: int, times: int, by: int) -> int:
    """sqrt(sum / (n count)) * times / by, rounded down; what does not fit 64 bits is the largest number."""
    if not count:
        return 0
    return min(U64 - 1, isqrt(sum_squares * times**2 // (n * count * by**2)))


def windows(x: Sequence[int], m: int) -> tuple[list[int], list[int], int]:
    """The terms of adev and of mdev, and the widest window, of samples that follow one another."""
    stride = max(1, m // 10)
    kept = x[:len(x) // stride * stride]
    n = len(kept)
    second = [kept[j + 2 * m] - 2 * kept[j + m] + kept[j] for j in range(0, n - 2 * m, stride)]
    sums = [0]
    for value in kept:
        sums.append(sums[-1] + value)
    third = [sums[j + 3 * m] - 3 * sums[j + 2 * m] + 3 * sums[j + m] - sums[j] for j in range(0, n - 3 * m + 1, stride)]
    widest = max((max(kept[j:j + m + 1]) - min(kept[j:j + m + 1]) for j in range(0, n - m, stride)), default=0)
    return second, third, widest


def deviations(segments: Sequence[Sequence[int]], tau0: int, hz: int) -> Values:
    """Of each averaging factor: adev, mdev, tdev, mtie. Between two segments there is a gap."""
    found: Values = {}
    m = 1
    while max(map(len, segments)) // 10 >= m and len(found) < 13:
        parts = [windows(x, m) for x in segments]
        second = [d for part in parts for d in part[0]]
        third = [d for part in parts for d in part[1]]
        a, b = sum(d * d for d in second), sum(d * d for d in third)
        found[m] = (root_of(a, len(second), 2, hz * 10**6, m * tau0),
                    root_of(b, len(third), 2, hz * 10**6, m * m * tau0),
                    root_of(b, len(third), 6, 10**6, m), max(part[2] for part in parts))
        m *= 10
    return found


def check_deviations(told: Sequence[int], wanted: Values, of: object) -> None:
    got = {told[at]: tuple(told[at + 1:at + 5]) for at in range(0, len(told), 5)}
    equal(sorted(got), sorted(wanted), "the averaging factors", of)
    for m, values in wanted.items():
        for name, is_, should in zip(("adev", "mdev", "tdev"), got[m], values):
            require(abs(is_ - should) <= 1 + should * 1e-10, f"{name} is {is_}, not {should}", m, of)
        equal(got[m][3], values[3], "mtie", (m, of))


def walks(tool: Tool) -> list[tuple[list[int], int, int]]:
    """Phases in fs, tau0 in cycles, and hz."""
    found = []
    for n in (9, 10, 19, 20, 21, 31, 99, 100, 101, 305, 1000, 1009, 1234):
        frequency = phase = 0
        walk = []
        for _ in range(n):
            frequency += tool.random.randint(-1000, 1000)
            phase += frequency
            walk.append(10**9 + phase + tool.random.randint(-10**6, 10**6))
        found.append((walk, 2_596_146, 2_596_146_000))
    found.append(([tool.random.choice((-1, 0, 1)) for _ in range(200)], 1000, 10**6))
    found.append(([10**17 if n % 2 else -10**17 for n in range(300)], 10**12, 10**6))
    found.append(([tool.random.randint(-LIMIT, LIMIT) for _ in range(300)], 10**12, 10**6))
    found.append(([tool.random.choice((-LIMIT, LIMIT)) for _ in range(300)], 1000, 10**6))  # adev does not fit
    found.append(([0] * 150, 7, 7000))
    found.append(([n * 10**12 for n in range(120)], 7, 7000))
    # Small ones before large ones: what the sum is shifted by grows on the way.
    found.append(([tool.random.getrandbits(min(58, n // 4)) for n in range(300)], 10**15, 10**9))
    found.append(([n % 300 * 10**6 - (n == 555) * 10**9 for n in range(1100)], 1000, 10**6))
    return found


def streaming_statistics_are_their_definitions(tool: Tool) -> None:
    series = walks(tool)
    commands = ["\n".join([f"stability {tau0} {hz}", *map(str, x), "."]) for x, tau0, hz in series]
    for (x, tau0, hz), told in zip(series, tool.ask(commands)):
        check_deviations(told, deviations([x], tau0, hz), (len(x), x[:4], tau0, hz))


def phases_beyond_the_limit_are_cut(tool: Tool) -> None:
    x = [LIMIT + 5, -LIMIT - 7, 2**62, -2**62, LIMIT, -LIMIT, LIMIT - 1, 1 - LIMIT, 0, 3] * 3
    (told,) = tool.ask(["\n".join([f"stability {10**10} 1000000", *map(str, x), "."])])
    check_deviations(told, deviations([[clamped(value, LIMIT) for value in x]], 10**10, 10**6), "beyond the limit")


def on_the_grid(samples: Sequence[tuple[int, int]], tau0: int) -> list[int]:
    """The phase at each multiple of tau0 after the first sample, between the two samples beside it."""
    (at, last), *rest = samples
    grid, due = [last], at + tau0
    for counter, error in rest:
        while due <= counter:
            grid.append(last + toward_zero((error - last) * (due - at), counter - at))
            due += tau0
        at, last = counter, error
    return grid


def uneven_samples_are_interpolated(tool: Tool) -> None:
    for start in (0, 12345, U64 - 40_000):
        for spread in (5, 1000, 2500):
            counter = start
            samples: list[tuple[int, int]] = []
            while len(on_the_grid(samples or [(0, 0)], 1000)) < 35:
                samples.append((counter, tool.random.randint(-10**9, 10**9)))
                counter += tool.random.choice((1, 999, 1000, 1001, tool.random.randint(1, spread)))
            lines = [f"{at % U64} {error}" for at, error in samples]
            (told,) = tool.ask(["\n".join(["stability 1000 1000000", *lines, "."])])
            check_deviations(told, deviations([on_the_grid(samples, 1000)], 1000, 10**6), (start, spread))


def no_window_has_samples_from_both_sides_of_a_gap(tool: Tool) -> None:
    for lengths in ((35, 120), (250, 9, 11), (5, 7, 205), (127, 100)):
        segments = [[tool.random.randint(-10**9, 10**9) + at * 10**10 for _ in range(n)]
                    for at, n in enumerate(lengths)]
        lines = "\ng\n".join("\n".join(map(str, segment)) for segment in segments)
        # And of samples with a counter, which a gap lets begin anywhere.
        counted = "\ng\n".join("\n".join(f"{at * 777_777 + n * 1000} {x}" for n, x in enumerate(segment))
                               for at, segment in enumerate(segments))
        for words in tool.ask([f"stability 1000 1000000\n{each}\n." for each in (lines, counted)]):
            check_deviations(words, deviations(segments, 1000, 10**6), lengths)


def symmetric_noise_has_an_exact_error(tool: Tool) -> None:
    """Errors that are the same in reverse have a slope of 0; times and errors whose means are whole numbers leave
    nothing to be cut off but in the roots."""
    for n, step in ((8, 2), (9, 1), (10, 2), (16, 2), (33, 7), (64, 1000), (65, 1), (128, 2), (256, 10)):
        for scale in (0, 5, 10**3, 10**9):
            half = [tool.random.randint(-scale, scale) for _ in range(n // 2)]
            errors = [*half, *([0] if n % 2 else []), *reversed(half)]
            errors[0] -= sum(errors) % n  # the mean is a whole number, but for this
            errors[-1] = errors[0]
            rest = sum(errors) % n
            if rest and n % 2:
                errors[n // 2] -= rest
            elif rest:
                continue
            series = Series(made(errors, 1000, step, 7), 256, 10**9)
            (words,) = tool.ask([series.command()])
            equal(Told.of(words).drift_error, exact_error(errors, step, 10**9), "the drift's error", (n, step, scale))


def exact_error(errors: Sequence[int], step: int, hz: int) -> int:
    n = len(errors)
    level, middle = sum(errors) // n, (n - 1) * step // 2
    below = sum((at * step - middle) ** 2 for at in range(n))
    sums, largest, length = [error - level for error in errors], 0, 1
    while len(sums) >= 8:
        largest = max(largest, sum(value * value for value in sums) // (len(sums) * length))
        sums = [sums[2 * at] + sums[2 * at + 1] for at in range(len(sums) // 2)]
        length *= 2
    return isqrt(largest) * hz // isqrt(below)


PROPERTIES: tuple[Callable[[Tool], None], ...] = (
    statistics_are_their_definitions, nothing_is_said_of_no_samples, sums_of_squares_become_coarser_and_stay_right,
    the_longest_and_the_largest_fit, streaming_statistics_are_their_definitions, phases_beyond_the_limit_are_cut,
    uneven_samples_are_interpolated, no_window_has_samples_from_both_sides_of_a_gap,
    symmetric_noise_has_an_exact_error, drifts_are_found_under_noise_of_any_kind)

# Those that look at a file, which are tried first with its broken forms.
OF_FILE: dict[str, tuple[Callable[[Tool], None], ...]] = {
    "stability.c": (phases_beyond_the_limit_are_cut, streaming_statistics_are_their_definitions,
                    uneven_samples_are_interpolated, no_window_has_samples_from_both_sides_of_a_gap)}


if __name__ == "__main__":
    sys.exit(judge(Tool, PROPERTIES, OF_FILE))

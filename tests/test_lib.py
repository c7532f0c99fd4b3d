# SPDX-License-Identifier: GPL-2.0-or-later
"""The arithmetic that every vehicle shares, against Python's unbounded integers, at its edges."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import isqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import make

Ask = Callable[[str], str]
U64, U128, S64 = 1 << 64, 1 << 128, 1 << 63
NSEC = 10**9


@pytest.fixture(scope="session")
def ask() -> Iterator[Ask]:
    program: Path = make("lib-tests") / "lib-tool"
    children: list[subprocess.Popen[str]] = []

    def one(command: str) -> str:
        if not children or children[-1].poll() is not None:
            children.append(subprocess.Popen([str(program)], stdin=subprocess.PIPE, text=True,
                                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        child = children[-1]
        assert child.stdin and child.stdout
        child.stdin.write(command + "\n")
        child.stdin.flush()
        reply = child.stdout.readline().rstrip("\n")
        if "runtime error" in reply or "Sanitizer" in reply:
            pytest.fail(f"{command}: {reply}{child.communicate()[0]}", pytrace=False)
        return reply

    yield one
    for child in children:
        assert child.stdin and child.stdout
        child.stdin.close()
        child.stdout.close()
        child.wait(10)


def wide(value: int) -> str:
    return f"{value >> 64 & U64 - 1:x} {value & U64 - 1:x}"


def unwide(text: str, signed: bool = True) -> int:
    high, low = (int(word, 16) for word in text.split())
    value = high << 64 | low
    return value - U128 if signed and value >> 127 else value


def bits(most: int) -> st.SearchStrategy[int]:
    """Numbers of every length, not only the longest."""
    return st.integers(0, most).flatmap(lambda n: st.integers(0, (1 << n) - 1))


def check(**strategies: st.SearchStrategy[int]) -> Callable[[Callable[..., None]], Callable[[], None]]:
    return lambda function: settings(max_examples=200, deadline=None, database=None, derandomize=True)(
        given(**strategies)(function))


def test_division_of_128_bits_is_exact(ask: Ask) -> None:
    @check(n=bits(128), d=bits(128))
    def holds(n: int, d: int) -> None:
        d = d or 1
        high, low, rest_high, rest_low = ask(f"div {wide(n)} {wide(d)}").split()
        assert (unwide(f"{high} {low}", False), unwide(f"{rest_high} {rest_low}", False)) == divmod(n, d)

    holds()


def test_shifted_nanoseconds_become_an_instant_rounded_down(ask: Ask) -> None:
    @check(sec=st.integers(-(1 << 33), 1 << 33), snsec=bits(88), shift=st.integers(0, 32))
    def holds(sec: int, snsec: int, shift: int) -> None:
        exact = (sec << 64) + (snsec << 64) // (NSEC << shift)
        assert unwide(ask(f"snsec {sec} {wide(snsec)} {shift}")) in (exact, exact - 1)
        if snsec >> shift < NSEC:  # a reading within a second: to the last bit
            assert unwide(ask(f"snsec {sec} {wide(snsec)} {shift}")) == (
                (sec << 64) + (((snsec >> shift) << 64) + ((snsec & (1 << shift) - 1) << 64 >> shift)) // NSEC)

    holds()


def test_instants_become_femtoseconds_to_nearest_and_saturate(ask: Ask) -> None:
    @check(t=st.integers(-(1 << 80), 1 << 80))
    def holds(t: int) -> None:
        exact = (t * 10**15 + (1 << 63)) >> 64
        assert int(ask(f"fsec {wide(t)}")) == max(-(S64 - 1), min(S64 - 1, exact))

    holds()
    for t in (-(1 << 127), (1 << 127) - 1, -(9223 << 64), (9224 << 64) - 1):
        assert abs(int(ask(f"fsec {wide(t)}"))) <= S64 - 1


def test_nanoseconds_become_a_duration_to_nearest(ask: Ask) -> None:
    @check(ns=st.integers(-S64, S64 - 1))
    def holds(ns: int) -> None:
        got = unwide(ask(f"nsec {ns}"))
        assert abs(Fraction(got) - Fraction(ns << 64, NSEC)) <= Fraction(1, 2)

    holds()


def test_an_instant_falls_apart_into_seconds_and_nanoseconds(ask: Ask) -> None:
    @check(t=st.integers(-(1 << 100), 1 << 100))
    def holds(t: int) -> None:
        sec, nsec = map(int, ask(f"timespec {wide(t)}").split())
        assert sec == t >> 64 and nsec == (t % U64) * NSEC >> 64

    holds()


@pytest.mark.parametrize(("scale", "text", "value"), [
    (3, "10", "10000"), (3, "-1.5", "-1500"), (3, "+0.001", "1"), (3, "0.0001", "no"), (0, "1.", "1"),
    (6, "12.345678", "12345678"), (0, "9223372036854775807", "9223372036854775807"),
    (0, "9223372036854775808", "no"), (18, "9.3", "no"), (3, "", "no"), (3, ".", "no"), (3, "-", "no"),
    (3, "1e3", "no"), (3, "1.2.3", "no"), (3, "0x10", "no"), (6, "99999999999999999999999", "no"),
])
def test_decimals_are_read_exactly_or_refused(ask: Ask, scale: int, text: str, value: str) -> None:
    assert ask(f"fixed {scale} {text}") == value


@pytest.mark.parametrize(("text", "value"), [
    ("0", "0"), ("18446744073709551615", str(U64 - 1)), ("18446744073709551616", "no"), ("0xfF", "255"),
    ("0x", "no"), ("0x1ffffffffffffffff", "no"), ("", "no"), ("-1", "no"), ("1k", "no"), ("08", "8"),
])
def test_whole_numbers_are_read_exactly_or_refused(ask: Ask, text: str, value: str) -> None:
    assert ask(f"u64 {text}") == value


def test_decimals_are_printed_rounded_half_away(ask: Ask) -> None:
    @check(value=st.integers(-(10**30), 10**30), scale=st.integers(0, 18), digits=st.integers(0, 18))
    def holds(value: int, scale: int, digits: int) -> None:
        digits = min(digits, scale)
        unit = 10 ** (scale - digits)
        rounded = (abs(value) + unit // 2) // unit
        text = str(rounded).rjust(digits + 1, "0")
        text = f"{text[:-digits]}.{text[-digits:]}" if digits else text
        assert ask(f"decimal {wide(value)} {scale} {digits}") == ("-" if value < 0 and rounded else "") + text

    holds()


def test_printf_formats_as_c_does(ask: Ask) -> None:
    for value, word in ((7, "word"), (0, "x"), (123456, "longer")):
        assert ask(f"printf {value} {word}") == (
            f"[{value:5d}|{value:<5d}|{value:05x}|{word}|{word[:2]}|{word[0]}|%|{value}|{word[:3]:>8}]")


def statistics(ask: Ask, errors: list[int], capacity: int = 4096) -> list[int]:
    lines = [f"{i} {i * 1000} {error}" for i, error in enumerate(errors)]
    return [int(word) for word in ask("\n".join([f"stats {capacity} 1000", *lines, "."])).split()[:10]]


def test_statistics_are_those_of_the_textbook(ask: Ask) -> None:
    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(st.lists(st.integers(-10**13, 10**13), min_size=2, max_size=200))
    def holds(errors: list[int]) -> None:
        count, worst, mean, rms, drift, p99, _, _, kept, _ = statistics(ask, errors)
        n = len(errors)
        assert (count, kept, worst) == (n, n, max(abs(error) for error in errors))
        assert abs(mean - Fraction(sum(errors), n)) <= Fraction(1, 2)
        # Squares are of whole picoseconds.
        assert abs(rms - isqrt(sum(e * e for e in errors) // n)) <= 2000
        times = [Fraction(i) / 1000 for i in range(n)]
        middle, level = sum(times, Fraction(0)) / n, Fraction(sum(errors), n)
        slope = (sum((t - middle) * (e - level) for t, e in zip(times, errors))
                 / sum(((t - middle) * (t - middle) for t in times), Fraction(0)))
        assert abs(drift - slope) <= 1 + abs(slope) / 10**9
        assert p99 == sorted(abs(error) for error in errors)[-(-n * 990 // 1000) - 1]

    holds()


def test_a_full_buffer_keeps_evenly_spaced_samples(ask: Ask) -> None:
    count, _, _, _, _, _, _, _, kept, decimation = statistics(ask, [0] * 1000, 64)
    assert count == 1000 and decimation == 4 and kept == -(-1000 // 16)


SERIES_LENGTH = 20_000
CAPACITY = 1024


def series() -> dict[str, np.ndarray]:
    """Errors in fs, one each ms: long enough to be thinned five times."""
    random, n = np.random.default_rng(6), np.arange(SERIES_LENGTH)
    dither = np.where(n % 7 < 3, 60_000, -45_000)
    return {
        "white": random.normal(0, 1e5, SERIES_LENGTH),
        "dither": dither,
        "offset": dither + 12e6,
        "far off and drifting": dither + 9e14 + n * 1e6,
        "drifting": dither + n * 64.6,
        "pure drift": n * 1000.0,
        "sawtooth": n % 3000 * 500.0,
        "random walk": np.cumsum(random.normal(0, 1e4, SERIES_LENGTH)),
    }


def drift_error(times: np.ndarray, errors: np.ndarray) -> float:
    """The standard error of the slope, as lib/stats.h defines it."""
    residuals = errors - np.polyval(np.polyfit(times - times.mean(), errors, 1), times - times.mean())
    variances, length = [], 1
    while len(errors) // length >= 8:
        whole = residuals[: len(errors) // length * length].reshape(-1, length)
        variances.append(float(np.mean(whole.mean(axis=1) ** 2)) * length)
        length *= 2
    return float(np.sqrt(max(variances) / np.sum((times - times.mean()) ** 2)))


@pytest.mark.parametrize("name", series())
def test_statistics_are_those_of_numpy(ask: Ask, name: str) -> None:
    errors = series()[name].astype(np.int64)
    lines = [f"{2**64 - 5000 + i & 2**64 - 1} {i * 1000} {error}" for i, error in enumerate(errors)]
    told = [int(word) for word in ask("\n".join([f"stats {CAPACITY} 1000", *lines, "."])).split()]
    count, worst, mean, rms, drift, p99, _, _, kept, decimation, error, *counters = told
    assert (count, worst) == (SERIES_LENGTH, np.abs(errors).max())
    assert mean == pytest.approx(errors.mean(), abs=1)
    assert rms == pytest.approx(np.sqrt(np.mean(errors.astype(float) ** 2)), rel=1e-6, abs=1000)  # of whole ps
    times = np.arange(SERIES_LENGTH) / 1000
    about = errors - errors.mean()
    slope = np.sum((times - times.mean()) * about) / np.sum((times - times.mean()) ** 2)
    assert drift == pytest.approx(slope, abs=1 + abs(slope) * 1e-9)
    # Every 32nd is kept, whatever had to be given up on the way, across a counter's wrap too.
    thinned = np.arange(0, SERIES_LENGTH, 32)
    assert decimation == 5 and kept == len(thinned)
    assert counters == [(2**64 - 5000 + int(i)) & 2**64 - 1 for i in thinned]
    assert p99 == sorted(np.abs(errors[thinned]))[-(-kept * 990 // 1000) - 1]
    assert error == pytest.approx(drift_error(times[thinned], errors[thinned].astype(float)), rel=1e-3, abs=2)


def test_many_samples_within_microseconds_have_the_slope_of_the_textbook(ask: Ask) -> None:
    """Where times and errors are a few units, what rounding their means leaves over is half of the result."""
    def slope(samples: list[tuple[int, int]]) -> int:
        lines = [f"{i} {time_us} {error}" for i, (time_us, error) in enumerate(samples)]
        return int(ask("\n".join([f"stats {len(samples)} 1000", *lines, "."])).split()[4])

    # 1 fs in 1 us is 10^6 fs/s. Both means are 1/2 and are rounded to 0.
    assert slope([(0, 0), (1, 1)] * 500) == 10**6
    # 10^4 fs in 1 us: the errors' mean is whole, and only that of the times is rounded.
    assert slope([(0, 0), (1, 10**4)] * 500) == 10**10


def test_an_rms_below_two_picoseconds_keeps_its_digits(ask: Ask) -> None:
    """The mean of the squares is 5/2 ps^2: the root is 1581 fs, and without the fraction 1414."""
    assert statistics(ask, [1000, -2000] * 500)[3] == pytest.approx(1581, abs=1)


def test_a_drift_does_not_widen_the_error_of_its_slope(ask: Ask) -> None:
    """The dither under it does, and alike with and without it."""
    def told(name: str) -> int:
        lines = [f"{i} {i * 1000} {int(error)}" for i, error in enumerate(series()[name])]
        return int(ask("\n".join([f"stats {CAPACITY} 1000", *lines, "."])).split()[10])

    assert told("pure drift") == 0 < told("dither")
    assert told("drifting") == pytest.approx(told("dither"), rel=0.01, abs=2)


def test_convergence_is_the_first_time_after_which_it_stays(ask: Ask) -> None:
    ns = 10**6
    errors = [100 * ns, 5 * ns, 20 * ns, 9 * ns, 0, 2 * ns, 1 * ns, -1 * ns]
    *_, within_10, within_1, _, _ = statistics(ask, errors)
    assert (within_10, within_1) == (3000, 6000)
    *_, within_10, within_1, _, _ = statistics(ask, [0, 0, 11 * ns])
    assert (within_10, within_1) == (-1, -1)


def test_errors_beyond_1000_seconds_count_as_that(ask: Ask) -> None:
    worst = statistics(ask, [-(S64 - 1), S64 - 1])[1]
    assert worst == 1000 * 10**15


@pytest.mark.parametrize(("hz", "width", "mult", "shift"), [
    (2_596_146_000, 64, 6462355, 24),  # the design's
    (1_000_000_000, 64, 2**23, 23),
])
def test_conversions_known_from_kernels(ask: Ask, hz: int, width: int, mult: int, shift: int) -> None:
    assert ask(f"conversion {hz} {width}").split()[:2] == [str(mult), str(shift)]


def test_conversion_is_the_most_precise_that_fits(ask: Ask) -> None:
    @check(hz=st.integers(1000, 5 * 10**9), width=st.sampled_from([24, 32, 33, 48, 64]))
    def holds(hz: int, width: int) -> None:
        mult, shift, maxadj, max_cycles = map(int, ask(f"conversion {hz} {width}").split())
        # In kHz where Hz do not fit 32 bits: that loses up to 1 kHz.
        loss = Fraction(1000, hz) if hz >> 32 else Fraction(0)
        exact = Fraction(NSEC << shift, hz)
        assert abs(mult - exact) <= Fraction(1, 2) * 2 + exact * loss
        assert mult + maxadj < 1 << 32 and maxadj == mult * 11 // 100
        seconds = max(1, min(600 if width > 32 else 1 << 64, (1 << width) // hz))
        assert seconds * hz * mult < 1 << 65
        assert max_cycles == min((U64 - 1) // (mult + maxadj), (1 << width) - 1)

    holds()


@pytest.mark.parametrize(("hz", "width"), [(999, 64), (0, 64), (5 * 10**9 + 1, 64), (2**40, 64)])
def test_frequencies_out_of_range_are_refused(ask: Ask, hz: int, width: int) -> None:
    assert ask(f"conversion {hz} {width}") == "error 2"


def test_a_correction_loses_nothing(ask: Ask) -> None:
    """ntp_error, time_offset and step together are the line's lead, exactly."""
    @check(shift=st.integers(16, 32), cycles=st.integers(1000, 10**8), hz=st.sampled_from([100, 250, 1000]),
           lead=st.integers(-(10**18), 10**18), step_ns=st.sampled_from([0, 1000, 1000000, 500000000]),
           sec=st.integers(10, 1 << 32), ahead=st.integers(-(10**9), 10**9))
    def holds(shift: int, cycles: int, hz: int, lead: int, step_ns: int, sec: int, ahead: int) -> None:
        snsec = 123_456_789 << shift
        length = (NSEC << 32) // hz
        # A line through the clock's own time plus lead (in ns * 2^-32), at the next tick.
        at_next = (sec << 64) + (((123_456_789 << 32) + length + lead) << 32) // NSEC
        last = 1 << 40
        counter = last + cycles + ahead
        period_frac, period_shift = 1 << 63, 30
        moved = abs(ahead) * period_frac
        time = at_next + ((moved >> period_shift) if ahead > 0 else -(moved >> period_shift))
        error, offset, mono, high, low = ask(
            f"correct {counter:x} {wide(time)} {period_frac:x} {period_shift} {step_ns} {last:x} {cycles:x} "
            f"{sec} {snsec:x} {length:x} {shift} {hz}").split()
        step = unwide(f"{high} {low}")
        total = int(error) + int(offset) * hz + (step << 32 - shift)
        # The line's own point is rounded to 2^-64 s, twice: less than one unit of 2^-32 ns.
        assert abs(total - lead) <= 1
        one_step = cycles << 32 - shift
        if abs(total) <= one_step:
            assert int(offset) == 0 == step
        elif abs(total) > step_ns << 32:
            assert int(offset) == 0 and abs(int(error)) <= 1 << 32 - shift
            # CLOCK_MONOTONIC goes forward by less than a nanosecond, or stays.
            assert 0 <= step - (int(mono) << shift) < 1 << shift
        else:
            # A step stays for the dither; the rest, but for its division by HZ, is slewed.
            assert step == 0 and abs(abs(int(error)) - one_step) < hz

    holds()


def test_words_exist_for_every_error() -> None:
    text = (Path(__file__).parent.parent / "tk/words.c").read_text()
    names = re.findall(r"^\t(TK_\w+),", (Path(__file__).parent.parent / "tk/tk.h").read_text(), re.MULTILINE)
    for name in ("TK_OK", *names):
        assert f"[{name}] =" in text or name == "TK_ERRORS"


@pytest.mark.parametrize("years", [0.001, 0.1, 10])
def test_the_slope_over_years_is_the_textbook_s(ask: Ask, years: float) -> None:
    """The unit of time grows with it, so that the sums fit; the result stays."""
    length_us, count = int(years * 31_556_952 * 10**6), 5000
    random = np.random.default_rng(11)
    times = [length_us * i // count for i in range(count)]
    errors = [int(error) for error in random.normal(0, 1e8, count) + np.array(times, float) * 1e-6 * 0.7]
    lines = [f"{i} {at} {error}" for i, (at, error) in enumerate(zip(times, errors))]
    drift = int(ask("\n".join([f"stats {CAPACITY} 1000", *lines, "."])).split()[4])
    seconds = np.array(times, float) / 1e6
    slope = np.sum((seconds - seconds.mean()) * np.array(errors, float)) / np.sum((seconds - seconds.mean()) ** 2)
    assert drift == pytest.approx(slope, abs=1, rel=1e-6)


def test_sums_of_the_largest_errors_and_times_do_not_overflow(ask: Ask) -> None:
    """Errors are clamped to 1000 s; the sanitizers look at the sums. The slope is 2000 s over 12 years, by halves."""
    count, length_us = 4000, 12 * 31_556_952 * 10**6
    lines = [f"{i} {length_us * i // count} {2**62 if i >= count // 2 else -2**62}" for i in range(count)]
    told = [int(word) for word in ask("\n".join([f"stats {CAPACITY} 1000", *lines, "."])).split()]
    assert told[1] == 1000 * 10**15 and told[3] == pytest.approx(1000 * 10**15, rel=1e-6)
    assert told[4] == pytest.approx(1.5 * 2000 * 10**15 / (length_us / 1e6), rel=1e-3)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The native core's own edges, which no scenario comes near: each test fails for one line that is wrong.
Kernels' cores are compared in test_diff.py."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import make

Ask = Callable[..., list[int]]
NSEC = 10**9
SEC = 1_700_000_000
OK, EINVAL, ERATE = 0, 1, 6
ADJ_OFFSET, ADJ_FREQUENCY, ADJ_STATUS, ADJ_NANO, ADJ_OFFSET_SINGLESHOT = 0x0001, 0x0002, 0x0010, 0x2000, 0x8001
STA_PLL, STA_FLL, STA_MODE = 0x0001, 0x0008, 0x4000


def pipe(program: Path) -> Iterator[Ask]:
    """Asks a tool behind a pipe: words in, the numbers of its answer out."""
    child = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)

    def ask(*words: object) -> list[int]:
        assert child.stdin and child.stdout
        child.stdin.write(" ".join(map(str, words)) + "\n")
        child.stdin.flush()
        answer = child.stdout.readline()
        decimals = {"correct": 3, "tick_length": 1}.get(str(words[0]), len(answer))
        try:
            return [int(word, 10 if at < decimals else 16) for at, word in enumerate(answer.split())]
        except ValueError:
            pytest.fail(f"{words}: {answer}{child.communicate()[0]}", pytrace=False)

    yield ask
    assert child.stdin and child.stdout
    child.stdin.close()
    child.stdout.close()
    child.wait(10)


@pytest.fixture
def core() -> Iterator[Ask]:
    """The native core at 1 GHz and 1000 ticks a second, a tick after its start."""
    for ask in pipe(make("lib-tests") / "native-tool"):
        assert ask("init", NSEC, 64, 1000, SEC) == [OK]
        yield ask


@pytest.fixture
def arithmetic() -> Iterator[Ask]:
    yield from pipe(make("lib-tests") / "lib-tool")


def ticked(core: Ask) -> tuple[int, int]:
    """Lets one tick pass; (cycle_last, cycle_interval)."""
    cycle_last, cycle_interval = core("tick", (1 << 20) + 1_000_000)
    assert (cycle_last, cycle_interval) == ((1 << 20) + 1_000_000, 1_000_000)
    return cycle_last, cycle_interval


@pytest.mark.parametrize("behind", [1, 1000, 10**9])
def test_a_counter_behind_the_last_tick_reads_as_that_tick(core: Ask, behind: int) -> None:
    cycle_last, _ = ticked(core)
    assert core("read", cycle_last - behind) == core("read", cycle_last) == [SEC, 1_000_000, 1_000_000]


def test_a_counter_of_48_bits_behind_the_last_tick_reads_as_that_tick(core: Ask) -> None:
    assert core("init", NSEC, 48, 1000, SEC) == [OK]
    cycle_last, _ = ticked(core)
    assert core("read", cycle_last - 1) == core("read", cycle_last)
    # Half its width is the last that counts as ahead.
    assert core("read", cycle_last + (1 << 47) - 1)[0] == SEC + (1 << 47) // NSEC
    assert core("read", cycle_last + (1 << 47)) == core("read", cycle_last)


def test_a_counter_whose_whole_range_can_be_converted_is_never_behind(core: Ask) -> None:
    """As in a kernel, which looks for a counter that went back only beyond max_cycles: 4.3 s here are within."""
    assert core("init", NSEC, 32, 1000, SEC) == [OK]
    cycle_last, _ = ticked(core)
    assert core("read", cycle_last + (1 << 31))[0] == SEC + 2
    assert core("read", cycle_last - 1)[0] == SEC + 4


def test_a_reader_that_a_tick_interrupts_reads_again(core: Ask) -> None:
    cycle_last, interval = ticked(core)
    counter = cycle_last + interval + 100
    *time, reads = core("interrupted", counter, cycle_last + interval)
    assert reads == 2
    assert time == core("read", counter) == [SEC, 2_000_100, 2_000_100]


@pytest.mark.parametrize("sign", [1, -1])
def test_half_a_second_is_the_most_to_be_slewed_at_once(core: Ask, sign: int) -> None:
    assert core("offset", sign * (NSEC // 2 + 1)) == [EINVAL, 0]
    assert core("offset", sign * NSEC // 2) == [OK, sign * (NSEC // 2 << 32) // 1000]


@pytest.mark.parametrize("call", [
    ("settime", 0, 0),  # CLOCK_REALTIME would be before CLOCK_MONOTONIC
    ("settime", -1, 0), ("settime", SEC, NSEC), ("settime", 8277292036, 0),
    ("inject", -SEC - 1, 0), ("inject", -SEC - 1, NSEC - 1), ("inject", 8277292036, 0), ("inject", 0, NSEC)])
def test_a_refused_change_of_the_time_leaves_no_trace(core: Ask, call: tuple[str, int, int]) -> None:
    cycle_last, interval = ticked(core)
    # In mid-tick, and with an offset: what a change of the time moves and clears.
    assert core("offset", 1000)[0] == OK
    name, sec, nsec = call
    now = cycle_last + interval // 2
    assert core(name, now, sec, nsec) == [EINVAL, 0]
    assert core("tick", now)[0] == cycle_last
    # The same call with a time that is taken does leave one.
    assert core(name, now, SEC if name == "settime" else 1, 5) == [OK, 1]


# From 256 s the FLL may be asked for; beyond 2048 s it takes over by itself.
@pytest.mark.parametrize(("seconds", "asked", "mode"), [
    (255, STA_FLL, False), (256, STA_FLL, True), (256, 0, False), (2048, 0, False), (2049, 0, True)])
def test_the_fll_takes_over_at_its_limits(core: Ask, seconds: int, asked: int, mode: bool) -> None:
    cycle_last, _ = ticked(core)
    assert core("adjtimex", cycle_last, ADJ_STATUS, 0, STA_PLL | asked)[0] == OK
    assert core("settime", cycle_last, SEC + seconds, 0) == [OK, 1]
    error, status = core("adjtimex", cycle_last, ADJ_OFFSET | ADJ_NANO, 1000, 0)
    assert error == OK and bool(status & STA_MODE) is mode


def test_a_reference_is_taken_up_to_ten_per_cent_off(arithmetic: Ask) -> None:
    # 1 ns a cycle, 10^6 cycles: L is 10^6 ns * 2^32, 2^32 to the cycle.
    frac, shift, cycles = (1 << 93) // NSEC + 1, 29, 1_000_000
    error, length = arithmetic("tick_length", f"{frac:x}", shift, f"{cycles:x}", f"{cycles << 32:x}")
    assert (error, length) == (OK, cycles << 32)
    slow, fast = length * 10 // 11, length * 10 // 9
    # The nominal tick of which L is just 10 % more, just 10 % less, and a unit beyond either.
    least = next(n for n in range(slow - 3, slow + 4) if length <= n + n // 10)
    most = max(n for n in range(fast - 3, fast + 4) if length >= n - n // 10)
    for nominal, expected in ((least, OK), (least - 1, ERATE), (most, OK), (most + 1, ERATE)):
        got = arithmetic("tick_length", f"{frac:x}", shift, f"{cycles:x}", f"{nominal:x}")
        assert got == [expected, length if expected == OK else 0], nominal


def correct(arithmetic: Ask, time: int, tick_length: int, step_ns: int = 0, cycles: int = 1000) -> list[int]:
    """ntp_error, time_offset, and whether it is stepped, for a line that is at `time` (2^-64 s) when the
    clock's next tick comes, and a clock that stands at 0 s and is to go on by tick_length. Shift 24."""
    line = f"{1 << 20:x} {time >> 64:x} {time & (1 << 64) - 1:x} {1 << 63:x} 30 {step_ns}"
    words = arithmetic("correct", line, f"{(1 << 20) - cycles:x} {cycles:x} 0 0 {tick_length:x} 24 1000")
    return [words[0], words[1], int(bool(words[3] or words[4]))]


@pytest.mark.parametrize(("frac", "lead"), [(1 << 22, 976563), ((1 << 22) - 1, 976562)])
def test_the_lead_is_rounded_to_nearest(arithmetic: Ask, frac: int, lead: int) -> None:
    # 2^22 of 2^-64 s are 976562.5 of 2^-32 ns: from just there on, up.
    assert frac * NSEC / 2**32 == pytest.approx(976562.5, abs=0.3)
    assert correct(arithmetic, frac, 0, cycles=10**6) == [lead, 0, 0]


@pytest.mark.parametrize("sign", [1, -1])
def test_one_mult_step_over_a_tick_is_left_to_dithering(arithmetic: Ask, sign: int) -> None:
    # A thousand cycles of 2^-24 ns, in ns * 2^-32. The line is at 1 s, the clock at 1 s less the lead.
    one_step = 1000 << 8
    second = NSEC << 32
    assert correct(arithmetic, 1 << 64, second - sign * one_step) == [sign * one_step, 0, 0]
    # One unit more is stepped, if that is beyond what may be slewed.
    error, offset, stepped = correct(arithmetic, 1 << 64, second - sign * (one_step + 1))
    assert stepped and offset == 0 and error == sign * 1
    # If not, one step stays, and the rest is slewed: a thousand units are one in each of a thousand ticks.
    error, offset, stepped = correct(arithmetic, 1 << 64, second - sign * (one_step + 1000), step_ns=1000)
    assert not stepped and offset == sign * 1 and error == sign * one_step


def slewed(core: Ask, ppm: int) -> list[tuple[int, int, int]]:
    """Adjtime of 100 us, in a second whose beginning is shortly before a tick. Each 100 ticks: ntp_error, what the
    intended tick is longer than the told one, both in 2^-32 ns, and the dither."""
    now, _ = ticked(core)
    assert core("settime", now, SEC + 1, 999_950)[0] == OK
    assert core("adjtimex", now, ADJ_FREQUENCY, ppm << 16, 0)[0] == OK
    assert core("adjtimex", now, ADJ_OFFSET_SINGLESHOT, 100, 0)[0] == OK
    found = []
    for _ in range(50):
        core("ticks", 100)
        error, longer, dither = core("error")
        found.append((error, longer, dither))
    return found


STEP_1GHZ = 1_000_000 << 9  # of mult over a tick, 0.119 ns: shift is 23


def test_an_exact_mult_never_takes_back_what_the_end_of_a_slew_moved_too_far(core: Ask) -> None:
    """What the second of the slew left over is planned for the next one, and is delivered by the middle of that. mult
    stays a step above the exact one until the second ends, and nothing is owed for it: ntp_error falls by a step a
    tick. Negative, it chooses the base, and at 1 GHz and 0 ppm the base has the tick length exactly: no tick adds
    anything, for ever."""
    found = slewed(core, 0)
    falling = found[25:28]
    assert [longer for _, longer, _ in falling] == [-STEP_1GHZ] * 3
    assert [b[0] - a[0] for a, b in zip(falling, falling[1:])] == [-100 * STEP_1GHZ] * 2
    ((error, longer, dither),) = set(found[30:])
    assert -60 << 32 < error < -59 << 32 and longer == 0 and dither == 0


def test_a_mult_with_a_rest_takes_it_back(core: Ask) -> None:
    """The same at 1 ppm: each tick at the base adds what it lacks of the tick length, until the dither holds it."""
    found = slewed(core, 1)
    rising = found[30:44]
    assert rising[0][0] < -60 << 32 and {longer for _, longer, _ in rising} == {rising[0][1]} and rising[0][1] > 0
    assert [b[0] - a[0] for a, b in zip(rising, rising[1:])] == [100 * rising[0][1]] * 13
    assert all(abs(error) < STEP_1GHZ for error, _, _ in found[46:])

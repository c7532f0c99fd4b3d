# SPDX-License-Identifier: GPL-2.0-or-later
"""The proof: the native core, with the switches that a kernel's source shows, is in the same state as
that kernel's own core after every tick and every call."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liftable import KERNELS, Kernel, lifted
from runner.errors import CannotRun, Problem
from runner.study import differ, pairs, soak
from runner.study.shrink import shrink

# The figure, and what a second or two of this machine's time give.
RANDOM_TICKS = 10_000_000


@pytest.fixture(scope="session", params=KERNELS, ids=lambda kernel: kernel.word)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return request.param


@pytest.fixture(scope="session")
def program(kernel: Kernel) -> Path:
    return lifted(kernel, 1000, differ.PROGRAM).folder / differ.PROGRAM


def same(program: Path, script: Sequence[str]) -> int:
    """Runs a script; fails with the difference. Gives the ticks that were compared."""
    outcome = differ.compare_script(program, script)
    assert not outcome.differs, f"{outcome.words}replay: printf '{chr(92) + 'n'.join(script)}' | {program} -"
    return outcome.ticks


def test_ten_million_random_ticks_without_a_difference(program: Path) -> None:
    outcome = differ.compare_random(program, 20260517, RANDOM_TICKS)
    assert not outcome.differs, pairs.explain(program, outcome)
    assert outcome.ticks >= RANDOM_TICKS


@pytest.mark.parametrize("hz", [100, 250])
def test_a_million_random_ticks_at_other_hz(kernel: Kernel, hz: int) -> None:
    other = lifted(kernel, hz, differ.PROGRAM).folder / differ.PROGRAM
    outcome = differ.compare_random(other, hz, 1_000_000)
    assert not outcome.differs, pairs.explain(other, outcome)


FIXED = {
    "a counter about to pass 2^63, and one about to wrap": [
        "init 2596146000 64 1700000000 0", "from 0x7fffffff00000000", "ticks 3000 200 3 1", "read",
        "from -1000000000", "ticks 3000 200 3 2", "read"],
    "a 24-bit counter that wraps every five seconds": [
        "init 3579545 24 1700000000 0", "ticks 30000 100 0 1", "pass 3000000", "read", "tick 1000"],
    "from fast to coarse and back": [
        "init 2596146000 64 1700000000 0", "ticks 2000 0 0 1", "swap 32768 32 0xfffffff0", "ticks 2000 0 0 2", "read",
        "swap 4999999999 64 -1000000", "ticks 2000 0 0 3", "read"],
    "an idle of hours, and a counter that goes back a little": [
        "init 2596146000 64 1700000000 0", "ticks 2000 0 0 1", "far 30", "ticks 1000 0 0 1", "behind 1000",
        "ticks 1000 0 0 2", "behind 1", "pass 100", "behind 5000000", "ticks 10 0 0 1"],
    "a narrow counter, which is not clamped where it can be converted": [
        "init 931814132 32 1700000000 0", "ticks 2000 0 0 1", "far 4", "behind 1000", "ticks 100 0 0 1"],
    "a recalibration under way": [
        "init 2596146000 64 1700000000 0", "ticks 2000 0 0 1", "stop 100000000", "ticks 1000 0 0 1"],
    "on time, a day's worth of seconds": ["init 2596146000 64 1700000000 0", "freq 809094", "ticks 200000 0 0 1"],
    "pm timer, tickless": ["init 3579545 32 1700000000 5", "ticks 100000 500 400 7"],
    "slew and adjtime against each other": [
        "init 1000000000 64 1700000000 0", "time_offset 500000", "adjtime -400", "ticks 30000 0 0 1",
        "adjtime 1234567", "ticks 20000 0 0 2", "time_offset -250000000", "ticks 50000 100 0 3"],
    "exactly cancelling slews": [
        "init 1000000000 64 1700000000 0", "time_offset 16000", "adjtime -1", "ticks 200000 0 0 1"],
    "a leap second inserted": ["init 2400000000 64 1700000000 0", "leap 16 12", "ticks 5000 0 0 1"],
    "a leap second deleted": ["init 2400000000 64 1700000000 0", "leap 32 12", "ticks 5000 0 0 1"],
    "a leap second called off": [
        "init 2400000000 64 1700000000 0", "leap 16 1", "status 0", "leap 0 9", "ticks 5000 0 0 1"],
    "a leap second in one long idle": [
        "init 2400000000 64 1700000000 0", "midnight 3", "status 16", "ticks 2000 0 0 1", "tick 9600000000"],
    "steps": ["init 2596146000 64 1700000000 999999999", "settime 100 0", "ticks 1000 900 0 1",
              "settime -100 999999999", "ticks 1000 900 0 1", "inject -3 1", "ticks 1000 900 0 1"],
    "another counter, another shift": [
        "init 2596146000 64 1700000000 1", "ticks 5000 0 0 1", "counter 3579545 32 99", "ticks 50000 0 3 1",
        "counter 4999999999 64 18446744073", "ticks 5000 0 0 1"],
    "a line to follow, and one after it": [
        "init 2596146000 64 1700000000 1", "reference 12345678 400000 1000000", "ticks 60000 10 0 1", "read",
        "reference -500000000 5000000 1000000", "pass 1234567", "read", "ticks 60000 0 9 1", "read"],
    "the edge of a second, mult up and down": [
        "init 1000000000 64 1700000000 0", "edge 0 32768000 999", "ticks 3000 0 0 1", "edge 100 32768000 999",
        "ticks 3000 0 0 1", "edge 5 -32768000 900", "ticks 3000 0 0 1"],
    "refused steps and values, with time between": [
        "init 2596146000 64 1700000000 5", "ticks 500 0 0 1", "pass 1000000", "set -1 0", "set 8277292036 0",
        "set 1700000000 1000000000", "ahead -1", "adjtimex 0x100 0 0 0 0 0 0 0 0 -1",
        "adjtimex 0x100 0 0 0 0 0 0 0 0 1000000", "adjtimex 0x2100 0 0 0 0 0 0 0 0 1000000000",
        "adjtimex 0x2100 0 0 0 0 0 0 0 -1700000000 0", "adjtimex 0x4000 0 0 0 0 0 0 8999 0 0",
        "adjtimex 0x4000 0 0 0 0 0 0 11001 0 0", "adjtimex 0x2 0 0 140737488355 0 0 0 0 0 0",
        "adjtimex 0x2 0 0 -140737488356 0 0 0 0 0 0", "adjtimex 0x8000 0 0 0 0 0 0 0 0 0", "ticks 2000 10 0 1",
        "ahead 0", "ticks 2000 10 0 2", "query"],
    "the phase loop and the frequency loop at their limits of time": [
        "init 2596146000 64 1700000000 5", "adjtimex 0x2031 0x09 400000 0 0 0 2 0 0 0", "seconds 257",
        "adjtimex 0x1 0 -400000 0 0 0 0 0 0 0", "seconds 2050", "adjtimex 0x11 0x01 70000 0 0 0 0 0 0 0", "query",
        "adjtimex 0x11 0x89 70000 0 0 0 0 0 0 0", "seconds 300", "adjtimex 0x1 0 500000001 0 0 0 0 0 0 0", "query"],
    "adjtime against a phase, and read back": [
        "init 2596146000 64 1700000000 5", "time_offset 400000", "adjtime -1501", "seconds 2", "adjtime_left",
        "ticks 3000 0 0 1", "adjtime_left", "adjtime 501", "adjtime_left", "seconds 4", "adjtime_left"],
    "the error grows until the clock is unsynchronised": [
        "init 2596146000 64 1700000000 5", "adjtimex 0x1c 0x01 0 0 15998500 100 0 0 0 0", "seconds 2", "query",
        "seconds 1", "query", "seconds 1", "query", "ticks 1000 0 0 1"],
    "leap seconds with something in between": [
        "init 2596146000 64 1700000000 5",
        *(f"leap_second {status} {lead} 30 {at} {event}" for status in (16, 33) for lead in (2, 4)
          for at in (3, 9, 14) for event in range(8)), "ticks 1000 0 0 1"],
    "auxiliary clocks, each on its own": [
        "init 2596146000 64 1700000000 5", "aux 0 1", "aux 7 1", "freq 809094", "ticks 1500 10 0 1",
        "aux_set 0 1800000000 999999999", "aux_set 7 -1 0", "aux_set 3 5 5", "aux_adjtimex 0 2 0 0 -809094 0 0 0 0 0 0",
        "aux_adjtimex 7 0x31 0x01 400000 0 0 0 2 0 0 0", "seconds 20", "aux_adjtimex 7 0x100 0 0 0 0 0 0 0 -21 0",
        "aux_adjtimex 7 0x100 0 0 0 0 0 0 0 -1 500000", "aux_adjtimex 0 0x80 0 0 0 0 0 37 0 0 0",
        "aux_adjtimex 0 0x10 0x10 0 0 0 0 0 0 0 0", "aux_adjtimex 0 0x10 0x06 0 0 0 0 0 0 0 0", "settime 100 0",
        "counter 3579545 32 99", "seconds 3", "aux 7 0", "seconds 2", "aux 7 1", "ticks 1000 0 0 2", "aux 0 0"],
    "suspends, by each source": [
        "init 2596146000 64 1700000000 5", "freq 809094", "time_offset 40000", "ticks 1500 10 0 1", "pass 1000000",
        "sleep 1 3600000000000 77 0", "ticks 500 0 0 1", "sleep 1 3600000000000 77 -999999999", "ticks 500 0 0 1",
        "sleep 1 3600000000000 77 -2000000001", "sleep 1 5000000000 77 1999999999", "sleep 2 1234567890123 1234567 0",
        "sleep 3 1000000001 0 500000000", "sleep 0 5 99999999999 0", "sleep 4 86400123456789 1 0", "sleep 7 1 1 1",
        "ticks 2000 0 0 3"],
    "late ticks, of which the last may come too early to accumulate": [
        "init 96716 24 0 0", *(f"ticks 4 2000 0 {seed}" for seed in range(5148500585731984900, 5148500585731985200))],
    "the smallest tail": ["init 1000000000 64 1700000000 0", "time_offset 1", "constant 10",
                          "ticks 60000 0 500 4", "ticks 60000 0 500 5"],
}


@pytest.mark.parametrize("name", FIXED)
def test_fixed_cases(program: Path, name: str) -> None:
    assert same(program, FIXED[name]) > 1000


def operation(name: str, *numbers: st.SearchStrategy[int]) -> st.SearchStrategy[str]:
    return st.tuples(*numbers).map(lambda values: " ".join([name, *map(str, values)]))


def upto(most: int, least: int = 0) -> st.SearchStrategy[int]:
    return st.integers(least, most)


def sign(most: int) -> st.SearchStrategy[int]:
    return st.integers(-most, most)


BITS = st.sampled_from([32, 40, 48, 56, 64])
# Odd values too: a counter of 1.5 kHz at HZ 1000 has a tick of 2 cycles, a third too long.
FREQUENCY = st.one_of(upto(5_000_000_000, 1000), st.sampled_from([1000, 1001, 1500, 4_999_999_999, 2**32 + 1]))
OPERATIONS = st.one_of(
    operation("ticks", upto(3000, 1), upto(3000), upto(300), upto(2**63 - 1)),
    operation("ticks", upto(3000, 1), upto(3000), upto(300), upto(2**63 - 1)),
    operation("tick", upto(10**11)), operation("pass", upto(10**9)), operation("read"),
    operation("offset", sign(600_000_000)), operation("time_offset", sign(500_000_000)),
    operation("adjtime", sign(10_000_000)), operation("freq", sign(520 << 16)),
    operation("tick_usec", upto(11_010, 8_990)), operation("status", upto(0xFF)),
    operation("constant", upto(12)), operation("tai", sign(200)),
    operation("settime", sign(1_000_000), upto(999_999_999)),
    operation("inject", sign(1_000_000), upto(999_999_999)),
    operation("midnight", upto(5, 1)), operation("leap", st.sampled_from([0, 16, 32, 48, 80]), upto(12, 1)),
    operation("leap_second", st.sampled_from([0, 16, 17, 32, 33, 48, 80]), upto(5), upto(36), upto(24), upto(7)),
    operation("set", upto(8277292036, -1), upto(2**32 - 1)), operation("ahead", sign(2 * 10**9)),
    operation("warp", sign(840)),
    operation("sleep", upto(15), upto(2**50), upto(10**11), sign(5 * 10**9)),
    operation("aux", upto(7), upto(1)), operation("aux_step", upto(7), sign(2**45)),
    operation("aux_set", upto(8), upto(8277292036, -1), upto(10**9)),
    operation("aux_adjtimex", upto(8), upto(0xFFFF), upto(0xFFFF), sign(2 * 10**9), sign(2**38), sign(2 * 10**7),
              sign(2 * 10**7), sign(200_000), upto(12_000), sign(10**10), sign(2 * 10**9)),
    operation("query"), operation("adjtime_left"), operation("seconds", upto(300)),
    operation("adjtimex", upto(0xFFFF), upto(0xFFFF), sign(2 * 10**9), sign(2**38), sign(2 * 10**7), sign(2 * 10**7),
              sign(200_000), upto(12_000), sign(10**10), sign(2 * 10**9)),
    operation("edge", upto(2000), sign(500 << 16), upto(999)),
    operation("counter", FREQUENCY, BITS, upto(2**62)),
    operation("reference", sign(90_000_000_000), sign(400_000_000), upto(500_000_000)),
)
SCRIPTS = st.tuples(operation("init", FREQUENCY, BITS, upto(2**32, 2_000_000), upto(999_999_999)),
                    st.lists(OPERATIONS, max_size=25)).map(lambda parts: [parts[0], *parts[1]])


def test_any_script(program: Path) -> None:
    @settings(max_examples=150, deadline=None, database=None, derandomize=True,
              suppress_health_check=[HealthCheck.too_slow])
    @given(SCRIPTS)
    def check(script: list[str]) -> None:
        same(program, script)

    check()


@pytest.mark.parametrize("switch", ["remainder", "clawback", "tail", "skew"])
def test_each_switch_matters(program: Path, switch: str) -> None:
    """The comparison can fail: with any switch other than the kernel has it, the native core differs."""
    # The tail is rare: most episodes end before an offset is down to its last parts.
    done = subprocess.run([str(program), "--flip", switch, "--random", "1", "50000000"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "DIFFER" in done.stdout, done.stdout


def test_random_scripts_of_one_operation_have_no_other() -> None:
    """Native without `skew` differs from the kernel where an offset is slewed, and only there."""
    program = lifted(Kernel("7.3"), 1000, differ.PROGRAM).folder / differ.PROGRAM
    for only, status in (("time_offset", 1), ("behind", 0)):
        done = subprocess.run([str(program), "--flip", "skew", "--only", only, "--random", "1", "300000"],
                              capture_output=True, text=True, timeout=100)
        assert done.returncode == status, done.stdout
    listed = subprocess.run([str(program), "--list"], capture_output=True, text=True, check=True).stdout.split()
    assert {"behind", "time_offset", "init"} <= set(listed)
    assert subprocess.run([str(program), "--only", "no_such", "--random", "1", "1"]).returncode == 2


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(CannotRun, match="less than 1") as ended:
        soak.main(["7.3", "--ticks", "0"])
    assert ended.value.problem is Problem.USAGE


class TestShrinking:
    def test_finds_the_two_lines_that_matter(self) -> None:
        script = ["init 1 2 3 4", *(f"pass {i}" for i in range(30)), "adjtime 500", "read", "ticks 90 0 0 0"]

        def differs(candidate: Sequence[str]) -> bool:
            return any(line.startswith("adjtime") for line in candidate) and candidate[-1].startswith("ticks")

        short = shrink(differs, script)
        assert [line.split()[0] for line in short] == ["init", "adjtime", "ticks"]
        assert short[1:] == ["adjtime 0", "ticks 0 0 0 0"]

    def test_gives_up_in_bounded_time(self) -> None:
        calls = 0

        def differs(candidate: Sequence[str]) -> bool:
            nonlocal calls
            calls += 1
            return True

        shrink(differs, ["init 1000 64 9999999 5"] * 40, tries=100)
        assert calls <= 100

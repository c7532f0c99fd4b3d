# SPDX-License-Identifier: GPL-2.0-or-later
"""The page: what is refused and by what name, and a line's arithmetic against Python's integers. The
C code runs under the sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT, plain_environment
from pagetool import TWO_64, Page, Tool
from runner.guest import qemu

U64 = st.integers(0, TWO_64 - 1)
EDGES = st.sampled_from([0, 1, 2, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, TWO_64 - 1])
NOW = 10**12
# enum vmclock_error, in its order.
(OK, ABSENT, BAD_MAGIC, BAD_SIZE, BAD_VERSION, NO_COUNTER, WRONG_COUNTER, BAD_TIME_TYPE, WRITER_HOLDS,
 NEVER_STABLE, BAD_SHIFT, BAD_PERIOD, BAD_TIME, UNKNOWN, INITIALIZING, UNRELIABLE, BAD_STATUS,
 IN_FUTURE) = range(18)


@pytest.fixture(scope="module")
def tool(page_programs: Path) -> Iterator[Tool]:
    with Tool(page_programs / "page-tool") as opened:
        yield opened


class Read:
    """What vmclock_read() made of a page."""

    def __init__(self, words: list[str]) -> None:
        (self.error, self.counter_value, self.period_frac, self.marker, self.generation,
         self.status, self.seq) = map(int, words[:7])
        self.sentence = " ".join(words[8:])


def read(tool: Tool, path: Path, now: int = NOW, mapped: int = 4096) -> Read:
    return Read(tool.ask("read", path, now, mapped))


REFUSALS = [
    pytest.param({"magic": 0}, BAD_MAGIC, id="bad magic"),
    pytest.param({"magic": 0xFFFFFFFF}, BAD_MAGIC, id="nothing there"),
    pytest.param({"size": 0x6F}, BAD_SIZE, id="too short for its fields"),
    pytest.param({"size": 4097}, BAD_SIZE, id="longer than what is mapped"),
    pytest.param({"version": 2}, BAD_VERSION, id="version 2"),
    pytest.param({"version": 0}, BAD_VERSION, id="version 0"),
    pytest.param({"counter_id": 0}, WRONG_COUNTER, id="an ARM counter"),
    pytest.param({"time_type": 2}, BAD_TIME_TYPE, id="monotonic time"),
    pytest.param({"flags": 0}, BAD_TIME_TYPE, id="TAI without its offset"),
    pytest.param({"seq_count": 3}, WRITER_HOLDS, id="odd for ever"),
    pytest.param({"shift": 255}, BAD_SHIFT, id="shift 255"),
    pytest.param({"shift": 65}, BAD_SHIFT, id="shift 65"),
    pytest.param({"shift": 64}, BAD_PERIOD, id="shift 64"),
    pytest.param({"period_frac": 0}, BAD_PERIOD, id="period 0"),
    pytest.param({"shift": 0, "period_frac": TWO_64 // 1000 + 1}, BAD_PERIOD, id="below 1 kHz"),
    pytest.param({"shift": 33, "period_frac": (1 << 97) // 10**10}, BAD_PERIOD, id="above 10 GHz"),
    pytest.param({"time_sec": 1 << 63}, BAD_TIME, id="time_sec at 2^63"),
    pytest.param({"time_sec": 1 << 62}, BAD_TIME, id="time_sec at 2^62"),
    pytest.param({"clock_status": 5}, BAD_STATUS, id="status 5"),
    pytest.param({"counter_value": NOW + 3601 * 10**9}, IN_FUTURE, id="counter an hour ahead"),
    pytest.param({"counter_value": TWO_64 - 1}, IN_FUTURE, id="counter at 2^64 - 1"),
]


@pytest.mark.parametrize(("changes", "error"), REFUSALS)
def test_bad_page_is_refused_by_name_and_leaves_nothing(
        tool: Tool, tmp_path: Path, changes: dict[str, int], error: int) -> None:
    result = read(tool, Page().but(**changes).write(tmp_path / "page"))
    assert result.error == error
    assert result.counter_value == result.period_frac == result.marker == 0
    assert len(result.sentence) > 20


@pytest.mark.parametrize(("changes", "error"), [
    ({"counter_id": 0xFF}, NO_COUNTER),
    ({"clock_status": 0}, UNKNOWN),
    ({"clock_status": 1}, INITIALIZING),
    ({"clock_status": 4}, UNRELIABLE),
])
def test_refusal_by_status_keeps_the_markers(
        tool: Tool, tmp_path: Path, changes: dict[str, int], error: int) -> None:
    page = Page(flags=1 | 1 << 8, disruption_marker=99, generation=5).but(**changes)
    result = read(tool, page.write(tmp_path / "page"))
    assert (result.error, result.marker, result.generation) == (error, 99, 5)


def test_stock_qemu_page_is_recognised(tool: Tool, tmp_path: Path) -> None:
    page = Page(counter_id=0xFF, clock_status=0, flags=1 << 8, period_frac=0, shift=0, generation=8)
    assert read(tool, page.write(tmp_path / "page")).error == NO_COUNTER


@pytest.mark.parametrize("mapped", [0, 2, 3, 4, 8, 0x6F])
def test_page_too_short_is_not_read_beyond_its_end(tool: Tool, tmp_path: Path, mapped: int) -> None:
    assert read(tool, Page().write(tmp_path / "page"), mapped=mapped).error == BAD_SIZE


def test_no_page_is_absent(tool: Tool, tmp_path: Path) -> None:
    assert read(tool, tmp_path / "none", mapped=1).error == ABSENT


@pytest.mark.parametrize("changes", [
    {"counter_value": NOW + 3599 * 10**9},
    {"shift": 0, "period_frac": TWO_64 // 1000},
    {"shift": 33, "period_frac": -(-(1 << 97) // 10**10)},
    {"time_sec": (1 << 62) - 1},
    {"time_type": 0, "flags": 0},
    {"clock_status": 3},
    {"size": 0x70},
])
def test_page_just_inside_the_limits_is_used(
        tool: Tool, tmp_path: Path, changes: dict[str, int]) -> None:
    result = read(tool, Page().but(**changes).write(tmp_path / "page"))
    assert result.error == OK, result.sentence


def test_generation_counter_without_its_flag_is_none(tool: Tool, tmp_path: Path) -> None:
    assert read(tool, Page(generation=5).write(tmp_path / "page")).generation == 0


@pytest.mark.parametrize(("maxerror", "seconds", "outlived"), [
    (1, 4.999, 0), (1, 5.001, 1), (1, 7.5, 3), (1 << 60, 5.001, 1), (1, -3600.0, 0), (1, 0.0, 0),
    (0, 5.001, 0), (0, 1e6, 0)])
def test_line_that_says_how_fast_it_goes_wrong_is_believed_for_five_seconds(
        tool: Tool, maxerror: int, seconds: float, outlived: int) -> None:
    """One that states no growth of its error, as a static page's, is believed without end."""
    page = Page(counter_value=10**13)
    now = page.counter_value + int(seconds * 10**9)
    assert tool.ask("outlived", page.counter_value, page.period_frac, page.shift, maxerror,
                    now) == [str(outlived)]


@pytest.mark.parametrize("changes", [{"disruption_marker": 8}, {"counter_value": 999}])
def test_a_count_that_comes_round_is_told_from_the_one_before(
        tool: Tool, tmp_path: Path, changes: dict[str, int]) -> None:
    """A restored snapshot turns seq_count back, and it comes by its old values again."""
    before = Page().write(tmp_path / "before")
    assert tool.ask("changed", before, Page().write(tmp_path / "same")) == ["0"]
    assert tool.ask("changed", before, Page().but(**changes).write(tmp_path / "other")) == ["1"]


def test_marker_that_changes_on_every_read_is_seen_each_time(tool: Tool, tmp_path: Path) -> None:
    markers = [read(tool, Page(disruption_marker=n, seq_count=2 * n).write(tmp_path / "page")).marker
               for n in range(1, 30)]
    assert markers == list(range(1, 30))


@settings(max_examples=300, deadline=None)
@given(data=st.binary(min_size=112, max_size=112), now=U64, good_head=st.booleans())
def test_garbage_is_read_without_harm(
        page_programs: Path, tmp_path_factory: pytest.TempPathFactory, data: bytes, now: int,
        good_head: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage"
    head = Page().pack()[:16]
    path.write_bytes((head + data[16:] if good_head else data).ljust(4096, b"\0"))
    result = read(shared_tool(page_programs), path, now)
    assert 0 <= result.error <= IN_FUTURE and result.sentence != "no such error"


_TOOLS: dict[Path, Tool] = {}


def shared_tool(folder: Path) -> Tool:
    """One for all examples of hypothesis, which wants no function-scoped fixtures."""
    return _TOOLS.setdefault(folder, Tool(folder / "page-tool"))


@pytest.fixture(scope="module", autouse=True)
def end_shared_tools() -> Iterator[None]:
    yield
    for opened in _TOOLS.values():
        opened.__exit__(None, None, None)
    _TOOLS.clear()


LINES = st.fixed_dictionaries({
    "counter_value": U64 | EDGES,
    "time_sec": st.integers(0, (1 << 62) - 1) | st.sampled_from([0, (1 << 62) - 1]),
    "time_frac": U64 | EDGES,
    "hz": st.integers(1000, 10**10) | st.sampled_from([1000, 3579545, 2596146000, 10**10]),
    "fine": st.integers(0, 34),
})


@settings(max_examples=200, deadline=None)
@given(line=LINES, counter=U64 | EDGES, tai=st.integers(-32768, 32767))
def test_time_at_is_exact_and_rounds_down(
        page_programs: Path, line: dict[str, int], counter: int, tai: int) -> None:
    # Any shift at which the period still fits 64 bits.
    shift = min(line["fine"], (line["hz"] - 1).bit_length() - 1)
    frac = (1 << 64 + shift) // line["hz"]
    words = shared_tool(page_programs).ask(
        "time", line["counter_value"], line["time_sec"], line["time_frac"], frac, shift, tai,
        counter)
    told = int(words[0]) * TWO_64 + int(words[1])
    utc = int(words[2]) * TWO_64 + int(words[3])
    page = Page(counter_value=line["counter_value"], time_sec=line["time_sec"],
                time_frac=line["time_frac"], period_frac=frac, shift=shift)
    # The counter may wrap between the line and now: what is less than half of its width away counts.
    ahead = (counter - line["counter_value"] + TWO_64 // 2) % TWO_64 - TWO_64 // 2
    assert told == floor(page.time_at(line["counter_value"] + ahead) * TWO_64)
    assert utc == told - tai * TWO_64


@settings(max_examples=200, deadline=None)
@given(hz=st.integers(1000, 10**10) | st.sampled_from([1000, 1024, 1 << 32, 1 << 33, 10**10]),
       ppt=st.integers(-10**11, 10**11) | st.sampled_from([0, 12_345_678, 10**11, -10**11]))
def test_period_from_hz_is_the_nearest_at_the_largest_shift(
        page_programs: Path, hz: int, ppt: int) -> None:
    frac, shift, back = map(int, shared_tool(page_programs).ask("period", hz, ppt))
    exact = Fraction(10**12 + ppt, hz * 10**12) * (1 << 64 + shift)
    assert 1 << 63 <= frac < TWO_64
    assert abs(frac - exact) <= Fraction(1, 2)
    assert abs(back - Fraction((1 << 64 + shift), frac)) <= Fraction(1, 2)


def test_a_page_in_one_nanosecond_at_shift_zero_would_be_off_by_more_than_the_shift_allows(
        tool: Tool) -> None:
    """Why the shift is there: 2^64 / 10^9 is no whole number."""
    frac, shift, _ = map(int, tool.ask("period", 10**9, 0))
    coarse = Fraction(TWO_64 // 10**9, TWO_64)
    fine = Fraction(frac, 1 << 64 + shift)
    assert abs(coarse * 10**9 - 1) > Fraction(1, 10**11) > 10**6 * abs(fine * 10**9 - 1)


def test_update_repairs_a_page_left_odd(tool: Tool, tmp_path: Path) -> None:
    path = Page(seq_count=41).write(tmp_path / "page")
    assert read(tool, path).error == WRITER_HOLDS
    assert tool.ask("update", path, 5, 6, 7, Page().period_frac, Page().shift) == ["42"]
    # seq_count wraps around like any other number.
    Page(seq_count=0xFFFFFFFE).write(path, 4096)
    assert tool.ask("update", path, 5, 6, 7, Page().period_frac, Page().shift) == ["0"]


def test_reading_an_odd_page_is_over_at_once(tool: Tool, tmp_path: Path) -> None:
    path = Page(seq_count=1).write(tmp_path / "page")
    accepted, refused, _, _, longest_us = map(int, tool.ask("spin", path, 500))
    assert accepted == 0 and refused > 100
    # 1000 pauses are some 50 us; the rest is for a busy machine.
    assert longest_us < 100_000


def test_mailbox_and_page_lie_where_the_table_says(page_programs: Path, tmp_path: Path) -> None:
    aml = (page_programs / "vmclock.aml").read_bytes()
    assert aml[:4] == b"SSDT" and sum(aml) % 256 == 0
    for name in (b"AMZNC10C", b"VMCLOCK", b"TBMB0001"):
        assert name in aml
    for base in (0x200000000, 0x200200000):
        assert base.to_bytes(8, "little") + (base + 0xFFF).to_bytes(8, "little") in aml


def test_addresses_of_the_table_can_be_changed(tmp_path: Path) -> None:
    subprocess.run(["make", "-C", str(ROOT), f"BUILD={tmp_path}", "VCLK_BASE=0x480000000",
                    str(tmp_path / "vmclock.aml")], check=True, capture_output=True,
                   env=plain_environment())
    aml = (tmp_path / "vmclock.aml").read_bytes()
    assert (0x480000000).to_bytes(8, "little") + (0x480000FFF).to_bytes(8, "little") in aml
    # QEMU puts the page where the table says, not where it usually is.
    given = qemu.Pages(tmp_path / "page", tmp_path / "mailbox", tmp_path / "vmclock.aml").args()
    assert {"virtio-pmem-pci,memdev=vc,memaddr=0x480000000",
            "virtio-pmem-pci,memdev=mb,memaddr=0x200200000"} < set(given)

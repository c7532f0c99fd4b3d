# SPDX-License-Identifier: GPL-2.0-or-later
"""The publisher and the host's clock: lines that are continuous, pass their audit and state their error, the
TAI offset, and a clock that is set. Assumes an x86 host."""

from __future__ import annotations

import os
import subprocess
import time
from fractions import Fraction
from pathlib import Path

import pytest

from pagetool import Page, Tool, run
from publishing import UNRELIABLE, live, metric


def test_live_page_passes_its_audit(program: Path, page: Path) -> None:
    with live(program, page, "--interval", "0.5") as publisher:
        publisher.wait_for("ready")
        checked = run(program, "--check", page, "--duration", "3")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "not ok" not in checked.stdout and checked.stdout.count("\nok ") >= 5
        assert metric(checked.stdout, "updates") >= 5
        # The clock's own grain is 1 ns, and a bracket some 30 ns.
        assert abs(metric(checked.stdout, "median_ns")) < 25
        assert metric(checked.stdout, "stated_maxerror_ns") < 10_000


def test_successive_lines_are_continuous_to_a_nanosecond(program: Path, page: Path) -> None:
    with live(program, page, "--interval", "0.2") as publisher:
        publisher.wait_for("ready")
        pages = [Page.read(page)]
        until = time.monotonic() + 4
        while time.monotonic() < until:
            now = Page.read(page)
            if now.seq_count != pages[-1].seq_count:
                pages.append(now)
            time.sleep(0.01)
        stepped = [line for line in publisher.of("line") if line["stepped"]]
    assert not stepped, "the clock of this machine was set during the test"
    assert len(pages) > 10
    for old, new in zip(pages, pages[1:]):
        jump = new.time_at(new.counter_value) - old.time_at(new.counter_value)
        # A missed line in between would add its slope: some picoseconds.
        assert abs(jump) < Fraction(1, 10**10)
        assert abs(new.period / old.period - 1) < Fraction(6, 10**10)


def test_the_audit_finds_a_page_that_lies(program: Path, page: Path) -> None:
    with live(program, page, "--duration", "1"):
        pass
    honest = run(program, "--page", page, "--duration", "1", "--json", "--warm-up", "0.5")
    assert honest.returncode == 0
    good = Page.read(page)
    for name, changes in {
        "a microsecond off": {"time_frac": (good.time_frac + 2**64 // 10**6) % 2**64},
        "10 ppm fast": {"period_frac": good.period_frac + good.period_frac // 10**5},
        "another TAI offset": {"tai_offset_sec": good.tai_offset_sec + 1},
    }.items():
        good.but(clock_status=2, **changes).write(page, 2 << 20)
        checked = run(program, "--check", page, "--duration", "0.5")
        assert checked.returncode == 1, name + checked.stdout
        assert "\nnot ok " in checked.stdout


def test_check_says_why_a_page_cannot_be_used(program: Path, page: Path, tmp_path: Path) -> None:
    Page(clock_status=UNRELIABLE).write(page)
    checked = run(program, "--check", page)
    assert checked.returncode == 2 and "unreliable" in checked.stderr
    (tmp_path / "empty").touch()
    assert run(program, "--check", tmp_path / "empty").returncode == 2
    assert run(program, "--check", tmp_path / "none").returncode == 2
    (tmp_path / "short").write_bytes(b"VCLK")
    assert "too short" in run(program, "--check", tmp_path / "short").stderr


def test_static_line_is_exact(program: Path, page: Path) -> None:
    line = ("counter=18446744073709551615,time=1700000000.123456789012345678,period-hz=2596146000,"
            "rate-ppm=12.345678,tai=38,marker=5")
    assert run(program, "--page", page, "--static", line).returncode == 0
    got = Page.read(page)
    assert page.stat().st_size == 2 << 20
    assert (got.counter_value, got.time_sec) == ((1 << 64) - 1, 1_700_000_000)
    assert got.time_frac == (123456789012345678 << 64) // 10**18
    assert (got.time_type, got.tai_offset_sec, got.flags & 1) == (1, 38, 1)
    assert (got.clock_status, got.disruption_marker) == (2, 5)
    wanted = Fraction(10**12 + 12_345_678, 2596146000 * 10**12)
    assert abs(got.period / wanted - 1) <= Fraction(1, 1 << 64)
    again = run(program, "--page", page, "--static", line, "--status", "freerunning")
    assert again.returncode == 0
    after = Page.read(page)
    assert after.but(seq_count=got.seq_count, clock_status=2) == got and after.clock_status == 3


LEAP_LIST = """#\tupdated through a bulletin
#$\t3676924800
2272060800\t10\t# 1 Jan 1972
3644697600\t36\t# 1 Jul 2015
3692217600\t37\t# 1 Jan 2017
"""
LEAPSECONDS = """# comment
Leap\t1972\tJun\t30\t23:59:60\t+\tS
Leap\t2015\tJun\t30\t23:59:60\t+\tS
Leap\t2016\tDec\t31\t23:59:60\t+\tS
#Expires 2026\tDec\t28\t00:00:00
"""


@pytest.mark.parametrize(("text", "utc", "offset"), [
    (LEAP_LIST, 1_700_000_000, 37),
    (LEAP_LIST, 1_483_228_799, 36),
    (LEAP_LIST, 1_483_228_800, 37),
    (LEAP_LIST, 0, 0),
    (LEAPSECONDS, 1_483_228_799, 12),
    (LEAPSECONDS, 1_483_228_800, 13),
    (LEAPSECONDS, 78_796_800, 11),
    ("", 1_700_000_000, 0),
    ("nothing of the kind\nLeap year\n", 1_700_000_000, 0),
])
def test_tai_offset_from_either_list(
        tool: Tool, tmp_path: Path, text: str, utc: int, offset: int) -> None:
    path = tmp_path / "leaps"
    path.write_text(text)
    assert tool.ask("leap", path, utc) == [str(offset)]


def test_without_a_tai_offset_the_page_carries_utc(
        program: Path, page: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with live(program, page, "--leap-list", tmp_path / "empty") as publisher:
        publisher.wait_for("line")
        got = Page.read(page)
    assert (got.time_type, got.flags & 1) == (0, 0)
    assert abs(got.time_sec - time.time()) < 30
    assert any("TAI" in str(note["text"]) for note in publisher.of("note"))


@pytest.mark.parametrize("step_ns", [3_000_000, -40_000, 10**9])
def test_host_clock_that_is_set_is_followed(
        program: Path, page: Path, tmp_path: Path, step_ns: int) -> None:
    added = tmp_path / "added"
    added.write_bytes(bytes(4096))
    env = {"LD_PRELOAD": str(program.parent / "clock-shim.so"), "CLOCK_SHIM": str(added)}
    publisher = live(program, page, "--interval", "0.2")
    publisher.env = env
    with publisher:
        publisher.wait_for("line", 2)
        with added.open("r+b") as file:
            file.write(step_ns.to_bytes(8, "little", signed=True))
        known = len(publisher.of("line"))
        publisher.wait_for("line", known + 3)
        moved = [float(line["residual_ns"]) for line in publisher.of("line")[known:]]
        # Beyond 100 us it steps, below that it slews; either way it knows how far it is off.
        assert any(abs(each - step_ns) < 1000 for each in moved), moved
        steps = [line for line in publisher.of("line") if line["stepped"]]
        assert len(steps) == (1 if abs(step_ns) > 100_000 else 0)
        checked = subprocess.run([str(program), "--check", str(page), "--duration", "1"],
                                 capture_output=True, text=True, env={**os.environ, **env})
        assert checked.returncode == 0, checked.stdout + checked.stderr
        if steps:
            assert abs(metric(checked.stdout, "median_ns")) < 100


def test_the_kernels_rule_writes_a_line_when_the_clock_is_set(program: Path, page: Path, tmp_path: Path) -> None:
    added = tmp_path / "added"
    added.write_bytes(bytes(4096))
    publisher = live(program, page, "--rule", "kernel", "--interval", "0.05")
    publisher.env = {"LD_PRELOAD": str(program.parent / "clock-shim.so"), "CLOCK_SHIM": str(added)}
    with publisher:
        publisher.wait_for("ready")
        before, known = Page.read(page), len(publisher.of("line"))
        with added.open("r+b") as file:
            file.write((10**9).to_bytes(8, "little"))
        publisher.wait_for("line", known + 1)
        after = Page.read(page)
    assert abs(after.time_at(after.counter_value) - before.time_at(after.counter_value) - 1) < Fraction(1, 1000)

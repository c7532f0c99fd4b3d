# SPDX-License-Identifier: GPL-2.0-or-later
"""A page of the host's own kernel (/dev/vmclock_host): passed on, passed over, and turned bad. Assumes an x86 host."""

from __future__ import annotations

import os
import socket
from fractions import Fraction
from pathlib import Path

from pagetool import Page, run
from publishing import UNRELIABLE, live


def test_a_page_of_the_hosts_kernel_is_passed_on(
        program: Path, page: Path, tmp_path: Path) -> None:
    device = tmp_path / "vmclock_host"
    source = Page(counter_value=1000, flags=1 | 1 << 6, time_maxerror_ns=77)
    source.write(device)
    with live(program, page, "--host-device", device, "--offset", "5000") as publisher:
        publisher.wait_for("line")
        got = Page.read(page)
    assert got.counter_value == 6000
    assert (got.period_frac, got.shift, got.time_sec, got.time_frac) == (
        source.period_frac, source.shift, source.time_sec, source.time_frac)
    assert got.time_maxerror_ns == 77


def test_an_unusable_page_of_the_hosts_kernel_is_passed_over(
        program: Path, page: Path, tmp_path: Path) -> None:
    device = Page(magic=1).write(tmp_path / "vmclock_host")
    with live(program, page, "--host-device", device) as publisher:
        publisher.wait_for("line")
        assert Page.read(page).clock_status in (2, 3)
    assert any('not "VCLK"' in str(note["text"]) for note in publisher.of("note"))


def test_a_page_of_the_hosts_kernel_that_turns_bad_makes_ours_unreliable(
        program: Path, page: Path, tmp_path: Path) -> None:
    device = Page().write(tmp_path / "vmclock_host")

    def write(changed: Page) -> None:
        # In place: it is mapped.
        with device.open("r+b") as file:
            file.write(changed.pack())

    with live(program, page, "--host-device", device, "--interval", "0.05") as publisher:
        publisher.wait_for("line")
        write(Page(seq_count=4, clock_status=UNRELIABLE))
        publisher.wait_for("line", 2)
        assert Page.read(page).clock_status == UNRELIABLE
        write(Page(seq_count=6, time_sec=5))
        publisher.wait_for("line", 3)
        assert (Page.read(page).clock_status, Page.read(page).time_sec) == (2, 5)


def test_a_device_that_can_be_waited_for_is_passed_on_at_every_change(
        program: Path, page: Path, tmp_path: Path) -> None:
    """Looked at once an interval of 2 s, at most three of the eight changes would be seen until it ends."""
    device, events = Page(time_sec=1).write(tmp_path / "vmclock_host"), tmp_path / "events"
    os.mkfifo(events)
    with open(os.open(events, os.O_RDWR), "wb", buffering=0) as bell, live(
            program, page, "--host-device", device, "--host-events", events, "--interval", "2", "--duration",
            "6") as publisher:
        publisher.wait_for("line")
        for number in range(2, 10):
            with device.open("r+b") as file:
                file.write(Page(seq_count=2 * number, time_sec=number).pack())
            bell.write(b"x")
            publisher.wait_for("line", number)
            assert Page.read(page).time_sec == number
        assert publisher.stop() == 0


def test_a_descriptor_that_tells_no_more_is_given_up(program: Path, page: Path, tmp_path: Path) -> None:
    """Its other end was closed: the page is looked at once an interval again."""
    device, events = Page(time_sec=1).write(tmp_path / "vmclock_host"), tmp_path / "events"
    os.mkfifo(events)
    bell = os.open(events, os.O_RDWR)
    with live(program, page, "--host-device", device, "--host-events", events, "--interval", "0.05") as publisher:
        publisher.wait_for("line")
        os.close(bell)
        publisher.wait_for("note")
        with device.open("r+b") as file:
            file.write(Page(seq_count=4, time_sec=5).pack())
        publisher.wait_for("line", 2)
        assert Page.read(page).time_sec == 5
    assert any("cannot be waited for" in str(note["text"]) for note in publisher.of("note"))


def test_events_that_cannot_be_opened_are_refused(program: Path, page: Path, tmp_path: Path) -> None:
    device = Page().write(tmp_path / "vmclock_host")
    done = run(program, "--page", page, "--host-device", device, "--host-events", tmp_path / "none")
    assert done.returncode == 2 and f"{tmp_path}/none" in done.stderr


def test_events_of_a_page_that_is_not_there_are_refused(program: Path, page: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "events")
    done = run(program, "--page", page, "--host-device", tmp_path / "none", "--host-events", tmp_path / "events")
    assert done.returncode == 2 and f"{tmp_path}/none" in done.stderr


def test_each_change_of_the_page_rings_for_whoever_listens(program: Path, page: Path, tmp_path: Path) -> None:
    """Also for one who comes late, or goes and comes again."""
    path = str(tmp_path / "bell")
    with live(program, page, "--offset", "none", "--interval", "0.05", "--notify", path) as publisher:
        publisher.wait_for("line")
        assert Page.read(page).flags & 1 << 9
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as door:
                door.bind(path)
                door.listen(1)
                door.settimeout(20)
                ringer, _ = door.accept()
                with ringer:
                    ringer.settimeout(20)
                    assert all(ringer.recv(1) == b"\0" for _ in range(3))
            os.unlink(path)
        assert publisher.stop() == 0


def test_the_kernels_rule_has_whole_ns_and_the_rate_of_the_ticks(program: Path, page: Path) -> None:
    """The rate is that of a TSC of whole kHz: within half a kHz of the fit's. It states no errors."""
    with live(program, page, "--offset", "none", "--rule", "fit") as publisher:
        fitted = publisher.wait_for("line")["hz"]
    page.unlink()
    with live(program, page, "--offset", "none", "--rule", "kernel") as publisher:
        ruled = publisher.wait_for("line")["hz"]
        there = Page.read(page)
    assert ruled != fitted and abs(ruled - fitted) < 600
    ns = Fraction(there.time_frac * 10**9, 1 << 64)
    assert abs(ns - round(ns)) < Fraction(1, 10**6)
    assert not there.flags & 0x78 and there.period_maxerror == there.time_maxerror_ns == 0


def test_an_unknown_rule_is_refused(program: Path, page: Path) -> None:
    done = run(program, "--page", page, "--rule", "thumb")
    assert done.returncode == 2 and "--rule takes fit or kernel" in done.stderr

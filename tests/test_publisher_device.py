# SPDX-License-Identifier: GPL-2.0-or-later
"""A page of the host's own kernel (/dev/vmclock_host): passed on, passed over, and turned bad. Assumes an x86 host."""

from __future__ import annotations

from pathlib import Path

from pagetool import Page
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

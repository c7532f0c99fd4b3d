# SPDX-License-Identifier: GPL-2.0-or-later
"""The publisher over a leap second. Its clock is the shim's (tests/clock_shim.c); assumes an x86 host."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pagetool import Page, Publisher, shared_file

MIDNIGHT = 1_483_228_800  # 2017-01-01, when a second had been inserted
NSEC = 10**9
NTP_TO_UNIX = 2_208_988_800


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Path]:
    yield from shared_file("page", tmp_path)


def states_over_the_second(publisher: Publisher, page: Path, add_ns: int) -> list[Page] | None:
    """The pages as they changed, until two seconds after; None: the machine was too busy to be in time."""
    publisher.wait_for("ready")
    if time.time_ns() + add_ns > (MIDNIGHT - 2) * NSEC:
        return None
    pages = [Page.read(page)]
    while time.time_ns() + add_ns < (MIDNIGHT + 2) * NSEC:
        now = Page.read(page)
        if now.seq_count != pages[-1].seq_count:
            pages.append(now)
        time.sleep(0.002)
    assert publisher.child.poll() is None
    return pages


@pytest.mark.parametrize("leap", [1, -1])
@pytest.mark.parametrize("source", ["kernel", "list", "none"])
def test_a_leap_second_is_announced_and_changes_the_offset_at_once(
        page_programs: Path, page: Path, tmp_path: Path, source: str, leap: int) -> None:
    program = page_programs / "vmclock-host"
    leaps = tmp_path / "leaps"
    leaps.write_text("" if source == "none" else
                     f"{NTP_TO_UNIX} 36\n{MIDNIGHT + NTP_TO_UNIX} {36 + leap}\n")
    pages = None
    for lead_s in (4, 15, 60):
        shim = tmp_path / f"shim-{lead_s}"
        add_ns = (MIDNIGHT - lead_s) * NSEC - time.time_ns()
        tai = 36 if source == "kernel" else 0
        shim.write_bytes(struct.pack("<4q", add_ns, leap, MIDNIGHT, tai).ljust(4096, b"\0"))
        # A change that waited for the next line would mostly come later than is claimed below.
        words = ["--page", str(page), "--warm-up", "0.5", "--interval", "2"]
        if source != "kernel":
            words += ["--leap-list", str(leaps)]
        publisher = Publisher(program, words)
        publisher.env = {"LD_PRELOAD": str(page_programs / "clock-shim.so"), "CLOCK_SHIM": str(shim)}
        with publisher:
            pages = states_over_the_second(publisher, page, add_ns)
        if pages:
            break
    assert pages, "the publisher was never ready two seconds before midnight"

    said = [(each.tai_offset_sec, each.leap_indicator) for each in pages]
    states = [each for i, each in enumerate(said) if not i or each != said[i - 1]]
    before, after = (0, 0) if source == "none" else (36, 36 + leap)
    inserted, deleted = [(before, 1), (after, 3), (after, 4)], [(before, 2), (after, 5)]
    assert states == (inserted if leap > 0 else deleted)
    assert {(each.time_type, each.flags & 1) for each in pages} == {(0, 0) if source == "none" else (1, 1)}

    moved = [float(new.time_at(new.counter_value) - old.time_at(new.counter_value))
             for old, new in zip(pages, pages[1:])]
    if source == "none":  # UTC steps by the leap second, once
        assert sorted(round(each) for each in moved if abs(each) > 1e-4) == [-leap]
    else:  # TAI does not
        assert max(abs(each) for each in moved) < 1e-4
        # The first line with the new offset is of the first second after the change.
        first = next(each for each in pages if each.tai_offset_sec == after)
        passed = MIDNIGHT + 36 - (1 if leap < 0 else 0)
        assert passed <= first.time_sec < passed + 1

# SPDX-License-Identifier: GPL-2.0-or-later
"""Short runs of tests/chaos.py, and proof that it sees a hang and a death without a reason. `make chaos`
runs it for longer."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

import chaos


def test_readers_and_publishers_stand_kills_stops_and_cuts(page_programs: Path, tmp_path: Path) -> None:
    tally = chaos.chaos(page_programs, seed=1, count=30, guests=0, folder=tmp_path)
    assert tally.ok, tally.lines()
    # The seed chooses every kind of action, so none is passed over.
    assert set(tally.actions) == {"page kill", "page end", "page stop", "page truncate", "page stop_reader",
                                  "page kill_reader"}
    assert tally.reads and sum(tally.deaths.values()) > 30


@pytest.mark.parametrize("action", ["kill runner", "truncate page"])
def test_a_guest_run_ends_with_a_verdict_and_leaves_nothing(action: str, built: Path, tmp_path: Path) -> None:
    tally = chaos.Tally()
    chaos.GuestChaos(tally, built, tmp_path, random.Random(1)).act(0, action)
    assert tally.ok, tally.lines()
    assert tally.actions == {f"guest {action}": 1} and sum(tally.deaths.values()) == 1


def test_a_death_by_a_signal_that_nobody_sent_is_reported(tmp_path: Path) -> None:
    tally = chaos.Tally()
    chaos.Actor(tally, "victim", ["sh", "-c", "kill -SEGV $$"], tmp_path).wait()
    assert not tally.ok and "victim: status -11" in tally.unexplained[0]


def test_an_end_without_a_word_is_reported(tmp_path: Path) -> None:
    tally = chaos.Tally()
    chaos.Actor(tally, "victim", ["sh", "-c", "exit 2"], tmp_path).wait()
    assert not tally.ok and "victim: status 2" in tally.unexplained[0]


def test_a_process_that_does_not_end_is_reported_and_killed(tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos, "HANG_SECONDS", 0.1)
    tally = chaos.Tally()
    victim = chaos.Actor(tally, "victim", ["sleep", "600"], tmp_path)
    victim.wait()
    assert tally.hangs and not tally.ok and victim.child.returncode == -signal.SIGKILL


def test_a_torn_line_is_counted(tmp_path: Path) -> None:
    tally = chaos.Tally()
    pages = chaos.PageChaos(tally, tmp_path, tmp_path, random.Random(1))
    pages.heard("# metric reads 5 reads\n# metric torn 1 reads\n")
    assert (tally.reads, tally.torn) == (5, 1) and not tally.ok

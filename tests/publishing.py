# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the publisher share: its files, the program, and the guest that the tool plays. Loaded
as a plugin, for its fixtures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pagetool import Publisher, Tool, shared_file

UNRELIABLE, INITIALIZING, UNKNOWN = 4, 1, 0
OFFSET = 123_456_789_012
# It only ends a test that hangs: on a busy machine a publisher may run a tenth of the time.
PATIENCE_SECONDS = 120.0


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Path]:
    yield from shared_file("page", tmp_path)


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Path]:
    yield from shared_file("mailbox", tmp_path)


@pytest.fixture
def tool(page_programs: Path) -> Iterator[Tool]:
    with Tool(page_programs / "page-tool") as opened:
        yield opened


@pytest.fixture
def program(page_programs: Path) -> Path:
    return page_programs / "vmclock-host"


def live(program: Path, page: Path, *args: object) -> Publisher:
    return Publisher(program, ["--page", str(page), "--warm-up", "0.5", *map(str, args)])


def metric(report: str, name: str) -> float:
    return float(next(line.split()[3] for line in report.splitlines()
                      if line.startswith(f"# metric {name} ")))


def serve_until(publisher: Publisher, event: str, count: int, tool: Tool, *words: object) -> None:
    """Guests of half a second, one after the other, until the publisher has said that."""
    until = time.monotonic() + PATIENCE_SECONDS
    while len(publisher.of(event)) < count:
        assert time.monotonic() < until, f"no {event} in {PATIENCE_SECONDS:g} s"
        tool.ask("guest", words[0], words[1], 500, *words[2:])


STATIC = "counter=1,time=2,period-hz=1000000000"

# SPDX-License-Identifier: GPL-2.0-or-later
"""One experiment in two vehicles: on the virtual clock the guest and the host process print the same, to
the last digit (test_lift_core.py has lifted cores). And what a publisher does to readers in either of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import Ended, ROOT

# Long enough for each scenario to do all it does; lock at the design's full length is in test_sim.
SCENARIOS = ("lock", "compare", "slew", "nohz", "step", "freq")
# Of real time, in which readers and writer do all they can; and how often, where others have nearly all CPUs.
TORN_SECONDS, ROUNDS_MAX = 5, 100


def said(report: str) -> list[str]:
    """What a vehicle printed of its runs, without what it says of itself."""
    lines = [line.rstrip() for line in report.splitlines()]
    return [line for line in lines if line.startswith(("    # metric", "    ok", "    not ok", "ok", "not ok"))]


def in_sim(program: Path, *arguments: str) -> str:
    ended = subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=120)
    assert ended.returncode in (0, 1), ended.stderr
    return ended.stdout


def in_guest(run_qemu: Callable[..., Ended], *arguments: str) -> str:
    ended = run_qemu("--accel", "tcg", *arguments)
    assert ended.status in (0, 1), ended.stderr
    (log,) = ended.output.glob("serial*.log")
    return log.read_text(errors="replace")


@pytest.mark.parametrize("switches", ["all", "none"])
def test_native_is_the_same_in_both_vehicles(
    built: Path, run_qemu: Callable[..., Ended], switches: str
) -> None:
    names = ",".join(SCENARIOS)
    sim = in_sim(built / "tickbench-sim", f"scenario={names}", f"switches={switches}", "duration=300")
    guest = in_guest(run_qemu, f"scenario={names}", "clock=virtual", f"switches={switches}", "duration=300")
    assert said(sim) == said(guest)
    assert len(said(sim)) > 20 * len(SCENARIOS) / 2


@pytest.fixture
def stressed(built: Path, tmp_path: Path) -> Iterator[Path]:
    """A page that is rewritten as fast as its publisher can."""
    page = tmp_path / "page"
    child = subprocess.Popen([str(built / "vmclock-host"), "--page", str(page), "--stress"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert child.stdout
        for line in child.stdout:
            if "ready" in line:
                break
        yield page
    finally:
        child.terminate()
        child.wait(10)
        if child.stdout:
            child.stdout.close()


def accepts_no_torn_line(run: Callable[[], str]) -> None:
    """Runs the scenario until enough has been read of a page that changed meanwhile, and no line of it torn."""
    reads = lines = 0
    for _ in range(ROUNDS_MAX):
        found = {line.split()[2]: int(line.split()[3]) for line in said(run()) if "# metric" in line}
        assert found["torn"] == 0
        reads += found["reads"] if found["accepted"] else 0
        lines += found["lines_seen"]
        # A read can take a microsecond or more: the writer has the cache line most of the time. Many lines seen:
        # reader and writer ran at the same time, not by turns.
        if reads > 100_000 and lines > 1000:
            return
    pytest.fail(f"after {ROUNDS_MAX} rounds {reads} reads of {lines} lines")


def test_the_host_process_accepts_no_torn_line(built: Path, stressed: Path) -> None:
    accepts_no_torn_line(lambda: in_sim(built / "tickbench-sim", "scenario=torn", "--page", str(stressed),
                                        f"duration={TORN_SECONDS}"))


def test_the_guest_accepts_no_torn_line(run_qemu: Callable[..., Ended], stressed: Path) -> None:
    accepts_no_torn_line(lambda: in_guest(run_qemu, "--page", str(stressed), "scenario=torn", "clock=tsc",
                                          f"duration={TORN_SECONDS}"))


def test_rooms_that_vehicles_share_are_compiled_once(built: Path) -> None:
    """The same objects, not the same sources: whatever the guest does, the host process did."""
    for room in ("lib", "tk/native", "scenario", "vmclock"):
        for source in sorted((ROOT / room).glob("*.c")):
            assert (built / "free" / room / f"{source.stem}.o").exists()
        assert not list((built / "host" / room).glob("*.o"))

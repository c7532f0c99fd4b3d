# SPDX-License-Identifier: GPL-2.0-or-later
"""The traces of told, intended and going time: exact in every tick, kept with the samples, and drawn."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from liftable import Kernel, lifted, metric, simulate
from runner.report import plot, samples

OFFSET_NS, ADJTIME_NS = 20_000, -700_000


@pytest.fixture(scope="module")
def records(built: Path, tmp_path_factory: pytest.TempPathFactory) -> list[samples.Samples]:
    path = tmp_path_factory.mktemp("trace") / "samples.bin"
    subprocess.run([str(built / "tickbench-sim"), "--samples", str(path), "scenario=lock,trace", "duration=12"],
                   check=True, capture_output=True)
    return samples.read(path)


def test_the_traces_show_what_the_core_was_told_and_when(records: list[samples.Samples]) -> None:
    lock, trace = records
    assert lock.traces is None and trace.traces is not None
    seconds, going = trace.traces.seconds, trace.traces.going_ns
    # It is told in the middle of a tick, of 1 ms: the next point shows it. 1 ps: the line's own units.
    for begin, end, due in ((0.0, 3.0, 0), (3.002, 6.0, OFFSET_NS), (6.002, 12.0, OFFSET_NS + ADJTIME_NS)):
        there = going[(seconds >= begin) & (seconds <= end)]
        assert len(there) > 500 and np.abs(there - due).max() < 1e-3


def test_intended_time_is_within_a_step_of_mult_of_told_time(records: list[samples.Samples]) -> None:
    """One step over a tick is 0.155 ns at this counter and HZ."""
    traces = records[1].traces
    assert traces is not None
    # Until it is told to slew: ntp_error holds a whole tick of a slew, too.
    apart = np.abs(traces.intended_ns - traces.told_ns)[traces.seconds < 3]
    assert 0 < apart.max() <= 0.155


def test_the_picture_has_the_traces(records: list[samples.Samples], tmp_path: Path) -> None:
    assert plot.draw(records, [], tmp_path / "both.png") and plot.draw(records[:1], [], tmp_path / "one.png")
    assert (tmp_path / "both.png").stat().st_size > (tmp_path / "one.png").stat().st_size


def test_a_file_cut_within_the_traces_is_read_up_to_there(records: list[samples.Samples], tmp_path: Path) -> None:
    assert records[1].traces is not None
    header = samples.HEADER.pack(samples.MAGIC, 0, 0, 0, 0, 1000, 0, b"trace")
    traces = samples.HEADER.pack(samples.TRACE_MAGIC, 0, 2, 0, 0, 1000, 0, b"trace")
    points = np.array([(1000, 1, 2, 3), (2000, 4, 5, 6)], samples.POINT).tobytes()
    (record,) = samples.parse(header + traces + points[:-8])
    assert record.traces is not None and list(record.traces.seconds) == [1.0]
    assert samples.parse(traces + points) == []


@pytest.mark.parametrize("words", [
    ("hz=100",), ("hz=250", "tickless=1"), ("late_ns=400000",), ("counter_hz=3579545", "counter_bits=32")])
def test_it_is_exact_with_ticks_late_and_skipped(built: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run([str(built / "tickbench-sim"), "scenario=trace", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "# metric going_moved_ticks 0 ticks" in done.stdout


@pytest.mark.parametrize(("release", "exact"), [("7.3", True), ("7.2", False)])
def test_a_kernel_with_the_switches_is_exact_and_one_without_is_not(release: str, exact: bool) -> None:
    """7.2 loses the remainder of a tick in every tick."""
    lines = simulate(lifted(Kernel(release), 1000, "tickbench-sim").folder, "scenario=trace", "duration=8")
    assert metric(lines, "going_moved_ticks") == (0 if exact else metric(lines, "ticks") * 4)


def test_the_metrics_are_those_of_the_points_that_are_kept(built: Path, tmp_path: Path) -> None:
    """So that compare has them: A, B and C at the end, and what A and B are off C."""
    done = subprocess.run([str(built / "tickbench-sim"), "--samples", str(tmp_path / "samples.bin"), "scenario=trace",
                           "duration=8"], check=True, capture_output=True, text=True)
    lines = [line.strip() for line in done.stdout.splitlines()]
    (record,) = samples.read(tmp_path / "samples.bin")
    traces = record.traces
    assert traces is not None
    for name, points in (("told", traces.told_ns), ("intended", traces.intended_ns), ("going", traces.going_ns)):
        assert metric(lines, f"trace_{name}_end_ns") == pytest.approx(points[-1], abs=1e-6)
    for name, points in (("told", traces.told_ns), ("intended", traces.intended_ns)):
        rms = float(np.sqrt(np.mean((points - traces.going_ns) ** 2)))
        assert metric(lines, f"trace_{name}_rms_ns") == pytest.approx(rms, abs=0.002)

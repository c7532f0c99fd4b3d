# SPDX-License-Identifier: GPL-2.0-or-later
"""Time and counters at their ends: the scenarios `far`, `years` and `counter`, the time to start from, and
`soak --years`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT, plain_environment
from liftable import Kernel, lifted, simulate
from runner.report import samples, stability
from runner.study import years

SPAN = ("scenario=years", "hz=100", "duration=3601")  # an hour, so that every clock is read


def claims(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(("ok", "not ok"))]


def test_no_kernel_is_off_at_the_far_ends(kernel: Kernel) -> None:
    found = claims(simulate(lifted(kernel, 1000, "tickbench-sim").folder, "scenario=far"))
    assert len(found) >= 10 and all(line.startswith("ok") for line in found), found


@pytest.mark.parametrize("start_s", [0, 2**31 - 1800, 2**32 - 1800, 8_277_292_035 - 1800])
def test_native_stays_on_the_line_over_each_edge(built: Path, start_s: int) -> None:
    ended = subprocess.run([str(built / "tickbench-sim"), *SPAN, f"start_s={start_s}"], capture_output=True, text=True,
                           timeout=100)
    assert ended.returncode == 0, ended.stdout
    assert years.so_far(next(line for line in reversed(ended.stdout.splitlines()) if "progress" in line)) is not None


def test_a_kernel_counts_years_too(built: Path) -> None:
    found = claims(simulate(lifted(Kernel("7.3"), 1000, "tickbench-sim").folder, "scenario=years", "duration=3601",
                            f"start_s={2**32 - 1800}"))
    assert len(found) == 9 and all(line.startswith("ok") for line in found), found


def test_a_time_that_no_core_can_hold_is_refused(built: Path) -> None:
    ended = subprocess.run([str(built / "tickbench-sim"), "start_s=8277292036"], capture_output=True, text=True)
    assert ended.returncode == 2 and "start_s=8277292036" in ended.stderr


def soak(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ROOT / "tickbench"), "soak", "--build", str(tmp_path), *arguments], cwd=ROOT, text=True,
                          capture_output=True, timeout=100, env=plain_environment())


def test_soak_shows_and_keeps_how_far_it_is(built: Path, tmp_path: Path) -> None:
    for name in ("tickbench-sim", "scenarios.json"):
        (tmp_path / name).symlink_to(built / name)
    ended = soak(tmp_path, "--years", "0.0002", "--hz", "100", "--start-s", str(2**31 - 3000))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    folder = tmp_path / "years" / "native"
    kept = json.loads((folder / years.SO_FAR).read_text())
    known = [years.Stability(**each) for each in kept.pop("stability")]
    last = years.SoFar(**kept)
    # 6311 s, of which a note tells each 64th second, and the date of each, and the last one.
    assert last.of == 6311 == last.second
    notes = [found for found in map(years.so_far, (folder / "serial.log").read_text().splitlines()) if found]
    assert [each.second for each in notes] == [*range(64, 6311, 64), 6311]
    assert last.unix_s == 2**31 - 3000 + last.second and last.disagreed == 0 < last.max_fs
    assert last.words().startswith("2038-01-19: max 0.")
    (run,) = json.loads((folder / "report.json").read_text())["runs"]
    assert run["ok"] and run["metrics"]["ticks"] == 631_100
    assert "631100 ticks in" in ended.stdout
    # Of a tick and of ten, and from a second to a tenth of the run.
    assert [each.tau_s for each in known] == pytest.approx([0.01, 0.1, 1, 10, 100], rel=1e-6)
    assert run["metrics"]["adev_1e0s_ppb"] == known[2].adev_ppb and run["metrics"]["mtie_1e1_ns"] == known[1].mtie_ns
    assert f"{known[4].mtie_ns:.3f}" in ended.stdout.split()


def test_the_stability_of_a_run_is_numpys_on_its_samples(built: Path, tmp_path: Path) -> None:
    """A run so short that each of its samples is kept: 10 s of each tick, then one of the grid and one at random."""
    hz, duration = 100, 200
    done = subprocess.run([str(built / "tickbench-sim"), "scenario=years", f"hz={hz}", f"duration={duration}",
                           "--samples", str(tmp_path / "samples.bin")], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout
    (record,) = samples.read(tmp_path / "samples.bin")
    assert record.decimation == 0 and len(record.seconds) == 10 * (hz + 1) + 2 * (duration - 10)
    tick = round((record.seconds[2] - record.seconds[1]) * record.counter_hz)  # whole cycles; the grid's has [0] too
    at = np.rint((record.seconds - record.seconds[0]) * record.counter_hz / tick).astype(int)
    error = dict(zip(at.tolist(), record.error_ns.tolist()))
    series = {1 / hz: [error[n] for n in range(10 * hz)], 1.0: [error[n * hz] for n in range(duration)]}
    known = [found for found in map(years.stability, done.stdout.splitlines()) if found][-4:]
    assert [each.tau_s for each in known] == pytest.approx([0.01, 0.1, 1, 10], rel=1e-6)
    for each in known:
        tau0 = 1 / hz if each.tau_s < 0.5 else 1.0
        x, m = np.array(series[tau0]), round(each.tau_s / tau0)
        tau0 *= tick * hz / record.counter_hz  # a tick of whole cycles
        expected = [stability.oadev(x, tau0, m), stability.mdev(x, tau0, m), stability.tdev(x, tau0, m),
                    stability.mtie(x, m)]
        assert [each.adev_ppb, each.mdev_ppb, each.tdev_ns, each.mtie_ns] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("arguments, words", [((), "or give --years"), (("--years", "0"), "more than 0"),
                                              (("--years", "13"), "up to 12")])
def test_soak_refuses_what_it_cannot_do(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    ended = soak(tmp_path, *arguments)
    assert ended.returncode == 2 and words in ended.stderr


def test_what_a_counter_does_shows_in_no_kernel(kernel: Kernel) -> None:
    found = claims(simulate(lifted(kernel, 1000, "tickbench-sim").folder, "scenario=counter"))
    # 6.1 does not look how far a counter is from the latest tick: two claims are skipped there.
    assert len(found) >= 8 and all(line.startswith("ok") for line in found), found
    assert sum("# SKIP" in line for line in found) == (2 if kernel.word.startswith("6.1") and "6.12" not in kernel.word
                                                       else 0), found


def test_a_kernel_passes_the_leap_second_of_its_page(kernel: Kernel) -> None:
    found = claims(simulate(lifted(kernel, 1000, "tickbench-sim").folder, "scenario=midnight"))
    assert len(found) >= 10 and all(line.startswith("ok") and "# SKIP" not in line for line in found), found

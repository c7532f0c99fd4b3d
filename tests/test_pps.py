# SPDX-License-Identifier: GPL-2.0-or-later
"""hardpps() of a kernel that is lifted with CONFIG_NTP_PPS, and the native core's beside it. Assumes `make`, and a
packaged kernel."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from conftest import build_path
from liftable import NEWEST, build_word, lifted, simulate
from runner.errors import CannotRun
from runner.lift import kbuild, lift
from runner.lift.detect import NTP
from runner.lift.kbuild import Variant
from runner.study import bisect, pairs, series
from variants import Edit, Varied

PPS = Variant("um", 1000, True, pps=True)
CLAIMS = 11
# A phase is taken for noise at half the jitter.
HALF_THE_SPIKE: Edit = (NTP, r"(#define\s+PPS_POPCORN\s+)4", r"\g<1>3")


def compared(word: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Native against a tree that is lifted so, in random scripts."""
    pair = pairs.of("native", word, PPS, build_word())
    return subprocess.run([*pair.program, *options], capture_output=True, text=True, timeout=100)


def test_a_kernel_follows_a_pulse_per_second(built: Path) -> None:
    lines = simulate(lifted(NEWEST, 1000, "tickbench-sim", pps=True).folder, "scenario=pps,told")
    assert len([line for line in lines if line.startswith("ok")]) > CLAIMS, lines
    assert not any(line.startswith("not ok") or "# SKIP" in line for line in lines), lines


@pytest.mark.parametrize("options", [(), ("hz=100",), ("counter_hz=32768", "hz=100"), ("switches=none",)])
def test_the_native_core_does(built: Path, options: tuple[str, ...]) -> None:
    done = subprocess.run([str(built / "tickbench-sim"), "scenario=pps", *options],
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("    ok ") == CLAIMS


def test_a_kernel_without_it_is_skipped_with_the_way_out() -> None:
    lines = simulate(lifted(NEWEST, 1000, "tickbench-sim").folder, "scenario=pps")
    assert any("# SKIP" in line and "--pps" in line for line in lines), lines


def test_both_cores_do_the_same_with_any_pulses(built: Path) -> None:
    for options in (("--only", "pps", "--random", "1", "200000"), ("--random", "1", "200000")):
        done = compared(NEWEST.word, *options)
        assert done.returncode == 0, done.stdout


def test_a_kernel_that_takes_other_phases_for_noise_differs(tmp_path_factory: pytest.TempPathFactory) -> None:
    varied = Varied(NEWEST, tmp_path_factory.mktemp("pps"))
    with varied.edited(HALF_THE_SPIKE) as tree:
        done = compared(str(tree), "--only", "pps", "--random", "1", "200000")
    assert done.returncode == 1 and "DIFFER" in done.stdout and "of: pps " in done.stdout, done.stdout


def test_a_tree_that_cannot_have_it_is_refused(tmp_path: Path) -> None:
    """allnoconfig drops the option where the tree does not know it."""
    (tmp_path / ".config").write_text("CONFIG_64BIT=y\nCONFIG_HZ=100\n")
    with pytest.raises(CannotRun, match="cannot be configured with NTP_PPS") as caught:
        kbuild._check_config(tmp_path, tmp_path, PPS)
    assert "without --pps" in caught.value.words()


def test_its_option_lifts_a_periodic_kernel(built: Path) -> None:
    """For a tickless kernel the option does not exist."""
    (image,) = lift.images([NEWEST.word], 1000, "sim", build_path(), print, pps=True)
    assert image.sim.parent.name == "um-1000-periodic-pps"


def test_check_judges_a_kernel_with_its_pulses(built: Path) -> None:
    lifted(NEWEST, 1000, "tickbench-sim", pps=True)
    done = subprocess.run([str(lift.ROOM / "tickbench"), "check", "--json", "--pps", "--ticks", "1000", "--build",
                           str(built), NEWEST.word], cwd=lift.ROOM, capture_output=True, text=True, timeout=200)
    said = json.loads(done.stdout)
    pulses = [run for run in said["runs"] if run["scenario"] == "pps"]
    assert done.returncode == 0 and said["native"]["equal"]
    # And that it has the switches of its release.
    assert [len([claim for claim in run["claims"] if claim["ok"]]) for run in pulses] == [CLAIMS + 1]


def test_a_kernel_with_pulses_is_periodic_wherever_it_is_asked_for() -> None:
    assert PPS == Variant("um", 1000, False, pps=True) and PPS.name == "um-1000-periodic-pps"
    assert "CONFIG_HZ_PERIODIC=y\nCONFIG_PPS=y\nCONFIG_NTP_PPS=y" in kbuild.fragment(PPS)


@pytest.mark.parametrize("variant", [
    PPS, Variant("um", 250, True), Variant("x86", 1000, False), Variant("x86", 1000, True, smp=True)],
    ids=lambda variant: variant.name)
def test_what_is_lifted_ahead_is_the_variant_that_is_asked_for_later(variant: Variant) -> None:
    assert lift.asked(lift.parser().parse_args([*variant.options, "7.3"])) == variant


def test_series_and_bisect_lift_kernels_with_pulses(tmp_path: Path) -> None:
    assert series.parser().parse_args(["--pps", "7.2", "four.mbox"]).pps
    assert "scenario=pps" in series._experiments(PPS)[-1].words
    assert not any("scenario=pps" in each.words for each in series._experiments(Variant("um", 1000, True)))
    assert bisect.parser().parse_args(["--pps", "--bad", "HEAD", "--good", "v1", "--claim", "pps"]).pps

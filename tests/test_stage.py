# SPDX-License-Identifier: GPL-2.0-or-later
"""A core's switches are told by what it does. Trees that the look at the source gets wrong are made of
packaged kernels by an edit (tests/variants.py)."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from conftest import make
from liftable import Kernel, lifted
from runner.lift import detect, lift
from runner.study import differ, pairs, soak
from variants import GUARD, NO_CLAWBACK, NO_TAIL, OWN_SYMBOL, PLAIN_REMOVAL, TAILS, Varied

DIFF, SIM = differ.PROGRAM, "tickbench-sim"
MERGED = frozenset(("remainder", "clawback", "tail", "skew"))


@pytest.fixture(scope="module")
def v7_3(tmp_path_factory: pytest.TempPathFactory) -> Varied:
    return Varied(Kernel("7.3"), tmp_path_factory.mktemp("v7.3"))


@pytest.fixture(scope="module")
def v7_2(tmp_path_factory: pytest.TempPathFactory) -> Varied:
    return Varied(Kernel("7.2"), tmp_path_factory.mktemp("v7.2"))


def same_state(done: lift.Lifted, ticks: int = 1_000_000) -> differ.Outcome:
    return differ.compare_random(done.folder / DIFF, 1, ticks)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(folder / SIM), "core=linux", "duration=5", *arguments],
                          capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="session")
def stages() -> dict[str, dict[str, str]]:
    """What the probe says of the native core, by the switches that it was started with."""
    program = make("stage-check") / "stage-check"
    said = subprocess.run([str(program)], capture_output=True, text=True, check=True, timeout=100).stdout
    return {line["given"]: line for line in map(json.loads, said.splitlines())}


def test_the_probe_tells_each_set_of_switches_of_the_native_core(stages: dict[str, dict[str, str]]) -> None:
    # 3 forms of the remainder, and clawback, tail and skew on or off, at HZ of 100, 250 and 1000.
    assert len(stages) == 3 * 2 ** 3 * 3
    for given, line in stages.items():
        assert line["found"] == given.split("@")[0], line
        assert line["unknown"] == "none", line


@pytest.mark.parametrize(("word", "switches"), [
    ("6.1", ("clawback",)), ("6.12.107", ()), ("7.2", ("clawback",)), ("7.3", MERGED)])
def test_a_release_is_known_by_what_it_does(word: str, switches: tuple[str, ...]) -> None:
    found = differ.stage(lifted(Kernel(word), 1000, DIFF).folder / DIFF)
    assert found.switches == frozenset(switches) and not found.unknown
    assert found.source & differ.TOLD == found.switches
    assert not found.missing
    # None of them has a guard, and a tick without one loops for ever.
    assert found.stopped_tick == "does not end"


@pytest.mark.parametrize("spelling", TAILS)
def test_the_tail_is_found_however_it_is_spelled(v7_3: Varied, spelling: str) -> None:
    done = v7_3.lifted(*TAILS[spelling], programs=(DIFF,))
    found = differ.stage(done.folder / DIFF)
    assert found.switches == MERGED and not found.missing
    assert "TAIL" not in done.stage.switches, "the source's look knows this spelling: take another"
    assert "its source seems to have: clawback, remainder, skew" in found.words()
    outcome = same_state(done)
    assert not outcome.differs, pairs.explain(done.folder / DIFF, outcome)


def test_a_tree_without_the_tail_lacks_what_its_release_has(v7_3: Varied) -> None:
    found = differ.stage(v7_3.lifted(*NO_TAIL, programs=(DIFF,)).folder / DIFF)
    assert found.switches == MERGED - {"tail"}
    assert re.search(r"MISSING: linux 7\.3\S* has tail in its release; this tree does not", found.words())


def test_plain_removal_of_the_remainder_is_compared_as_such(v7_2: Varied) -> None:
    done = v7_2.lifted(*PLAIN_REMOVAL, programs=(DIFF,))
    found = differ.stage(done.folder / DIFF)
    assert found.switches == {"remainder-v2", "clawback"} and not found.unknown
    outcome = same_state(done, 5_000_000)
    assert not outcome.differs, pairs.explain(done.folder / DIFF, outcome)
    # The other form differs from the first moment on, in what it tells NTP of a tick.
    other = subprocess.run([str(done.folder / DIFF), "--flip", "remainder", "-"], text=True, capture_output=True,
                           input="init 3579545 32 1700000000 0\n")
    assert other.returncode == 1
    assert {"ntp_tick", "tick_length"} <= {name for name, *_ in differ.FIELD.findall(other.stdout)}


def test_a_kernel_without_its_clawback_fails_and_says_so(v7_3: Varied) -> None:
    folder = v7_3.lifted(*NO_CLAWBACK, programs=(SIM,)).folder
    done = run(folder, "scenario=lock")
    assert done.returncode == 1
    assert re.search(r"not ok \d+ the core has the switches that its release has", done.stdout)
    assert re.search(r"# linux 7\.3\S* has clawback in its release; this tree does not", done.stdout)
    assert "# param switches remainder,tail,skew\n" in done.stdout
    # Who means it says so; who means another one does not get away with it.
    assert run(folder, "scenario=lock", "expect=remainder,tail,skew").returncode == 0
    assert run(folder, "scenario=lock", "expect=any").returncode == 0
    wrong = run(folder, "scenario=lock", "expect=remainder,skew")
    assert wrong.returncode == 1 and "# not as expected: tail" in wrong.stdout
    assert run(folder, "scenario=lock", "expect=tial").returncode == 2


def test_a_tick_that_never_ends_is_cut_off_and_reported() -> None:
    folder = lifted(Kernel("7.3"), 1000).folder
    done = run(folder, "scenario=recalibrate,lock")
    # No release has divzero: that is told, and is no failure of this tree.
    assert done.returncode == 0
    assert "# the tick does not end while cycle_interval is 0; it was cut off" in done.stdout
    assert re.search(r"not ok \d+ a tick while cycle_interval is 0 is skipped # TODO no released kernel has divzero",
                     done.stdout)
    # The core starts afresh after it.
    assert "\nok 2 lock\n" in done.stdout


def test_a_guarded_tick_is_let_pass(v7_3: Varied) -> None:
    done = v7_3.lifted(*GUARD, programs=(DIFF, SIM))
    assert differ.stage(done.folder / DIFF).stopped_tick == "is skipped"
    assert run(done.folder, "scenario=recalibrate").returncode == 0


def test_the_shim_yields_to_what_a_tree_defines_itself(v7_3: Varied) -> None:
    done = v7_3.lifted(*OWN_SYMBOL, programs=(SIM,))
    assert run(done.folder, "scenario=lock").returncode == 0


@pytest.mark.parametrize(("release", "switches"), [
    ("6.1.191", ()), ("6.1.192", ("CLAWBACK",)), ("6.12.107", ()), ("6.12.116", ()), ("6.12.118", ("CLAWBACK",)),
    ("6.13.7", ()), ("7.2.12", ("CLAWBACK",)), ("7.3.0-rc1", ("REMAINDER", "CLAWBACK", "TAIL", "SKEW")),
    ("8.0", ("REMAINDER", "CLAWBACK", "TAIL", "SKEW")), ("nonsense", ())])
def test_what_releases_have(release: str, switches: tuple[str, ...]) -> None:
    assert detect.release_switches(release) == switches


def test_the_document_names_the_first_releases_with_switches() -> None:
    text = " ".join(Path("docs/lift.md").read_text().split())
    for boundary in detect.RELEASES:
        major, minor, patch = boundary.first
        assert f"{major}.{minor}.{patch}" in text or not patch and f"from {major}.{minor} on" in text, boundary


# How the counter is registered


@pytest.mark.parametrize(("registered", "drift"), [("hz", -107.9), ("khz", 35.2)])
def test_a_tsc_of_odd_frequency_drifts_as_it_is_registered(registered: str, drift: float) -> None:
    """1/HZ is no whole number of cycles of it: what 7.2 loses of each tick depends on what it takes for a tick."""
    done = run(lifted(Kernel("7.2"), 1000).folder, "scenario=lock", "counter_hz=2400001337",
               f"registered={registered}")
    found = re.search(r"# metric drift_ns_per_s (\S+) ", done.stdout)
    assert found and float(found[1]) == pytest.approx(drift, abs=0.1), done.stdout


@pytest.mark.parametrize("registered", ["hz", "khz"])
def test_native_is_registered_as_a_kernel_is(registered: str) -> None:
    done = run(lifted(Kernel("7.2"), 1000).folder, "scenario=lock", "counter_hz=2400001337",
               f"registered={registered}", "+", "core=native", "switches=reference,feed,clawback",
               "scenario=lock", "counter_hz=2400001337", f"registered={registered}", "duration=5")
    drifts = re.findall(r"# metric drift_ns_per_s (\S+) ", done.stdout)
    assert len(drifts) == 2 and drifts[0] == drifts[1]


# Lines from far away


def test_a_line_centuries_away_is_refused_and_overflows_nothing() -> None:
    program = make("reference-check") / "reference-check"
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    taken, refused = map(int, re.findall(r"\d+", done.stdout))
    assert taken > 1000 and refused > 100


# The shrinker


def test_what_both_cores_refuse_is_no_difference() -> None:
    program = lifted(Kernel("7.3"), 1000, DIFF).folder / DIFF
    for script in (["init 0 0 0 0", "ticks 5 0 0 1"], ["init 1000000000 64 -1 0", "read"],
                   ["init 1000000000 64 1700000000 0", "ticks 10 0 0 1", "init 0 0 0 0", "ticks 10 0 0 1"],
                   ["init 1000000000 64 1700000000 0", "time_offset 700000000", "tick_usec 7", "ticks 9 0 0 1"]):
        assert not differ.compare_script(program, script).differs, script


def test_the_shrunk_script_shows_the_same_fields() -> None:
    program = lifted(Kernel("7.3"), 1000, DIFF).folder / DIFF
    flipped = program.with_name("flipped-diff")
    flipped.write_text(f'#!/bin/sh\nexec {program} --flip clawback "$@"\n')
    flipped.chmod(0o755)
    outcome = differ.compare_random(flipped, 1, 3_000_000)
    assert outcome.fields == {"ntp_error"}
    words = pairs.explain(flipped, outcome)
    assert frozenset(name for name, *_ in differ.FIELD.findall(words)) == outcome.fields
    replay = re.search(r"replay: printf '(.*)' \| ", words)
    assert replay
    script = replay[1].split("\\n")[:-1]
    # A start, and a change of mult in mid-tick: what the switch is about.
    assert 2 <= len(script) <= 4, script
    assert not any(line.startswith("init 0") for line in script)


def test_the_comparison_fails_where_a_switch_of_the_release_is_missing(
    v7_3: Varied, capsys: pytest.CaptureFixture[str]
) -> None:
    with v7_3.edited(*NO_CLAWBACK) as tree:
        arguments = [str(tree), "--ticks", "100000", "--build", str(v7_3.build)]
        assert soak.main(arguments) == 1
        assert "has clawback in its release; this tree does not" in capsys.readouterr().out
        assert soak.main([*arguments, "--as-it-is"]) == 0

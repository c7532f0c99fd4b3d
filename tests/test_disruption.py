# SPDX-License-Identifier: GPL-2.0-or-later
"""A running guest that is migrated, stopped, restored and cloned: it notices, says so, and is on the new line.
Assumes QEMU and TCG."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import ROOT, need, plain_environment
from pagetool import Page
from publishing import live, metric
from runner import simulate
from runner.disruption import command as disruption, journey, table
from runner.disruption.disrupt import KINDS
from runner.guest import firmware, qemu
from runner.report import plot


# Other QEMUs to test with: paths, joined by colons.
OTHERS = os.environ.get("TICKBENCH_QEMU_NEW", "").split(":")


def command(name: str, output: Path, built: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """The exit status, the report, and what was said on stderr."""
    need("qemu-system-x86_64", "qemu-system-x86")
    firmware.qboot()
    done = subprocess.run(
        [str(ROOT / "tickbench"), name, "--accel", "tcg", "--build", str(built), "--output", str(output), "--json",
         "--interval", "0.3", *arguments], capture_output=True, text=True, timeout=400, env=plain_environment())
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def test_a_guest_is_migrated_between_hosts_that_disagree(tmp_path: Path, built: Path) -> None:
    """Two hosts whose clocks are 5 ms apart, and three migrations."""
    status, whole, said = command("migrate", tmp_path, built, "--count", "3", "--clock-error", "0,5000000")
    assert status == 0, said
    (run,) = whole["runs"]
    seen, causes = run["disruptions"]["seen"], run["disruptions"]["causes"]
    assert len(seen) == len(causes) == 3
    assert len({saw["marker"] for saw in seen}) == 3, "each host's line has a marker of its own"
    assert [cause["host"] for cause in causes] == ["host B", "host A", "host B"]
    for saw in seen:
        assert abs(saw["after_ns"]) <= saw["stated_ns"] + 1
        assert saw["unknown_ms"] > 0
    for saw, cause in zip(seen, causes):
        # By the line's clock and by QEMU's event, and by the line's and the publisher's: the line's error counts.
        assert 0 < cause["notice_ms"] + saw["stated_ns"] / 1e6 + 0.001
        assert cause["notice_ms"] < cause["line_ms"] + saw["stated_ns"] / 1e6 + 0.001
        assert cause["own_ms"] <= cause["notice_ms"]
    # To the host that is ahead the guest is behind by that, and by the time that it did not run.
    assert all(seen[number]["off_ns"] < -5_000_000 for number in (0, 2))
    assert run["metrics"]["backwards"] == 0 and run["metrics"]["disruptions"] == 3
    assert {"every disruption is noticed", "the guest sees each migration as one disruption"} <= {
        claim["sentence"] for claim in run["claims"]}
    assert (tmp_path / "samples.bin").stat().st_size > 1000


@pytest.mark.parametrize("other", OTHERS)
def test_a_guest_is_migrated_and_restored_by_another_qemu(tmp_path: Path, built: Path, other: str) -> None:
    if not other:
        pytest.skip("TICKBENCH_QEMU_NEW names no QEMU")
    for name, words in (("migrate", ("--count", "2")), ("disrupt", ("--stock", "snapshot"))):
        status, whole, said = command(name, tmp_path, built, "--qemu", other, *words)
        assert status == 0, said
    assert whole["runs"][0]["metrics"]["device_moves"] == 1


@pytest.mark.parametrize("kind", ["stop", "snapshot", "clone", "kill"])
def test_a_guest_sees_what_was_done_to_it(tmp_path: Path, built: Path, kind: str) -> None:
    status, whole, said = command("disrupt", tmp_path, built, kind, "--away", "0.5")
    assert status == 0, said
    runs = whole["runs"]
    assert len(runs) == (2 if kind == "clone" else 1)
    for run in runs:
        (saw,), (cause,) = run["disruptions"]["seen"], run["disruptions"]["causes"]
        assert cause["what"] == kind and cause["line_ms"] is not None
        assert abs(saw["after_ns"]) <= saw["stated_ns"] + 1
    if kind == "stop":
        # It did not run for half a second, which its clock lacks.
        assert runs[0]["disruptions"]["seen"][0]["off_ns"] < -500e6
    if kind == "clone":
        assert len({run["disruptions"]["seen"][0]["generation"] for run in runs}) == 2


def test_publishers_that_are_killed_at_random_moments_leave_no_guest_behind(tmp_path: Path, built: Path) -> None:
    """One guest follows the line, and one reads lines from which a torn one is told."""
    status, whole, said = command("disrupt", tmp_path, built, "kill", "--count", "8")
    assert status == 0, said
    followed, read = whole["runs"]
    assert (followed["scenario"], read["scenario"]) == ("killed", "torn")
    metrics = followed["metrics"]
    assert metrics["starts"] >= 8 and metrics["torn"] == 0 and metrics["believed_max_ms"] <= 5000
    assert read["metrics"]["torn"] == 0 and read["metrics"]["lines_seen"] > 8
    for run in whole["runs"]:
        assert sum(int(note.split()[0]) for note in run["notes"] if "publishers died" in note) == 8, run["notes"]


def test_what_is_no_disruption_is_none(tmp_path: Path, built: Path) -> None:
    """A publisher that pauses leaves a line that goes on; a guest that is reset begins anew."""
    status, whole, said = command("disrupt", tmp_path, built, "reset", "freeze", "--away", "0.5")
    assert status == 0, said
    assert [len(run["disruptions"]["seen"]) for run in whole["runs"]] == [0, 0]


@pytest.mark.parametrize("name, words, said", [
    ("migrate", ("--count", "0"), "less than 1"),
    ("migrate", ("--count", "1001"), "at most 1000"),
    ("migrate", ("--clock-error", "5"), "two to eight hosts"),
    ("migrate", ("--clock-error", "1,x"), "not a list of whole nanoseconds"),
    ("disrupt", ("stop", "--count", "2"), "of the kind kill alone"),
    ("disrupt", ("kill", "--count", "1001"), "at most 1000"),
    ("disrupt", ("melt",), "\"melt\" is none of stop, snapshot"),
    ("disrupt", ("--qemu", "/nonexistent", "stop"), "/nonexistent"),
])
def test_what_cannot_be_done_is_refused(
        tmp_path: Path, built: Path, name: str, words: tuple[str, ...], said: str) -> None:
    status, _, words_of = command(name, tmp_path, built, *words)
    assert status == 2 and said in words_of, words_of


@pytest.mark.parametrize("words", [("disrupt", "stop"), ("migrate",), ("device",)])
def test_a_qemu_without_a_vmclock_device_is_named(tmp_path: Path, built: Path, words: tuple[str, ...]) -> None:
    old = tmp_path / "qemu"
    old.write_text("#!/bin/sh\necho QEMU emulator version 7.2.22\n")
    old.chmod(0o755)
    done = subprocess.run([str(ROOT / "tickbench"), *words, "--stock", "--qemu", str(old), "--accel", "tcg", "--build",
                           str(built), "--output", str(tmp_path / "out")], capture_output=True, text=True,
                          env=plain_environment())
    status, said = done.returncode, done.stderr
    assert status == 2 and "QEMU 7.2.22 has no vmclock device of its own: --stock needs 10 or later" in said


def test_the_scenario_disrupts_its_own_page_on_the_virtual_clock(built: Path) -> None:
    (run,) = simulate.runs(built / "tickbench-sim", ["scenario=disrupted", "disruptions=3"])
    seen = journey.seen(run["notes"])
    assert run["ok"] and len(seen) == run["metrics"]["disruptions"] == 3
    # It was told to be 250 ms off, to either side, for 100 ms.
    assert [round(saw.off_ns / 1e6) for saw in seen] == [-250, 250, -250]
    assert all(saw.unknown_ms == 100 and saw.after_ns == 0 for saw in seen)
    # The second one was first told by the device of markers alone, while the page went on with its old line.
    assert run["metrics"]["device_moves"] == 1


@pytest.mark.parametrize("extra, moves, claims", [
    (qemu.STOCK, 1, [True]), (qemu.STOCK, 0, [False]), (qemu.STOCK, 2, [False]), ((), 0, [])])
def test_qemus_own_device_must_have_moved_as_often_as_it_was_disrupted(
        extra: tuple[str, ...], moves: int, claims: list[bool]) -> None:
    run: dict[str, Any] = {"metrics": {"device_moves": moves}, "claims": [], "ok": True}
    options = SimpleNamespace(extra=extra)
    disruption.judge_stock(run, options, 1)  # type: ignore[arg-type]
    assert [claim["ok"] for claim in run["claims"]] == claims and run["ok"] == all(claims)


@pytest.mark.parametrize("own_ms, ok", [(None, True), (2.5, True), (2.6, False)])
def test_a_guest_that_looks_at_the_marker_too_late_is_found(own_ms: float | None, ok: bool) -> None:
    run: dict[str, Any] = {"metrics": {"tick_gap_max_us": 2500}, "claims": [], "ok": True, "disruptions": {
        "causes": [{"own_ms": own_ms}], "seen": [{"stated_ns": 1000}]}}
    disruption.judge_notice(run)
    assert run["ok"] == ok


def test_the_picture_marks_what_the_guest_saw() -> None:
    from matplotlib.figure import Figure

    def marks(causes: int, seen: int) -> tuple[int, list[str]]:
        axes = Figure().subplots()
        plot._mark_disruptions(axes, {"disruptions": {
            "causes": [{"what": "migrate", "host": f"host {number}"} for number in range(causes)],
            "seen": [{"at_s": number, "unknown_ms": 30} for number in range(seen)]}})
        return len(axes.lines), [text.get_text() for text in axes.texts]

    assert marks(2, 2) == (2, ["migrate, host 0", "migrate, host 1"])
    assert marks(1, 2) == (2, [])
    assert marks(100, 100) == (100, [])
    plot._mark_disruptions(None, {"scenario": "lock"})


def test_causes_and_sights_that_do_not_correspond_are_not_paired() -> None:
    run = {"disruptions": {"causes": [{"what": "stop"}], "seen": [{"off_ns": 1}, {"off_ns": 2}]}}
    assert [row["causes"] for row in table.pairs(run)] == [{}, {}]
    run = {"disruptions": {"causes": [{"what": "freeze"}], "seen": []}}
    assert table.pairs(run) == [{"causes": {"what": "freeze"}, "seen": {}}]


def test_every_kind_says_what_it_does_and_has_a_row_in_the_document() -> None:
    document = (ROOT / "docs/disruption.md").read_text()
    assert all(f"| `{name}` |" in document for name in KINDS)


def test_a_hosts_markers_clock_and_generation_are_as_given(program: Path, page: Path) -> None:
    """A host whose clock is 0.7 s ahead: so is its page."""
    with live(program, page, "--offset", "none", "--marker", "99", "--generation", "5", "--clock-error",
              "700000000") as publisher:
        publisher.wait_for("line")
        there = Page.read(page)
        audit = subprocess.run([str(program), "--check", str(page), "--duration", "1"], capture_output=True, text=True)
    assert there.disruption_marker == 99 and there.generation == 5
    # What a busy host adds to that is microseconds.
    assert abs(metric(audit.stdout, "median_ns") - 700e6) < 1e6


@pytest.mark.parametrize("option, value", [("--clock-error", "2000000000"), ("--marker", "-1"), ("--generation", "x")])
def test_a_host_that_cannot_be_is_refused(program: Path, tmp_path: Path, option: str, value: str) -> None:
    done = subprocess.run([str(program), "--page", str(tmp_path / "page"), option, value], capture_output=True,
                          text=True)
    assert done.returncode == 2 and f"{option} takes" in done.stderr

# SPDX-License-Identifier: GPL-2.0-or-later
"""The KTAP parser takes what a guest prints, and names what is wrong with what it should not have
printed. Assumes nothing but the text."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

import fakes
from conftest import ROOT, SECONDS
from runner.report import ktap
from runner.report.ktap import Wrong

GOOD = fakes.log(("lock", ["ok it converges", "ok it stays"]), ("slew", ["ok it ends at 10000 ns"]))


def kinds(report: ktap.Report) -> set[Wrong]:
    return {problem.kind for problem in report.problems}


def test_a_whole_report_is_read() -> None:
    report = ktap.parse(GOOD)
    assert report.ok and not report.problems and not report.noise
    assert [run.name for run in report.runs] == ["lock", "slew"]
    lock = report.runs[0]
    assert lock.params["counter_hz"] == "2596146000"
    assert lock.metrics["max_abs_ns"] == ktap.Metric(0.155421, "ns")
    assert [claim.sentence for claim in lock.claims] == ["it converges", "it stays"]


def test_firmware_before_it_is_noise() -> None:
    firmware = "\x1b[2J\x1b[01;01HBdsDxe: starting Boot0001\r\n\x1b[0mUEFI v2.70\r\n\x1b[8;1H"
    report = ktap.parse(firmware + GOOD.replace("\n", "\r\n"))
    assert report.ok
    assert report.noise == ["BdsDxe: starting Boot0001", "UEFI v2.70"]


def test_a_failed_claim_is_no_broken_report() -> None:
    report = ktap.parse(fakes.log(("lock", ["not ok it stays"])))
    assert not report.ok and not report.problems and not report.runs[0].ok


def test_a_skip_keeps_its_reason() -> None:
    report = ktap.parse(fakes.log(("lock", ["ok it stays # SKIP there is no page"])))
    assert report.ok and report.all_skipped
    assert report.runs[0].skipped == "there is no page"
    assert report.runs[0].claims[0].sentence == "it stays"


def test_a_report_without_a_header_is_none() -> None:
    assert kinds(ktap.parse("ok 1 all is well\n")) == {Wrong.NO_HEADER}


def test_what_is_missing_is_named() -> None:
    assert Wrong.MISSING_TESTS in kinds(ktap.parse(GOOD.replace("ok 2 slew\n", "")))
    assert Wrong.UNFINISHED in kinds(ktap.parse(GOOD.replace("ok 2 slew\n", "")))
    assert Wrong.MISSING_TESTS in kinds(ktap.parse(GOOD.replace("    1..2\n", "    1..3\n")))
    assert Wrong.NO_PLAN in kinds(ktap.parse(GOOD.replace("    1..2\n", "")))
    assert Wrong.NO_PLAN in kinds(ktap.parse(GOOD.replace("\n1..2\n", "\n", 1)))


def test_what_is_too_much_is_named() -> None:
    assert Wrong.EXTRA_TESTS in kinds(ktap.parse(GOOD.replace("    1..2\n", "    1..1\n")))
    assert Wrong.EXTRA_TESTS in kinds(ktap.parse(GOOD + "ok 3 one more\n"))
    assert Wrong.OUT_OF_ORDER in kinds(ktap.parse(GOOD.replace("ok 2 slew", "ok 3 slew")))


def test_a_run_that_hides_a_failed_claim_is_named() -> None:
    hidden = fakes.log(("lock", ["not ok it stays"])).replace("\nnot ok 1 lock", "\nok 1 lock")
    assert kinds(ktap.parse(hidden)) == {Wrong.CONTRADICTION}


def test_a_metric_that_is_no_number_is_named() -> None:
    for text in ("nan", "inf", "0x10", "much"):
        assert kinds(ktap.parse(GOOD.replace("0.155421", text, 1))) == {Wrong.BAD_METRIC}


def test_bail_out_is_heard_anywhere() -> None:
    for text in ("Bail out! no memory\n", GOOD + "Bail out! no memory\n",
                 GOOD.replace("    1..2\n", "    Bail out! no memory\n")):
        report = ktap.parse(text)
        assert report.bail_out == "no memory" and not report.ok


@settings(max_examples=300, deadline=None)
@given(st.text() | st.lists(st.sampled_from(GOOD.splitlines() + ["    ", "ok", "1..999999999",
                                                                 "# metric", "not ok 1"])).map("\n".join))
def test_garbage_never_raises_and_never_passes_unplanned(text: str) -> None:
    report = ktap.parse(text)
    if report.ok:
        assert report.plan == len(report.results)
        assert all(run.result is not None for run in report.runs)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) - 2))
def test_a_report_cut_anywhere_never_passes(at: int) -> None:
    assert not ktap.parse(GOOD[:at]).ok


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(GOOD)))
def test_noise_in_the_middle_never_makes_a_failure_a_pass(noise: bytes, at: int) -> None:
    failing = fakes.log(("lock", ["ok it converges", "not ok it stays"]))
    at = min(at, len(failing))
    # Whole lines of noise: a byte inside a line may well turn one thing into another.
    at = failing.rfind("\n", 0, at) + 1
    text = failing[:at] + noise.decode(errors="replace") + "\n" + failing[at:]
    assert not ktap.parse(text).ok


# Pieces that make a backtracking expression try much, and lines that a parser keeps.
PIECES = ["ok 1 ", "not ok 1 ", " ", "\t", "#", "# skip", "\x1b[", "\x1b[0;", "0", "KTAP version 1", "1..",
          "    ", "    # Subtest: ", "    # param x ", "    # metric x 1 ", "Bail out!", "-", "\r", "x"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PIECES), st.integers(1, 20000)), min_size=1, max_size=4),
       st.booleans())
def test_no_piece_however_often_repeated_passes_unplanned_or_is_kept_whole(
    pieces: list[tuple[str, int]], lines: bool
) -> None:
    """Quadratic work on such a text would take hours, and the test would not end."""
    text = "KTAP version 1\n" + "".join((piece + "\n" * lines) * count for piece, count in pieces)
    report = ktap.parse(text)
    if report.ok:
        assert report.plan == len(report.results)
    assert len(report.noise) <= ktap.NOISE_MAX
    assert all(len(line) <= ktap.LINE_MAX for line in (*report.noise, *report.notes))


def test_a_line_of_blanks_before_a_mark_takes_no_quadratic_time() -> None:
    """At 4 MiB, as the runner keeps at most, in a process of its own: one that does not end is killed."""
    script = ("import sys; sys.path.insert(0, sys.argv[1]); from runner.report import ktap\n"
              "for line in ('ok 1 a' + ' ' * 4194304 + 'x', 'ok 1 a' + '# ' * 2097152, '\\x1b[' + '0' * 4194304):\n"
              "    report = ktap.parse('KTAP version 1\\n' + line)\n"
              "    assert ktap.Wrong.TOO_LONG in {each.kind for each in report.problems}\n")
    subprocess.run([sys.executable, "-c", script, str(ROOT)], check=True, timeout=SECONDS)


def test_a_report_of_too_many_lines_is_broken_and_bounded() -> None:
    text = "KTAP version 1\n" + "    # Subtest: x\n" * (ktap.LINES_MAX + 5000)
    report = ktap.parse(text)
    assert Wrong.TOO_LONG in kinds(report) and not report.ok
    assert len(report.runs) == ktap.LINES_MAX - 1


def test_a_header_at_the_end_of_a_long_line_of_firmwares_is_found() -> None:
    assert ktap.parse("=" * 3 * ktap.LINE_MAX + GOOD).ok


def test_a_claim_that_is_known_not_to_hold_fails_nothing() -> None:
    log = fakes.log(("lock", ["ok a", "not ok b # TODO no release has it"]))
    report = ktap.parse(log.replace("not ok 1 lock", "ok 1 lock"))
    (run,) = report.runs
    assert [(claim.ok, claim.passes, claim.sentence, claim.todo) for claim in run.claims] == [
        (True, True, "a", None), (False, True, "b", "no release has it")]
    assert run.ok and report.ok and not report.problems


def test_a_failed_run_beside_a_known_claim_is_no_pass() -> None:
    log = fakes.log(("lock", ["not ok a", "not ok b # TODO no release has it"]))
    assert not ktap.parse(log).ok
    assert kinds(ktap.parse(log.replace("not ok 1 lock", "ok 1 lock"))) == {Wrong.CONTRADICTION}

# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenario and the command `discipline`: the noise has the deviations that it is given, the policies do what
their algorithms say, records are read, and the two vehicles say the same."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import Ended
from liftable import Kernel, lifted
from runner.errors import CannotRun, Problem, Status
from runner.report import samples, stability
from runner.study import discipline, records
from test_vehicles import in_guest, in_sim, said

SHORT = ("hz=100", "duration=160")


def metrics(built: Path, *words: str, status: int = 0) -> dict[str, float]:
    """Of one run of the scenario."""
    ended = subprocess.run([str(built / "tickbench-sim"), "--json", "scenario=discipline", "samples=0", *words],
                           capture_output=True, text=True)
    assert ended.returncode == status, ended.stdout + ended.stderr
    return {name: float(value) for name, value in json.loads(ended.stdout)["metrics"].items()}


def free_error(built: Path, folder: Path, *words: str) -> stability.Series:
    """The error of a core that nobody steers, without the steps: the negative of what the true time did."""
    path = folder / "samples.bin"
    subprocess.run([str(built / "tickbench-sim"), "--samples", str(path), "scenario=discipline", "policy=free",
                    "hz=100", "step_ppb=0", "jump_ns=0", *words], check=True, capture_output=True)
    (record,) = samples.read(path)
    found = stability.even(record.seconds, record.error_ns)
    assert found is not None
    return found


# The deviation that theory gives each kind, at tau: flicker is flat, a walk of a per root second grows with
# sqrt(tau / 3). What 3000 s of one seed may differ by is some tens of per cent.
@pytest.mark.parametrize("words, expected", [
    (("flicker_ppb=2",), lambda tau: 2.0), (("walk_ppb=0.5",), lambda tau: 0.5 * math.sqrt(tau / 3))])
def test_the_noise_has_the_allan_deviation_that_is_asked_for(
        built: Path, tmp_path: Path, words: tuple[str, ...], expected: Callable[[float], float]) -> None:
    series = free_error(built, tmp_path, "duration=3000", *words)
    for tau in (1.0, 10.0, 100.0):
        m = series.factor(tau)
        found = stability.oadev(series.x, series.tau0, m)
        assert found == pytest.approx(expected(m * series.tau0), rel=0.35), tau


def test_the_wander_is_a_sine_within_two_per_cent(built: Path, tmp_path: Path) -> None:
    series = free_error(built, tmp_path, "duration=1000", "wander_ppb=100", "wander_s=200")
    seconds = np.arange(len(series.x)) * series.tau0
    # The integral of a sine of 100 ppb is a cosine of 100 * 200 / (2 pi) ns; the mean rate is the core's own.
    rest = series.x - np.polyval(np.polyfit(seconds, series.x, 1), seconds)
    amplitude = 100 * 200 / (2 * math.pi)
    assert float(np.max(np.abs(rest))) == pytest.approx(amplitude, rel=0.06)
    phase = 2 * math.pi * seconds / 200
    explained = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    _, squares, *_ = np.linalg.lstsq(explained, rest, rcond=None)
    assert math.sqrt(float(squares[0]) / len(rest)) < 0.03 * amplitude


def test_white_noise_is_of_the_page_and_not_of_the_true_time(built: Path) -> None:
    found = metrics(built, "policy=ideal", "white_ns=100", *SHORT)
    assert found["rms_ns"] < 2.0  # the true line at each of 100 ticks a second
    # The end of a line through 8 points has sqrt(2 (2n - 1) / (n (n + 1))) = 0.65 of their deviation, and it grows
    # until the next line comes: a prediction 1 s ahead has 0.81.
    assert 40 < found["page_rms_ns"] < 110


@pytest.mark.parametrize("policy, rms", [("reference", 2.0), ("phc2sys", 2.0), ("freqhold", 2.0), ("linear", 2.0),
                                         ("chrony", 2.0)])
def test_without_noise_each_policy_finds_the_line(built: Path, policy: str, rms: float) -> None:
    """To a step of mult over a tick of 10 ms, 1.5 ns, and what adjtimex's units leave."""
    found = metrics(built, f"policy={policy}", "hz=100", "duration=3200", "offset_ns=1000")
    assert found["rms_ns"] < rms
    assert found["within_1us_s"] < 60
    assert found["freq_step_max_ns"] > 90 and found["freq_step_back_s"] < 600
    assert found["phase_step_max_ns"] > 990 and found["phase_step_back_s"] < 600


def test_phc2sys_calls_once_a_second_and_chrony_twice_in_sixteen(built: Path) -> None:
    for policy, calls in (("phc2sys", 159), ("chrony", 15)):
        # chrony: one at the start, and two for each of nine updates where no slew is longer than an update.
        assert metrics(built, f"policy={policy}", *SHORT)["core_calls"] == pytest.approx(calls, abs=5)


def test_the_kernels_loops_take_what_ntpd_gives_them(built: Path) -> None:
    """PLL and FLL, from a drift file: they stay within a microsecond where nothing changes."""
    for policy in ("pll", "fll"):
        found = metrics(built, f"policy={policy}", "hz=100", "duration=6400", "offset_ns=100", "step_ppb=0",
                        "jump_ns=0")
        assert found["max_abs_ns"] < 1000, policy


def test_an_update_at_the_seconds_beginning_starves_the_exponential(built: Path) -> None:
    """The share of time_offset is planned when a second begins, and a new line drops it; at-once is not starved."""
    early = ("page_at_ms=0", "duration=320", "hz=100")
    assert metrics(built, *early)["rms_ns"] > 1000
    assert metrics(built, *early, "phase_by=at-once")["within_1us_s"] < 60


def test_the_rules_of_the_phase_differ_as_they_say(built: Path) -> None:
    by = {rule: metrics(built, f"phase_by={rule}", "duration=320", "jump_ns=10000") for rule in (
        "offset", "at-once", "linear", "step")}
    assert by["step"]["within_1us_s"] < by["linear"]["within_1us_s"] < by["at-once"]["within_1us_s"]
    assert by["linear"]["phase_step_back_s"] < 15 < by["at-once"]["phase_step_back_s"]
    small = ("phase_by=at-once", "duration=800", "offset_ns=30")
    assert metrics(built, *small)["rms_ns"] < 0.1 < 0.2 < metrics(built, "phase_unit=ns", *small)["max_abs_ns"]


def test_updates_that_are_late_missed_and_repeated_are_counted(built: Path) -> None:
    usual = metrics(built, *SHORT)["page_changes"]
    assert usual == 160
    assert metrics(built, "page_missed=50", *SHORT)["page_changes"] == pytest.approx(80, abs=20)
    assert metrics(built, "page_s=10", "page_repeated=50", *SHORT)["page_changes"] == pytest.approx(16 + 72, abs=20)
    assert metrics(built, "page_late_ms=900", "white_ns=10", *SHORT)["page_changes"] >= 158


def test_a_rule_needs_the_skew(built: Path) -> None:
    metrics(built, "phase_by=linear", "switches=remainder,clawback,reference,feed", *SHORT, status=1)


@pytest.mark.parametrize("words", [
    ("policy=reference", "white_ns=10", "flicker_ppb=0.1", "walk_ppb=0.01", "wander_ppb=20", "page_late_ms=50",
     "page_missed=10", "page_repeated=10", "page_s=2"),
    ("policy=phc2sys", "white_ns=10", "read_delay_ns=500", "read_jitter_ns=500"), ("policy=chrony", "white_ns=10")],
    ids=lambda words: words[0][7:])
def test_both_vehicles_say_the_same_to_the_last_digit(
        built: Path, run_qemu: Callable[..., Ended], words: tuple[str, ...]) -> None:
    asked = ("scenario=discipline", *SHORT, *words)
    sim = said(in_sim(built / "tickbench-sim", *asked))
    assert sim == said(in_guest(run_qemu, "clock=virtual", *asked))
    assert len(sim) > 30


def test_the_real_clock_is_disciplined_too(run_qemu: Callable[..., Ended]) -> None:
    """A page of the scenario's own over the guest's TSC; how well is the host's business."""
    report = in_guest(run_qemu, "--icount", "clock=tsc", "scenario=discipline", "hz=100", "duration=3", "phase_by=step",
                      "policy=reference")
    assert "not ok" not in report and "core_calls 4 calls" in report


def test_the_tsc_of_a_guest_is_disciplined_by_a_daemon(run_qemu: Callable[..., Ended]) -> None:
    """The host's TSC, and ticks as the host delivers them: a reading each 100 ms, of which the core takes what the
    servo makes."""
    report = in_guest(run_qemu, "clock=tsc", "scenario=discipline", "hz=100", "duration=3", "policy=phc2sys",
                      "read_ms=100")
    found = re.search(r"# metric core_calls (\d+) calls", report)
    assert "not ok" not in report and found and int(found[1]) >= 10


def test_a_clock_that_nobody_steers_is_never_back(built: Path) -> None:
    printed = in_sim(built / "tickbench-sim", "scenario=discipline", *SHORT, "policy=free")
    assert "# freq_step_back_s: never" in printed and "# phase_step_back_s: never" in printed
    assert "# lock_s: never" in printed


def test_the_peaks_are_the_largest_errors_of_each_piece(built: Path, tmp_path: Path) -> None:
    """Of a run of which each sample is kept, and of the parts that the other metrics are of."""
    path = tmp_path / "samples"
    found = metrics(built, "duration=128", "hz=100", "white_ns=10", "samples=1", "--samples", str(path))
    peaks = [found[f"peak_{n:03d}_ns"] for n in range(128)]
    (record,) = samples.read(path)
    assert record.decimation == 0
    piece = np.minimum(record.seconds.astype(int), 127)
    # A sample on a boundary may be of either of two pieces, by a cycle.
    inside = np.abs(record.seconds - np.rint(record.seconds)) > 1e-6
    largest = [float(np.max(np.abs(record.error_ns[inside & (piece == n)]))) for n in range(128)]
    assert all(peak >= each for peak, each in zip(peaks, largest))
    assert sum(peak == pytest.approx(each, abs=1e-6) for peak, each in zip(peaks, largest)) > 100
    assert max(peaks[16:80]) == found["max_abs_ns"] and max(peaks[80:104]) == found["freq_step_max_ns"]
    assert max(peaks[104:]) == found["phase_step_max_ns"]


@pytest.mark.parametrize("words", [("phase_by=at-once",), ("phase_by=linear", "jump_ns=900000", "step_ns=2000000"),
                                   ("phase_at=last", "phase_unit=ns"), ("policy=chrony",), ("policy=pll",)],
                         ids=lambda words: words[0])
def test_a_lifted_7_3_is_disciplined_as_the_native_core(built: Path, words: tuple[str, ...]) -> None:
    """Every figure, to the last digit: the rules of the phase, and adjtimex."""
    program = lifted(Kernel("7.3"), 1000, "tickbench-sim").folder / "tickbench-sim"
    asked = ("scenario=discipline", "duration=320", "white_ns=10", "samples=0", *words)
    of_kernel = [line for line in said(in_sim(program, "core=linux", *asked)) if "# metric" in line]
    assert of_kernel == [line for line in said(in_sim(built / "tickbench-sim", *asked)) if "# metric" in line]
    assert len(of_kernel) > 30


class TestRecords:
    def test_the_true_time_is_as_recorded_and_the_straight_line_does_not_count(
            self, built: Path, tmp_path: Path) -> None:
        path = tmp_path / "record"
        seconds = np.arange(0, 1600, 0.5)
        ahead = 20_000 * np.sin(2 * np.pi * seconds / 1600)  # ns; and 37 ppm, of a counter of 2 GHz
        path.write_text("# counter seconds\n" + "".join(
            f"{round(at * 2e9) + 5} {1_700_000_000 + int(ns // 10**9)}.{int(ns) % 10**9:09d}\n"
            for at, ns in ((at, round(at * 1e9 * (1 + 37e-6) + a)) for at, a in zip(seconds, ahead))))
        series = free_error(built, tmp_path, "duration=1590", f"record={path}")
        at = np.arange(len(series.x)) * series.tau0
        rest = series.x - np.polyval(np.polyfit(at, series.x, 1), at)
        wanted = -20_000 * np.sin(2 * np.pi * (at + 8) / 1600)  # the host has measured for 8 s
        wanted -= np.polyval(np.polyfit(at, wanted, 1), at)
        assert float(np.max(np.abs(rest - wanted))) < 60

    @pytest.mark.parametrize("text, says", [
        ("", "fewer than three"), ("1 1.5\n2 2.5\n", "fewer than three"), ("1 x\n", "line 1: not a counter"),
        ("5 1.5\n4 2.5\n", "line 2: the counter or the time does not go forward"),
        ("5 1.5\n6 1.5\n", "line 2: the counter or the time does not go forward"),
        ("5 1.5\n6 9999999.5\n", "longer than 100 days"), ("5\n", "not a counter"), ("5 1.-5\n", "not a counter")])
    def test_what_is_no_record_is_refused_with_its_line(
            self, built: Path, tmp_path: Path, text: str, says: str) -> None:
        path = tmp_path / "record"
        path.write_text(text)
        ended = subprocess.run([str(built / "tickbench-sim"), "scenario=discipline", f"record={path}"],
                               capture_output=True, text=True)
        assert ended.returncode == 2 and says in ended.stderr and str(path) in ended.stderr

    def test_a_recorded_tick_comes_as_late_as_it_came(self, built: Path, tmp_path: Path) -> None:
        path = tmp_path / "ticks"
        path.write_text("# ns\n0\n250000\n3000000\n")
        ended = subprocess.run([str(built / "tickbench-sim"), "--json", "scenario=lock", "duration=10",
                                f"ticks={path}"], capture_output=True, text=True)
        found = json.loads(ended.stdout)["metrics"]
        assert ended.returncode == 0 and found["late_tick_max_us"] == pytest.approx(3000, abs=0.001)
        # Three ticks of 1, 1 and 4 ms: the third takes the place of those after it.
        assert found["late_tick_mean_us"] == pytest.approx(3250 / 3, rel=0.01)
        assert found["ticks"] == pytest.approx(10_000 * 3 / 6, abs=3)

    def test_a_guests_own_ticks_are_recorded_and_come_again(
            self, built: Path, run_qemu: Callable[..., Ended], tmp_path: Path) -> None:
        path = tmp_path / "ticks"
        ended = run_qemu("--accel", "tcg", "--record-ticks", str(path), "clock=tsc", "scenario=lock", "hz=100",
                         "duration=1")
        assert ended.status in (0, 1), ended.stderr
        late = [int(line) for line in path.read_text().splitlines()[1:]]
        report = json.loads((ended.output / "report.json").read_text())["runs"][0]["metrics"]
        assert len(late) == report["ticks"] and max(late) / 1000 == pytest.approx(report["late_tick_max_us"], abs=0.01)
        again = subprocess.run([str(built / "tickbench-sim"), "--json", "scenario=lock", "hz=100", "duration=30",
                                f"ticks={path}"], capture_output=True, text=True)
        replayed = json.loads(again.stdout)["metrics"]
        assert replayed["late_tick_max_us"] == pytest.approx(max(late) / 1000, abs=0.01)

    def test_the_publisher_records_its_clock(self, built: Path, tmp_path: Path) -> None:
        path = tmp_path / "host"
        command = [str(built / "vmclock-host"), "--page", str(tmp_path / "page"), "--record", str(path), "--duration",
                   "1", "--warm-up", "0.5"]
        subprocess.run(command, check=True, capture_output=True)
        pairs = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
        assert 8 <= len(pairs) <= 20
        assert all(int(a[0]) < int(b[0]) and float(a[1]) < float(b[1]) for a, b in zip(pairs, pairs[1:]))
        found = metrics(built, f"record={path}", "hz=100", "duration=16")
        assert found["page_rms_ns"] > 0
        again = subprocess.run(command, capture_output=True, text=True)
        assert again.returncode == 2 and "File exists" in again.stderr

    @pytest.mark.parametrize("way", ["pvh", "uefi"])
    def test_a_guest_takes_the_same_files_and_has_the_same_samples(
            self, built: Path, run_qemu: Callable[..., Ended], tmp_path: Path, way: str) -> None:
        """Of the same record, ticks and seed: each metric and each sample, to the last bit, by both ways in."""
        host, ticks = tmp_path / "host", tmp_path / "ticks"
        host.write_text("# a host\n\n" + "".join(
            f"{n * 1000} {1000 + n * 0.4:.1f}00000{n * n % 97:03d}\r\n" for n in range(1, 400)))
        ticks.write_text("".join(f"{n * 7919 % 2_000_000}\n" for n in range(3000)) + "9")  # the last line ends so
        words = ("scenario=discipline", "clock=virtual", "policy=reference", "phase_by=at-once", "white_ns=10",
                 "seed=3", "hz=250", "duration=16", f"record={host}", f"ticks={ticks}")
        guest = run_qemu("--accel", "tcg", "--boot", way, "--timeout", "100", *words)
        assert guest.status == 0, guest.stderr
        kept = tmp_path / "samples"
        sim = subprocess.run([str(built / "tickbench-sim"), "--samples", str(kept), *words], capture_output=True,
                             text=True)
        assert sim.returncode == 0, sim.stderr

        def said(text: str) -> list[str]:
            return [line for line in text.splitlines() if "# metric" in line or "ok " in line]

        assert said(sim.stdout) == said((guest.output / "serial.log").read_text()) and len(said(sim.stdout)) > 30
        assert kept.read_bytes() == (guest.output / "samples.bin").read_bytes() and kept.stat().st_size > 50_000
        # Both files had an effect.
        without = subprocess.run([str(built / "tickbench-sim"), *words[:-2]], capture_output=True, text=True)
        assert not set(said(without.stdout)) & {line for line in said(sim.stdout) if "rms_ns" in line}

    def test_a_guest_says_what_is_wrong_with_its_files(self, run_qemu: Callable[..., Ended], tmp_path: Path) -> None:
        bad = tmp_path / "bad"
        bad.write_text("1\n2\n\nthree\n")
        ended = run_qemu("--accel", "tcg", "clock=virtual", "scenario=discipline", f"ticks={bad}")
        assert ended.status == 2 and "line 4: not a delay in ns" in ended.stderr

    def test_ffevents_become_pairs(self, tmp_path: Path) -> None:
        def feed(counter: int, source: object = "Phc", **data: int) -> str:
            measured: object = {"counter_pre": counter - 50, "counter_post": counter + 50, "data": data}
            for name in reversed(source if isinstance(source, list) else [source]):
                measured = {name: measured} if name == "Phc" else {"Server": [name, measured]}
            return json.dumps({"event": "feed", "seq": 1, "input": measured, "output": {"tsc": 1, "time": 10**18}})

        lines = [json.dumps({"event": "init", "message": "x"}), feed(7, time=1_700_000_000 * 10**15),
                 json.dumps({"event": "disruption", "message": "x"}),
                 *(feed(1000 * n, time=(1_700_000_000 + n) * 10**15 + 123) for n in range(1, 4)),
                 feed(3500, time=1_700_000_002 * 10**15),  # back
                 feed(4000, "192.0.2.1", server_recv_time=(1_700_000_005) * 10**9,
                      server_send_time=1_700_000_005 * 10**9 + 200),
                 feed(4100, "192.0.2.2", server_recv_time=(1_700_000_005) * 10**9,
                      server_send_time=1_700_000_005 * 10**9),
                 feed(5000, time=1_700_000_005 * 10**15)]
        path = tmp_path / "ffevents.log"
        path.write_text("\n".join(lines) + "\n")
        assert records.of_ffevents(path.read_text(), path).splitlines() == [
            *(f"{1000 * n} {1_700_000_000 + n}.000000000000" for n in range(1, 4)), "5000 1700000005.000000000000"]
        # A server of which there is more is taken instead, and only that one: the middle of its two times.
        path.write_text("\n".join((*lines, *(
            feed(6000 + n, f"192.0.2.{1 + n % 2}", server_recv_time=(1_700_000_006 + n) * 10**9,
                 server_send_time=(1_700_000_006 + n) * 10**9 + 200) for n in range(12)))) + "\n")
        assert records.of_ffevents(path.read_text(), path).splitlines() == [
            "4000 1700000005.000000100000", *(f"{6000 + n} {1_700_000_006 + n}.000000100000" for n in range(0, 12, 2))]

    def test_a_kept_record_is_named_by_its_content(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        path.write_text("1 1\n2 2\n3 3\n")
        word = records.kept(f"record={path}", tmp_path / "build")
        assert Path(word.removeprefix("record=")).read_text() == path.read_text()
        path.write_text("1 1\n2 2\n4 3\n")
        assert records.kept(f"record={path}", tmp_path / "build") != word
        assert records.kept("white_ns=10", tmp_path) == "white_ns=10"
        for bad, text in (("none", None), ("torn", "{"), ("empty", "{}")):
            if text is not None:
                (tmp_path / bad).write_text(text)
            with pytest.raises(CannotRun) as caught:
                records.kept(f"record={tmp_path / bad}", tmp_path / "build")
            assert caught.value.problem is Problem.BAD_RECORD


class TestCommand:
    def test_it_measures_each_policy_under_each_noise(
            self, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["--build", str(built), "--output", str(tmp_path / "out"), "--noise", "quiet,white", "--policies",
                     "reference:linear,phc2sys", "--vary", "page_s=1,4", *SHORT]
        assert discipline.main(arguments) == Status.PASSED
        shown = capsys.readouterr().out
        assert shown.count("phc2sys page_s=4") == 2 and "noise: white (white_ns=10)" in shown
        assert (tmp_path / "out" / discipline.PICTURE).stat().st_size > 10_000
        document = json.loads((tmp_path / "out" / "report.json").read_text())
        assert [run["cell"]["noise"] for run in document["runs"]] == ["quiet"] * 4 + ["white"] * 4
        assert document["runs"][0]["params"]["phase_by"] == "linear"
        assert discipline.main([*arguments, "--markdown"]) == Status.PASSED
        assert "| reference:linear page_s=1 |" in capsys.readouterr().out

    @pytest.mark.parametrize("words", [["--noise", "pink"], ["--policies", "phc2sys:step"], ["policy=free"],
                                       ["--vary", "page_s"], ["--policies", "reference:sideways"]])
    def test_what_it_cannot_do_is_refused(self, built: Path, words: list[str]) -> None:
        with pytest.raises(CannotRun) as caught:
            discipline.main(["--build", str(built), *words])
        assert caught.value.problem is Problem.USAGE

    def test_an_unknown_policy_is_told_by_the_program(self, built: Path) -> None:
        with pytest.raises(CannotRun, match="policy=ptp"):
            discipline.main(["--build", str(built), "--policies", "ptp"])


def test_the_figures_of_the_document_are_the_commands(built: Path, root: Path) -> None:
    """One row of its first table: a change of the core, of a policy or of the noise has to be made there too."""
    text = (root / "docs" / "discipline.md").read_text()
    table = text.split("noise: temperature", 1)[1].split("\n\n", 2)[1].splitlines()
    titles = [cell.strip() for cell in table[0].split("|")[1:-1]]
    row = next(line for line in table if line.startswith("| reference:step |"))
    shown = dict(zip(titles, (cell.strip() for cell in row.split("|")[1:-1])))
    found = metrics(built, "policy=reference", "phase_by=step", "wander_ppb=20", "wander_s=600")
    assert shown["rms ns"] == f"{found['rms_ns']:.2f}" and shown["max ns"] == f"{found['max_abs_ns']:.2f}"
    assert shown["freq step: max ns"] == f"{found['freq_step_max_ns']:.1f}"
    assert shown["TDEV 1 s ns"] == f"{found['tdev_1e3_ns']:.3f}"

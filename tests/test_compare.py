# SPDX-License-Identifier: GPL-2.0-or-later
"""compare: what is compared, the verdict whether a difference is more than two runs of one core differ by, what is
refused, the picture, and the page in a browser."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Callable, Sequence
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import ROOT, need, plain_environment
from runner import simulate
from runner.errors import CannotRun, Problem
from runner.report import plot, report, samples
from runner.report.reasons import figure
from runner.study import compare, comparison, page, subjects
from runner.study.comparison import Value, difference

STEP = 0.154742


def run(switches: str = "all", clock: str = "virtual", number: int = 0, file: str | None = "samples.bin",
        params: dict[str, str] | None = None, **metrics: float) -> dict[str, Any]:
    """A run as report.json has it."""
    return {
        "core": "native", "kernel": None, "switches": switches, "vehicle": "sim", "accel": None, "boot": None,
        "qemu": None, "clock": clock, "counter_hz": 10**9, "counter_source": "given", "hz": 1000, "tick": "virtual",
        "scenario": "lock", "ok": True, "skipped": None, "claims": [], "notes": [], "samples": file, "seconds": 1.0,
        "params": {"scenario": "lock", "hz": "1000", "duration_ms": "1000", "tickless": "0", "run": str(number),
                   **(params or {})},
        "metrics": {"max_abs_ns": 1.0, "rms_ns": 0.5, "mult_step_ns": STEP, **metrics}}


def record(error_ns: Any, number: int = 0, cut: int = 0) -> bytes:
    """Samples of a counter of 1 GHz, a millisecond apart."""
    pairs = b"".join(struct.pack("<Qq", n * 10**6, int(each * 10**6)) for n, each in enumerate(error_ns))
    head = struct.pack("<8sIIIIQQ24s", b"TBSAMPL1", number, len(error_ns), 0, 0, 10**9, 0, b"lock")
    return head + pairs[:len(pairs) - cut]


def written(folder: Path, *runs: dict[str, Any], data: bytes | None = None) -> Path:
    """A report in a folder of its own, with samples beside it."""
    folder.mkdir(exist_ok=True)
    report.write({"schema": 1, "runs": list(runs)}, folder / "report.json")
    if data is not None:
        (folder / "samples.bin").write_bytes(data)
    return folder / "report.json"


def noise(scale: float, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=4000) * scale


def folders(build: Path, output: Path) -> list[str]:
    return ["--build", str(build), "--output", str(output / "out")]


def command(*words: object, build: Path, output: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "tickbench"), "compare", "--build", str(build), "--output", str(output), *map(str, words)],
        capture_output=True, text=True, timeout=100, cwd=ROOT, env=plain_environment())


class TestTheVerdict:
    @pytest.mark.parametrize("first, other, virtual, more", [
        (Value(1.0, 0.0, 1), Value(1.0, 0.0, 1), True, False),
        (Value(1.0, 0.0, 1), Value(1.0 + 1e-15, 0.0, 1), True, True),  # nothing on this clock is chance
        (Value(1.0, 0.5, 3), Value(1.4, 0.1, 3), False, False),
        (Value(1.0, 0.1, 3), Value(1.4, 0.5, 3), False, False),
        (Value(1.0, 0.3, 3), Value(1.4, 0.3, 3), False, True),
        (Value(1.0, 0.0, 1), Value(9.0, 0.3, 3), False, None)])
    def test_a_difference_is_judged_by_what_repetitions_differ(
            self, first: Value, other: Value, virtual: bool, more: bool | None) -> None:
        found = difference(first, other, virtual)
        assert found is not None and found.more is more

    def test_a_metric_that_one_lacks_has_no_difference(self) -> None:
        assert difference(Value(None, 0.0, 1), Value(1.0, 0.0, 1), True) is None

    def test_repetitions_have_a_mean_and_a_spread(self) -> None:
        of = [comparison.Statistics(subjects.Measured(run(max_abs_ns=value), None)) for value in (1.0, 4.0, 2.5)]
        assert comparison.value(comparison.METRICS[0], of) == Value(2.5, 3.0, 3)

    def test_better_and_worse_are_said_by_distance_from_zero(self) -> None:
        one, two = subjects.Subject("one"), subjects.Subject("two")
        one.add(subjects.Measured(run(max_abs_ns=3.0, rms_ns=0.1, drift_ns_per_s=-2.0), None))
        two.add(subjects.Measured(run(max_abs_ns=2.0, rms_ns=0.2, drift_ns_per_s=1.0), None))
        (each,) = one.measured
        (words,) = comparison.verdict(comparison.compare([one, two], each), ["one", "two"], figure)
        assert words == ("two against one: better in max (2.000, not 3.000 ns), drift (1.000, not -2.000 ns/s); "
                         "worse in rms (0.200, not 0.100 ns)")


class TestReports:
    def test_two_reports(self, tmp_path: Path, built: Path) -> None:
        quiet = written(tmp_path / "a", run(max_abs_ns=1.0), data=record(noise(0.1)))
        loud = written(tmp_path / "b", run("none", max_abs_ns=3.0), data=record(noise(0.5)))
        done = command("--json", quiet, loud.parent, build=built, output=tmp_path / "out")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["cores"] == ["native", "native, none"]
        (each,) = said["experiments"]
        metrics = {row["name"]: row for row in each["metrics"]}
        assert metrics["max_abs_ns"]["differences"] == [{"core": "native, none", "value": 2.0, "more": True}]
        assert metrics["oadev_1s_ppb"]["values"][1]["mean"] == pytest.approx(
            5 * metrics["oadev_1s_ppb"]["values"][0]["mean"], rel=1e-3)  # five times the noise, and the same
        assert each["curves"]["native"]["tau0_s"] == pytest.approx(0.001)
        assert (tmp_path / "out" / "compare.png").read_bytes().startswith(b"\x89PNG")

    def test_scenarios_without_an_error_are_compared_by_their_claims(self, tmp_path: Path, built: Path) -> None:
        """As the reports of two `make run` have them: adjust, leap and others follow no line."""
        for name, ok in (("a", True), ("b", False)):
            leap = run("all" if ok else "none")
            leap.update(scenario="leap", metrics={}, samples="samples.bin", claims=[
                {"sentence": "a leap second", "ok": ok, "skipped": None, "todo": None}])
            leap["params"].update(scenario="leap", run="1")
            written(tmp_path / name, run("all" if ok else "none"), leap, data=record(noise(0.1)))
        done = command("--json", tmp_path / "a", tmp_path / "b", build=built, output=tmp_path / "out")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert [each["scenario"] for each in said["experiments"]] == ["lock"]
        assert said["notes"] == ["claims alone, and no figures, have: leap",
                                 "leap, virtual clock: does not hold for native, none: a leap second"]

    def test_a_core_is_measured_as_the_report_was(self, tmp_path: Path, built: Path) -> None:
        first = command("native", "native:none", "scenario=lock", "duration=3", "hz=250", build=built,
                        output=tmp_path / "first")
        assert first.returncode == 1, first.stderr  # the switches' claims
        again = command("--json", tmp_path / "first", "native:-remainder", build=built, output=tmp_path / "again")
        said = json.loads(again.stdout)
        assert said["cores"] == ["native", "native, none", "native:-remainder"]
        (each,) = said["experiments"]
        assert (each["params"]["hz"], each["params"]["duration_ms"]) == ("250", "3000")

    def test_one_core_twice_is_the_same_on_the_virtual_clock(self, tmp_path: Path, built: Path) -> None:
        done = command("native", "native", "scenario=nohz", "duration=3", build=built, output=tmp_path / "out")
        assert done.returncode == 0 and "native #2 against native: no difference\n" in done.stdout, done.stdout

    @pytest.mark.parametrize("other, problem, words", [
        ({"params": {"hz": "250"}}, Problem.COMPARE, "hz is 1000 and 250"),
        ({"params": {"late_ns": "5"}}, Problem.COMPARE, "late_ns is 0 and 5"),
        ({"clock": "tsc"}, Problem.COMPARE, "no scenario that all were measured with"),
        ({"number": 1}, Problem.COMPARE_SAMPLES, "are not in samples.bin"),
        ({"file": None}, Problem.COMPARE_SAMPLES, "are not in a file beside its report"),
    ])
    def test_what_cannot_be_compared_is_refused(
            self, tmp_path: Path, other: dict[str, Any], problem: Problem, words: str) -> None:
        one = subjects.read(written(tmp_path / "a", run(), data=record(noise(1.0))))
        two = subjects.read(written(tmp_path / "b", run("none", **other), data=record(noise(1.0))))
        with pytest.raises(CannotRun, match=words) as caught:
            subjects.need_samples([*one, *two], subjects.shared([*one, *two]))
        assert caught.value.problem is problem

    def test_samples_that_are_cut_short_are_refused(self, tmp_path: Path) -> None:
        found = subjects.read(written(tmp_path / "a", run(samples=100), data=record(noise(1.0)[:100], cut=24)))
        with pytest.raises(CannotRun, match="cut short"):
            subjects.need_samples(found, subjects.shared(found))

    def test_samples_of_another_time_than_the_metrics_are_not_used(self, tmp_path: Path) -> None:
        (found,) = subjects.read(written(tmp_path / "a", run(samples=99), data=record(noise(1.0)[:100])))
        (each,) = found.measured
        assert found.measured[each][0].elsewhere
        assert not comparison.compare([found], each).panel.lines

    @pytest.mark.parametrize("text, words", [
        ('{"schema": 2, "runs": []}', "its schema is 2, and this reads 1"), ("{", "is not JSON"),
        ('{"schema": 1, "runs": []}', "has no run to compare")])
    def test_a_report_that_is_none(self, tmp_path: Path, built: Path, text: str, words: str) -> None:
        (tmp_path / "report.json").write_text(text)
        with pytest.raises(CannotRun) as caught:
            compare.main([*folders(built, tmp_path), str(tmp_path), "native"])
        assert words in caught.value.words()

    @pytest.mark.parametrize("given, words", [
        (["native"], "native is not two things to compare"), (["absent.json", "native"], "cannot read absent.json"),
        (["native", "no-such-tree"], "there is no tree"), (["native", "native:swkew"], "has no switch \"swkew\""),
        (["scenario=lock"], "scenario=lock needs two cores"), (["--rounds", "0"], "--rounds 0"),
        (["hz=100", "+", "hz=250"], "nothing is not two things"),
        (["native", "native:none", "--picture", "a.gif"], "ends neither with"),
        (["native", "native:none", "scenario=lock", "hz=0"], "tickbench-sim failed")])
    def test_bad_words(self, tmp_path: Path, built: Path, given: list[str], words: str) -> None:
        with pytest.raises(CannotRun, match=words):
            compare.main([*folders(built, tmp_path), *given])

    def test_a_file_is_a_report_and_not_a_parameter(self, tmp_path: Path) -> None:
        path = tmp_path / "hz=250"
        path.touch()
        assert compare.parse([str(path), "native", "hz=100", "+", "hz=250"]) == compare.Asked(
            (str(path), "native"), (("hz=100",), ("hz=250",)))

    def test_labels_differ(self) -> None:
        def labels(*pairs: tuple[str, str]) -> list[str]:
            return [each.label for each in subjects.distinct([(w, subjects.Subject(label)) for w, label in pairs])]

        assert labels(("a.json", "native"), ("b.json", "native")) == ["native (a.json)", "native (b.json)"]
        assert labels(("native", "native"), ("native", "native")) == ["native", "native #2"]
        assert labels(("7.2", "linux-7.2.1"), ("7.3", "linux-7.3.4")) == ["linux-7.2.1", "linux-7.3.4"]


def test_an_interrupted_comparison_goes_on_with_what_it_measured(
        monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, built: Path) -> None:
    """It stops in the second measurement. The next command measures that one alone, has the samples of both, and
    leaves nothing for the one after it."""
    words = [*folders(built, tmp_path), "--json", "native", "native:-skew", "scenario=lock", "duration=3", "seed=77"]
    ran: list[str] = []
    watched = simulate.watched

    def counted(program: Path, of: Sequence[str], log: Path, heard: Callable[[bytes], object]) -> tuple[str, int]:
        ran.append(log.name)
        if ran == ["serial-native-1.log", "serial-native_-skew-2.log"]:
            raise KeyboardInterrupt
        return watched(program, of, log, heard)

    monkeypatch.setattr(simulate, "watched", counted)
    with pytest.raises(KeyboardInterrupt):
        compare.main(words)
    assert compare.main(words) == 0 and ran[2:] == ["serial-native_-skew-2.log"]
    said = json.loads(capfd.readouterr().out)
    assert "1 of the measurements are of an earlier command that was interrupted" in said["notes"]
    assert list(said["experiments"][0]["curves"]) == ["native", "native:-skew"]
    assert compare.main(words) == 0 and len(ran) == 5
    again = json.loads(capfd.readouterr().out)
    assert again["experiments"] == said["experiments"] and not again["notes"]


@pytest.mark.parametrize("more", [[], ["native", "native:none", "clock=tsc", "scenario=lock"]])
def test_without_a_page_all_is_skipped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                       tmp_path: Path, built: Path, more: list[str]) -> None:
    """Also then JSON is alone on stdout."""
    monkeypatch.setattr(compare.Measurement, "_boot", lambda self, *of: self.notes.append("lock was skipped: no page"))
    assert compare.main([*folders(built, tmp_path), "--json", *more]) == 4
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "skipped": ["lock was skipped: no page"]}
    assert compare.main([*folders(built, tmp_path), *more]) == 4
    assert capsys.readouterr().out == "lock was skipped: no page\n"


@pytest.mark.alone
def test_the_clocks_of_this_host(tmp_path: Path, built: Path) -> None:
    """Without cores: the guest compares the TSC with the page. TCG has no kvmclock, and the reason is told."""
    done = command("--json", "--accel", "tcg", "duration=1", build=built, output=tmp_path / "out")
    assert done.returncode in (0, 1), done.stderr  # on a busy host a claim of the real clock may fail
    found = {each["name"]: each for each in json.loads(done.stdout)["clocks"]}
    assert list(found) == ["TSC, at its nominal frequency", "core, left alone", "kvmclock",
                           "core, following the page"]
    counter, free, kvmclock, locked = found.values()
    # The core left alone runs at the counter's rate, to a step of mult (150 ppb) and late ticks' strays.
    assert abs(free["drift_ppb"] - counter["drift_ppb"]) < 10_000
    assert locked["drift_ppb"] is not None and kvmclock["drift_ppb"] is None and "KVM" in kvmclock["why"]
    assert (tmp_path / "out" / "compare.png").exists()


def panel(*labels: str) -> plot.Panel:
    seconds = np.arange(4000) / 1000
    return plot.Panel("lock", [plot.Line(label, seconds, noise(0.1, n)) for n, label in enumerate(labels)], STEP)


class TestPictures:
    @pytest.mark.parametrize("kind, begins", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
    def test_formats(self, tmp_path: Path, kind: str, begins: bytes) -> None:
        path = tmp_path / f"picture.{kind}"
        plot.save(plot.comparison([panel("one", "two")]), path)
        assert path.read_bytes().startswith(begins)

    def test_every_statistic_and_its_limit_is_drawn(self) -> None:
        figure_ = plot.comparison([panel("one", "two")])
        time, share, *taus = figure_.axes
        assert [each.get_ylabel() for each in taus] == ["OADEV, relative frequency", "TDEV, ns", "MTIE, ns"]
        assert [len(each.lines) for each in taus] == [3, 3, 3]  # two clocks and the limit
        oadev, tdev, mtie = (each.lines[-1] for each in taus)
        assert oadev.get_xdata() * oadev.get_ydata() == pytest.approx(2**0.5 * STEP * 1e-9)
        assert tdev.get_ydata() == pytest.approx((2 / 3)**0.5 * STEP) and mtie.get_ydata() == pytest.approx(STEP)
        assert {tuple(line.get_ydata()) for line in time.lines} >= {(STEP, STEP), (-STEP, -STEP)}
        assert len(share.lines) == 3
        assert [text.get_text() for text in time.get_legend().get_texts()] == [
            "one", "two", "limit of one mult step, 0.155 ns"]

    def test_a_further_line_is_over_time_alone(self) -> None:
        ends = plot.Line("ends", np.array([0.0, 4.0]), np.array([0.0, 9.0]), False)
        of = panel("one")
        figure_ = plot.comparison([plot.Panel("clocks", [*of.lines, ends], None)])
        time, share, *taus = figure_.axes
        assert [len(each.lines) for each in (time, share, *taus)] == [3, 1, 1, 1, 1]  # with the zero line

    def test_what_cannot_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(CannotRun):
            plot.save(plot.comparison([panel("one")]), tmp_path / "absent" / "a.png")


@pytest.fixture(scope="session")
def html() -> str:
    found = []
    for n, (label, worst) in enumerate((("native", 1.0), ("<script>alert(1)</script>", 30.0))):
        subject = subjects.Subject(label)
        subject.add(subjects.Measured(run(max_abs_ns=worst), samples.parse(record(noise(worst, n)))[0]))
        found.append(subject)
    (each,) = found[0].measured
    return page.of_comparison([comparison.compare(found, each)], [subject.label for subject in found], ["a <note>"])


class TestThePage:
    def test_it_names_nothing_outside(self, html: str) -> None:
        assert html.count("<script>") == 1 and "<script>alert" not in html and "a &lt;note&gt;" in html
        assert "url(http" not in html and " src=" not in html and "@import" not in html
        references = {word for part in html.split("href=\"")[1:] for word in [part.split("\"")[0]]}
        assert all(word.startswith("#") for word in references), references

    def test_a_browser_shows_and_sorts_it_offline(self, html: str, browse: Callable[[str], Seen]) -> None:
        # Sorts by the first core's column, up and then down, and by name; then tells what it sees.
        probe = """<script>
          const table = document.querySelector("table"), heads = [...table.querySelectorAll("th")];
          const column = (n) => [...table.tBodies[0].rows].map((row) => row.cells[n]);
          const told = { svgs: document.querySelectorAll("svg").length,
            wide: document.querySelector("svg").getBoundingClientRect().width, rows: table.tBodies[0].rows.length };
          for (const [name, n] of [["up", 2], ["down", 2], ["names", 0]]) {
            heads[n].querySelector("button").click();
            told[name] = n ? column(n).map((cell) => parseFloat(cell.dataset.value)) : column(n).map(
              (cell) => cell.textContent);
            told[name + "_head"] = heads.map((head) => head.getAttribute("aria-sort"));
          }
          document.title = JSON.stringify(told);
        </script>"""
        seen = browse(html.replace("</body>", probe + "</body>"))
        assert not seen.errors, seen.errors
        assert not seen.requests, seen.requests
        told = json.loads(seen.title)
        assert told["svgs"] == 1 and told["wide"] > 300 and told["rows"] > 8
        assert told["up"] == sorted(told["up"]) and told["down"] == sorted(told["up"], reverse=True)
        assert told["up"] != told["down"]
        assert told["names"] == sorted(told["names"], key=str.lower)
        assert told["up_head"][2] == "ascending" and told["down_head"][2] == "descending"
        assert told["names_head"] == ["ascending", *[None] * (len(told["names_head"]) - 1)]

    def test_the_browser_would_tell_of_errors_and_requests(self, browse: Callable[[str], Seen]) -> None:
        """Otherwise the test above could not fail."""
        seen = browse("<!DOCTYPE html><title>t</title><img src='http://127.0.0.1:9/x.png'>"
                      "<script>console.error('broken'); absent();</script>")
        assert any("broken" in line for line in seen.errors) and any("absent" in line for line in seen.errors)
        assert any("127.0.0.1:9/x.png" in url for url in seen.requests)


class Seen:
    """What a browser made of a page."""

    def __init__(self, title: str, errors: list[str], requests: list[str]) -> None:
        self.title, self.errors, self.requests = title, errors, requests


@pytest.fixture
def browse(tmp_path: Path) -> Callable[[str], Seen]:
    """Shows a page in headless Chromium; its title at the end, what its console says, and what it requests."""
    chromium = need("chromium", "chromium")

    def show(text: str) -> Seen:
        path, log = tmp_path / "page.html", tmp_path / "net.json"
        path.write_text(text)
        done = subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}",
             "--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom", path.as_uri()],
            capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        title = unescape(done.stdout.split("<title>", 1)[1].split("</title>", 1)[0])
        errors = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        return Seen(title, errors, requests_of(log.read_text()))

    return show


def requests_of(log: str) -> list[str]:
    """The addresses outside of the page's file that the page requested, by a net log. What the browser asks for
    by itself (the time, its extensions) has no page as its initiator."""
    events = json.loads(log)
    kind = events["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    jobs = [event.get("params", {}) for event in events["events"] if event["type"] == kind]
    return [job["url"] for job in jobs if job.get("initiator", "not an origin") != "not an origin"
            and not job["url"].startswith(("file:", "data:"))]

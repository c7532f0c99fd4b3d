# SPDX-License-Identifier: GPL-2.0-or-later
"""The report document, the samples, the table and the picture are made of what a vehicle printed.
Assumes fake logs; test_real_guest.py has real ones."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fakes
from runner.errors import CannotRun, Problem, Status
from runner.report import ktap, names, plot, report, samples, table
from runner.report.reasons import figure, why

GUEST = report.Vehicle("guest", "tcg", "pvh", "qemu 7.2.22")


def document(*runs: tuple[str, list[str]]) -> report.Document:
    return report.document(ktap.parse(fakes.log(*runs)), GUEST, "samples.bin", [1.5])


def record(
    run: int, pairs: list[tuple[int, int]], scenario: str = "lock", hz: int = 1000,
    count: int | None = None,
) -> bytes:
    data = samples.HEADER.pack(samples.MAGIC, run, len(pairs) if count is None else count, 0, 0, hz,
                               pairs[0][0] if pairs else 0, scenario.encode())
    return data + b"".join(struct.pack("<Qq", *pair) for pair in pairs)


class TestDocument:
    def test_it_is_valid_and_survives_a_file(self, tmp_path: Path) -> None:
        made = document(("lock", ["ok a"]), ("slew", ["not ok b"]), ("step", ["ok c # SKIP why"]))
        assert report.faults(made) == []
        report.write(made, tmp_path / "report.json")
        assert report.read(tmp_path / "report.json") == made

    def test_it_says_what_the_guest_said(self) -> None:
        run = document(("lock", ["ok a"]))["runs"][0]
        assert (run["core"], run["clock"], run["hz"], run["counter_hz"]) == (
            "native", "virtual", 1000, 2596146000)
        assert run["kernel"] is None
        assert (run["vehicle"], run["accel"], run["boot"]) == ("guest", "tcg", "pvh")
        assert run["metrics"]["max_abs_ns"] == 0.155421
        assert run["ok"] is True and run["seconds"] == 1.5

    def test_a_lifted_kernel_is_named_with_its_sources(self) -> None:
        text = fakes.log(("lock", ["ok a"])).replace(
            "# param core native", "# param core linux\n    # param kernel 7.3.4\n"
            "    # param revision v7.3-3-gabc-dirty\n    # param tree work\n"
            "    # param timekeeping_sha256 00\n    # param ntp_sha256 11")
        run = report.document(ktap.parse(text), GUEST)["runs"][0]
        assert run["kernel"] == {"tree": "work", "release": "7.3.4", "revision": "v7.3-3-gabc-dirty",
                                 "timekeeping_sha256": "00", "ntp_sha256": "11"}
        assert names.core_words(run).startswith("work 7.3.4 v7.3-3-gabc-dirty")

    def test_two_revisions_of_one_release_have_two_names(self) -> None:
        assert names.kernel_name("linux-7.2.12", "7.2.12", "7.2.12-1~bpo13+1") == "linux-7.2.12-1~bpo13+1"
        assert names.kernel_name("linux", "7.2.12", "v1-dirty") == "linux 7.2.12 v1-dirty"
        assert names.kernel_name("linux@v1", "7.2.12", "v1") == "linux@v1 7.2.12"
        assert names.kernel_name("linux", "7.2.12", "") == "linux 7.2.12"
        # A report of before trees were named.
        assert names.kernel_name("", "7.2.12", "") == "linux-7.2.12"

    def test_a_pipe_gets_the_whole_reason(self) -> None:
        claim = "not ok the told time stays within one mult step over the longest tick of the line that it follows"
        text = fakes.log(("lock", [claim])).replace(
            "# param core native", "# param core linux\n    # param tree a-tree-with-a-long-name@v7.3-rc1-topic")
        runs = report.document(ktap.parse(text), GUEST)["runs"]
        piped = table.console()
        with piped.capture() as taken:
            table.show(runs, piped)
        assert not piped.is_terminal
        shown = " ".join(taken.get().split())
        assert claim.removeprefix("not ok ") in shown

    @pytest.mark.parametrize(("change", "fault"), [
        ({"core": 5}, "core"), ({"core": "other"}, "core"), ({"hz": "1000"}, "hz"),
        ({"ok": 1}, "ok"), ({"metrics": {"rms_ns": "0.1"}}, "metrics.rms_ns"),
        ({"metrics": {"rms_ns": True}}, "metrics.rms_ns"), ({"seconds": True}, "seconds"),
    ])
    def test_each_fault_is_named(self, change: dict[str, Any], fault: str) -> None:
        made = document(("lock", ["ok a"]))
        made["runs"][0].update(change)
        assert len(report.faults(made)) == 1 and fault in report.faults(made)[0]

    def test_a_missing_field_is_named(self) -> None:
        for name in report.FIELDS:
            made = document(("lock", ["ok a"]))
            del made["runs"][0][name]
            assert report.faults(made)

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(),
                        lambda each: st.lists(each) | st.dictionaries(st.text(), each)))
    def test_whatever_json_is_judged_without_an_exception(self, value: Any) -> None:
        assert report.faults(value)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 2, "runs": []}'])
    def test_what_is_no_report_is_refused_with_words(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "report.json"
        path.write_text(text)
        with pytest.raises(CannotRun) as caught:
            report.read(path)
        assert caught.value.problem is Problem.BAD_REPORT

    def test_the_schemas_document_names_every_field(self, root: Path) -> None:
        text = (root / "docs" / "report.md").read_text()
        for name in report.FIELDS:
            assert f"`{name}`" in text


class TestSamples:
    def test_records_are_read_as_written(self) -> None:
        data = record(0, [(1000, 5_000_000), (2000, -7_500_000)]) + record(1, [], "slew")
        first, second = samples.parse(data)
        assert first.scenario == "lock" and second.scenario == "slew"
        assert list(first.seconds) == [0.0, 1.0]
        assert list(first.error_ns) == [5.0, -7.5]
        assert first.whole and len(second.seconds) == 0

    def test_a_counter_that_wraps_goes_on(self) -> None:
        (only,) = samples.parse(record(0, [(2**64 - 1000, 0), (0, 0)]))
        assert list(only.seconds) == [0.0, 1.0]

    def test_a_cut_record_gives_what_is_whole(self) -> None:
        data = record(0, [(0, 1), (1, 2), (2, 3)])
        (only,) = samples.parse(data[:-1])
        assert len(only.seconds) == 2 and not only.whole

    @given(st.binary(max_size=300))
    def test_garbage_is_no_record(self, data: bytes) -> None:
        assert samples.parse(data) == [] or data.startswith(samples.MAGIC)
        samples.parse(samples.MAGIC + data)


class TestTable:
    def render(self, made: report.Document, width: int | None = None) -> str:
        console = table.console(width)
        with console.capture() as capture:
            table.show(made["runs"], console)
        return capture.get()

    def test_it_tells_clock_core_nanoseconds_and_why(self) -> None:
        text = self.render(document(("lock", ["ok a"])))
        for word in ("virtual", "native", "1000", "lock", "0.155", "pass", "mult step", "1 of 1 runs"):
            assert word in text

    def test_a_failure_names_the_claim(self) -> None:
        text = " ".join(self.render(document(("lock", ["ok a", "not ok it stays"]))).split())
        assert "FAIL" in text and "it stays" in text

    def test_lines_fit(self) -> None:
        made = document(("lock", ["not ok " + "it is a long sentence " * 9]))
        made["runs"][0]["metrics"]["drift_ns_per_s"] = -20.123
        made["runs"][0]["switches"] = "clawback,tail,divzero,reference,feed,skew"
        for width in (80, table.NARROW):
            text = self.render(made, width)
            assert max(map(len, text.splitlines())) <= width
            assert "-20.123" in text and "sentence" in text

    def test_a_drift_is_put_down_to_what_is_off(self) -> None:
        run = document(("lock", ["ok a"]))["runs"][0]
        run["switches"], run["metrics"]["drift_ns_per_s"] = "clawback,reference,feed", 64.6
        assert why(run).startswith("drifts: remainder, skew off")

    @pytest.mark.parametrize(("claims", "status"), [
        (["ok a"], Status.PASSED), (["not ok a"], Status.FAILED), (["ok a # SKIP x"], Status.SKIPPED)])
    def test_status(self, claims: list[str], status: Status) -> None:
        assert table.status(document(("lock", claims))["runs"]) is status
        mixed = document(("lock", claims), ("slew", ["ok b"]))["runs"]
        assert table.status(mixed) is (Status.PASSED if status is Status.SKIPPED else status)

    @given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
    def test_a_figure_that_is_not_zero_never_reads_as_zero(self, value: float) -> None:
        assert (float(figure(value)) == 0) == (value == 0)


class TestPicture:
    def test_an_envelope_loses_no_peak(self) -> None:
        x = np.arange(100_000, dtype=float)
        y = np.zeros_like(x)
        y[54_321], y[12_345] = 9.0, -7.0
        at, low, high = plot.envelope(x, y, 1000)
        assert len(at) == 1000 and high.max() == 9.0 and low.min() == -7.0

    def test_it_is_a_png(self, tmp_path: Path) -> None:
        data = record(0, [(n, n % 7 * 10**5) for n in range(100)]) + record(1, [(5, 5)], "slew")
        assert plot.draw(samples.parse(data), document(("lock", ["ok a"]))["runs"], tmp_path / "e.png")
        assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")

    def test_nothing_is_not_drawn(self, tmp_path: Path) -> None:
        assert not plot.draw(samples.parse(record(0, [])), [], tmp_path / "e.png")
        assert not (tmp_path / "e.png").exists()


def test_show_prints_reports_one_below_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from runner import cli

    for name, claims in (("a", ["ok x"]), ("b", ["not ok y"])):
        (tmp_path / name).write_text(json.dumps(document((f"lock{name}", claims))))
    assert cli.main(["show", str(tmp_path / "a"), str(tmp_path / "b")]) == Status.FAILED
    shown = capsys.readouterr().out
    assert shown.index("locka") < shown.index("lockb")
    assert "1 of 2 runs passed, 1 failed" in shown


@pytest.mark.parametrize("scenario", ["all", "recalibrate", "rate", "discipline"])
def test_every_metric_is_documented(built: Path, root: Path, scenario: str) -> None:
    printed = subprocess.run([str(built / "tickbench-sim"), f"scenario={scenario}", "duration=20"],
                             capture_output=True, text=True).stdout
    names = {name for run in ktap.parse(printed).runs for name in run.metrics}
    text = (root / "docs" / "report.md").read_text()
    # The slew's figures come by direction and by time: one of each is described.
    names = {re.sub(r"_after_\d+s_", "_after_10s_", name).replace("minus_", "plus_") for name in names}
    names = {re.sub(r"_1e\d+_", "_1eK_", name) for name in names}  # a decade of tau each
    names = {re.sub(r"peak_\d{3}_", "peak_NNN_", name) for name in names}
    assert names
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


class TestComparisons:
    """A lifted core beside others, as `run` has it: rows below those of the runs."""

    WORDS = {True: "native: equal over 1,000,000 ticks: 28 fields, 140 readings", False: "HEAD: differs in mult",
             None: "HEAD: not compared: it does not compile"}

    def compared(self, equal: bool | None, decides: bool = True) -> dict[str, Any]:
        words = self.WORDS[equal]
        kernel = {"tree": "work", "release": "7.3.4", "revision": None}
        return {"core": "linux", "kernel": kernel, "hz": 1000, "against": words.split(":")[0], "decides": decides,
                "equal": equal, "words": words}

    def test_a_row_says_whether_it_is_equal_and_over_what(self, capsys: pytest.CaptureFixture[str]) -> None:
        runs = document(("lock", ["ok a"]))["runs"]
        table.show(runs, table.console(118), [self.compared(True), self.compared(False), self.compared(None)])
        rows = [line for line in capsys.readouterr().out.splitlines() if " as " in line]
        assert ["as native" in rows[0], "pass" in rows[0], "equal over 1,000,000" in rows[0]] == [True] * 3
        assert "as HEAD" in rows[1] and "differs" in rows[1] and "work 7.3.4" in rows[1]
        assert "as HEAD" in rows[2] and "pass" not in rows[2] and "differs" not in rows[2]

    def test_only_the_one_that_decides_makes_the_status_3(self) -> None:
        runs = document(("lock", ["ok a"]))["runs"]
        failed = document(("lock", ["not ok a"]))["runs"]
        differs, aside = self.compared(False), self.compared(False, decides=False)
        assert table.status(runs, [differs]) is Status.DIFFERS and table.status(failed, [differs]) is Status.FAILED
        assert table.status(runs, [aside, self.compared(True)]) is Status.PASSED
        assert table.status(runs, [self.compared(None)]) is Status.PASSED

    def test_they_survive_a_file_and_a_merge_and_are_checked(self, tmp_path: Path) -> None:
        one = document(("lock", ["ok a"])) | {"comparisons": [self.compared(True)]}
        report.write(one, tmp_path / "report.json")
        assert report.merge([report.read(tmp_path / "report.json")] * 2)["comparisons"] == [self.compared(True)] * 2
        assert "comparisons" not in report.merge([document(("lock", ["ok a"]))])
        assert report.faults(one | {"comparisons": [{**self.compared(True), "equal": "yes"}]}) == [
            "comparisons[0]: equal is missing or wrong"]

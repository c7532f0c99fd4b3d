# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder and the benchmarks: that they measure what they say, on short runs. Their figures stand in
docs/ladder.md and are not asserted here as seconds."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT
from liftable import Kernel, lifted
from runner.errors import CannotRun
from runner.study import bench, ladder


@pytest.fixture(scope="session")
def rungs(built: Path) -> dict[str, ladder.Rung]:
    return {rung.label: rung for rung in ladder.native_rungs(built / "tickbench-sim")}


@pytest.fixture(scope="session")
def tsc(rungs: dict[str, ladder.Rung]) -> dict[str, ladder.Figures]:
    """Some rungs on the TSC, 100 s each."""
    wanted = ("native, all", "all but remainder", "all but clawback", "all but divzero", "+ tail",
              "reference and feed")
    return {label: ladder.measure(rungs[label], 2_596_146_000, 100) for label in wanted}


def test_every_switch_is_removed_and_added_once(rungs: dict[str, ladder.Rung]) -> None:
    for switch in ladder.SWITCHES:
        without = rungs[f"all but {switch}"].arguments[0].removeprefix("switches=").split(",")
        assert sorted([*without, switch]) == sorted(ladder.SWITCHES)
    added = {rungs[label].arguments[0].removeprefix("switches=").split(",")[-1]
             for label in rungs if label.startswith(("+ ", "only "))}
    assert added == set(ladder.SWITCHES)


def test_remainder_is_worth_its_64_ns_a_second(tsc: dict[str, ladder.Figures]) -> None:
    drift = 1083830 / 2**24 * 1000  # R, each of 1000 ticks
    for mode in range(3):
        assert abs(tsc["native, all"].errors[mode][0]) < 0.001
        assert tsc["all but remainder"].errors[mode][0] == pytest.approx(drift, abs=0.05)


def test_clawback_shows_with_late_ticks_alone(tsc: dict[str, ladder.Figures]) -> None:
    on_time, late, tickless = range(3)
    whole, without = tsc["native, all"].errors, tsc["all but clawback"].errors
    assert without[on_time] == whole[on_time] and without[tickless] == whole[tickless]
    # A random walk of what each change of mult takes back; without it, two steps at the most.
    assert whole[late][1] < 2 * 2596146 / 2**24 < 1 < without[late][1]


def test_divzero_and_tail_show_in_their_columns(tsc: dict[str, ladder.Figures]) -> None:
    assert tsc["native, all"].recalibrates == "is skipped"
    assert tsc["all but divzero"].recalibrates == "divides by zero"
    # The share is time_offset / 2^4: what is below 16 is never shared without the tail.
    assert 0 < (tsc["reference and feed"].left or 0) < 16
    assert tsc["+ tail"].left == 0


def test_tables_go_into_a_new_document_and_again_into_that(tmp_path: Path) -> None:
    path = tmp_path / "new.md"
    ladder.write_tables(path, "first\n")
    ladder.write_tables(path, "second\n")
    assert "second" in path.read_text() and "first" not in path.read_text()
    with pytest.raises(CannotRun, match="cannot write"):
        ladder.write_tables(tmp_path, "a folder")
    path.write_text("no marks")
    with pytest.raises(CannotRun, match="<!-- tables -->"):
        ladder.write_tables(path, "third")


def test_a_kernel_whose_tick_does_not_end_is_told_so() -> None:
    program = lifted(Kernel("7.3"), 1000).folder / "tickbench-sim"
    assert ladder._recalibrates(ladder.linux_rung("7.3", program), 1_000_000_000) == "does not end"


def test_markdown_has_a_cell_for_each_column(tsc: dict[str, ladder.Figures]) -> None:
    lines = ladder.markdown("title", list(tsc.items())).splitlines()
    assert len({line.count("|") for line in lines[2:]}) == 1
    assert len(ladder.cells(tsc["native, all"])) == len(ladder.COLUMNS)


def test_no_figure_is_cut_where_there_is_no_terminal(tsc: dict[str, ladder.Figures]) -> None:
    made = ladder.shown("title", list(tsc.items()))
    console = ladder.wide_enough(made)
    with console.capture() as captured:
        console.print(made)
    assert "\u2026" not in captured.get()
    for label, figures in tsc.items():
        assert any(line.strip().startswith(label) and all(cell in line for cell in ladder.cells(figures))
                   for line in captured.get().splitlines()), label


def test_tables_are_replaced_between_their_marks_only() -> None:
    document = "a\n<!-- tables -->\nold\n<!-- end of tables -->\nb\n"
    once = ladder.replace_tables(document, "new\n")
    assert once == "a\n<!-- tables -->\n\nnew\n\n<!-- end of tables -->\nb\n"
    assert ladder.replace_tables(once, "new\n") == once
    with pytest.raises(CannotRun):
        ladder.replace_tables("no marks", "new\n")


def test_the_documents_tables_have_every_rung() -> None:
    text = (ROOT / "docs/ladder.md").read_text()
    for title in ladder.COUNTERS.values():
        assert f"### {title}\n" in text
    for label in [rung.label for rung in ladder.native_rungs(Path("x"))]:
        assert text.count(f"| {label} |") == len(ladder.COUNTERS)


def test_bench_measures_native_and_guest(built: Path) -> None:
    hz = bench.tsc_hz(built / "tickbench.elf")
    assert 10**8 < hz < 10**10
    lines = bench.sim_rates(built / "tickbench-sim", [], hz) + bench.guest(built / "tickbench.elf")
    assert [line.what.split(",")[0] for line in lines] == [
        "native", "QEMU's start to the first KTAP line", "native"]
    assert all(float(re.findall(r"[\d.]+", line.figure)[0]) > 0 for line in lines)


def test_bench_names_what_is_not_built(tmp_path: Path) -> None:
    ended = subprocess.run([str(ROOT / "tickbench"), "bench", "--build", str(tmp_path)], cwd=ROOT,
                           capture_output=True, text=True)
    assert ended.returncode == 2 and "tickbench.elf" in ended.stderr and "Traceback" not in ended.stderr

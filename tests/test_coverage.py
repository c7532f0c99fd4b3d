# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines of a kernel's core that the default checks run: the command, and the table in the document."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT
from liftable import NEWEST, lifted
from runner.errors import CannotRun
from runner.study import coverage
from runner.study.coverage import Function, Step
from runner.study.workshop import DIFF, SIM, unit_of

DOCUMENT = ROOT / "docs" / "coverage.md"
ROW = re.compile(r"^\| (\S+\.c) \| `(\w+)` \| (\d+) \| (\d+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)


def rows() -> dict[tuple[str, str], tuple[int, int, str]]:
    """Of the document: lines, per cent and reason of each function."""
    return {(row[1], row[2]): (int(row[3]), int(row[4]), row[7]) for row in ROW.finditer(DOCUMENT.read_text())}


def test_the_document_has_a_reason_for_each_function_that_is_not_run_whole() -> None:
    reasons = coverage.read_list(coverage.LIST.read_text())
    short = {key for key, (_, percent, _) in rows().items() if percent < 100}
    assert short, "nothing would be tested"
    for key in short:
        assert rows()[key][2] == reasons[key]


def test_no_reason_is_stale() -> None:
    """A reason for a function that is run whole, or that is not there, misleads."""
    short = {key for key, (_, percent, _) in rows().items() if percent < 100}
    assert set(coverage.read_list(coverage.LIST.read_text())) == short


def test_the_documents_total_is_that_of_its_rows() -> None:
    total = re.search(r": (\d+) of (\d+) lines in (\d+) functions, ([\d.]+) %", DOCUMENT.read_text())
    assert total
    assert int(total[2]) == sum(lines for lines, _, _ in rows().values()) and int(total[3]) == len(rows())
    assert float(total[4]) == pytest.approx(100 * int(total[1]) / int(total[2]), abs=0.05)


@pytest.fixture(scope="module")
def counting() -> Iterator[tuple[Path, dict[str, Path]]]:
    """A lifted core with counters, in a folder that no other worker uses, and the tree's two files."""
    done = lifted(NEWEST, 1000, DIFF, SIM)
    build = done.folder.parents[2]
    kbuild_folder = (done.folder.parent / "kbuild" / done.variant.kbuild_name).resolve()
    folder = done.folder.parent / f"coverage-{os.getpid()}"
    coverage.prepare(build, done.folder, kbuild_folder, folder)
    yield folder.resolve(), {name: unit_of(done.folder, name, kbuild_folder).path for name in coverage.UNITS}
    shutil.rmtree(folder)


def test_lines_are_counted_and_a_fresh_start_of_the_core_keeps_the_counts(
        counting: tuple[Path, dict[str, Path]]) -> None:
    """A random script starts the core afresh many times; a tick is counted for each."""
    folder, paths = counting
    step = Step("operation", "ticks", (DIFF, "--only", "ticks", "--random", "1", "20000"))
    tick = coverage.run(step, folder, paths)["timekeeping.c", "update_wall_time"]
    assert max(tick.values()) >= 20000


def test_a_function_is_reached_by_what_calls_it_and_by_nothing_else(counting: tuple[Path, dict[str, Path]]) -> None:
    folder, paths = counting
    todo = [Step("operation", name, (DIFF, "--only", name, "--random", "1", "2000")) for name in ("ticks", "settime")]
    functions = coverage.measure(todo, folder, paths, lambda words: None)
    assert functions["timekeeping.c", "do_settimeofday64"].reached["operation"] == ["settime"]
    assert functions["timekeeping.c", "update_wall_time"].reached["operation"] == ["ticks", "settime"]
    assert not functions["timekeeping.c", "aux_clock_set"].hit
    # The document names the functions that the command knows.
    assert set(functions) == set(rows())


def test_the_operations_and_the_default_scenarios_are_the_steps(counting: tuple[Path, dict[str, Path]]) -> None:
    todo = coverage.steps(counting[0], ["lock"])
    assert {("operation", "counter"), ("operation", "ticks"), ("scenario", "lock")} <= {
        (step.kind, step.name) for step in todo}


def function(lines: dict[int, int], operations: list[str]) -> Function:
    return Function("x.c", "f", lines, {"scenario": [], "operation": operations})


def test_the_table_says_what_is_missing_and_why() -> None:
    half = function({1: 3, 2: 0, 3: 0, 5: 0}, ["ticks", "read"])
    whole = function({1: 1}, ["read"])
    todo = [Step("operation", name, ("x",)) for name in ("ticks", "read", "mixed")] + [Step("scenario", "lock", ("x",))]
    reasons = {("x.c", "f"): "nobody asks"}
    assert coverage.cells(half, todo, reasons) == ["x.c", "f", "4", "25", "-", "every one", "nobody asks"]
    assert coverage.cells(whole, todo, reasons)[3:] == ["100", "-", "read", ""]
    assert coverage.ranges(half.missed) == "2-3 5"
    assert coverage.share([half, whole]) == 0.4


def test_a_broken_line_of_the_list_is_refused() -> None:
    with pytest.raises(CannotRun, match=":2: not FILE FUNCTION REASON"):
        coverage.read_list("# words\nntp.c second_overflow\n")

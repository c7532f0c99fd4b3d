# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison of any two cores in one process: ./tickbench equal."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from conftest import SECONDS, build_path, need
from liftable import Kernel, lifted
from runner.errors import CannotRun, Problem
from runner.lift import words
from runner.lift.compilers import Toolchain, adapt
from runner.lift.detect import TIMEKEEPING
from runner.lift.kbuild import Variant
from runner.study import equal, pairs
from runner.study.differ import Outcome
from variants import Edit, Varied

UM = Variant("um", 1000, True)
# Which way an error of exactly 0 is rounded.
ROUNDED: tuple[Edit, ...] = ((TIMEKEEPING, r"tk->ntp_error > 0 \?", "tk->ntp_error >= 0 ?"),)
# A shift of an int by 40 or more, whose result does not matter.
SHIFTED: tuple[Edit, ...] = ((TIMEKEEPING, r"tk->ntp_error > 0 \?",
                              "(1 << (40 + tk->ntp_error_shift)) * 0 + tk->ntp_error > 0 ?"),)


@pytest.fixture(scope="module")
def v7_3(tmp_path_factory: pytest.TempPathFactory) -> Varied:
    return Varied(Kernel("7.3"), tmp_path_factory.mktemp("v7.3"))


def command(*arguments: object, build: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(equal.BUILD.parent / "tickbench"), "equal", "--build", str(build or build_path()),
                           *map(str, arguments)], capture_output=True, text=True, timeout=SECONDS)


def of_kernels(a: str, b: str) -> pairs.Pair:
    for word in (a, b):
        if not word.startswith("native"):
            lifted(Kernel(word), UM.hz)  # or a skip that says what is missing
    return pairs.of(a, b, UM, build_path())


def test_a_core_is_equal_to_itself(built: Path) -> None:
    ended = command("native", "native", "--ticks", 300000, "--hz", 250, "--json", build=built)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["equal"] and found["hz"] == 250 and found["ticks"] >= 300000 and found["fields"] == 28
    assert found["left_out"] == [] and found["only"] == [[], []]


def test_two_copies_of_a_lifted_core_have_data_of_their_own() -> None:
    pair = of_kernels("7.3", "7.3")
    result = pairs.compare(pair, 300000)
    assert not result.differs and result.fields == 28 and result.readings > 100
    symbols = subprocess.run(["nm", pair.program[0]], capture_output=True, text=True, check=True).stdout
    # Of each: what the kernel writes, and the operations, which alone are global.
    assert len(set(re.findall(r"^(\w+) \w lift_data$", symbols, re.MULTILINE))) == 2
    assert re.findall(r"^\w+ [A-Z] (tk_[ab]|timekeeping_init)$", symbols, re.MULTILINE) == ["tk_a", "tk_b"]


@pytest.mark.parametrize("switch, fields", [("clawback", {"ntp_error"}), ("remainder", {"ntp_tick", "tick_length"})])
def test_a_switch_is_named_with_the_fields_and_a_short_script(built: Path, switch: str, fields: set[str]) -> None:
    ended = command("native", f"native:-{switch}", "--ticks", 1000000, "--json", build=built)
    assert ended.returncode == 3, ended.stderr
    found = json.loads(ended.stdout)
    assert found["because"] == [switch]
    assert {each["name"] for each in found["different"]} == fields
    assert all(each["a"] != each["b"] for each in found["different"])
    assert len(found["script"]) <= 4
    again = subprocess.run(found["replay"], shell=True, capture_output=True, text=True, timeout=SECONDS)
    # The traces: told time is equal still, the intended one is not.
    traces = r"^traces, \w+ less \w+, ns: told \+0\.0+, intended [+-]"
    assert re.search(traces, again.stdout, re.MULTILINE), again.stdout
    assert again.returncode == 1 and f"of: {found['operation']}" in again.stdout


def test_releases_of_unlike_stages_say_what_is_left_out_and_which_switch() -> None:
    pair = of_kernels("7.2", "7.3")
    result = pairs.compare(pair, 1000000)
    assert result.left_out == ("skew_delta", "time_adjust_frac") and result.lacking == pair.a.label
    assert result.unlike == ("remainder", "skew", "tail") and result.because == ("remainder",)
    words = equal.verdict(pair, result)
    assert f"left out: skew_delta and time_adjust_frac, which {pair.a.label} does not have" in words
    assert "because of the switch remainder" in words


def test_native_takes_the_switches_of_the_kernel_beside_it_unless_it_is_told() -> None:
    assert not pairs.compare(of_kernels("native", "7.2"), 300000).differs
    told = pairs.compare(of_kernels("native:none", "7.2"), 1000000)
    assert told.because == ("clawback",) and {each.name for each in told.different} == {"ntp_error"}


def test_a_changed_line_of_a_tree_is_found_where_it_first_matters(v7_3: Varied) -> None:
    lifted(Kernel("7.3"), UM.hz)
    released = pairs.side(words.parse("7.3"), UM, build_path())
    with v7_3.edited(*ROUNDED) as tree:
        edited = pairs.side(words.parse(str(tree)), UM, v7_3.build)
    pair = pairs.link(edited, released, UM.hz, v7_3.build)
    result = pairs.compare(pair, 1000000)
    assert {"mult", "ntp_err_mult"} <= {each.name for each in result.different}
    assert len(result.script) <= 4 and result.because == () and result.unlike == ()


def test_what_c_does_not_define_is_reported_by_place(v7_3: Varied) -> None:
    with v7_3.edited(*SHIFTED) as tree:
        ended = command(tree, tree, "--cflags-b", "-fsanitize=undefined", "--ticks", 50000, build=v7_3.build)
        line = next(number for number, text in enumerate((tree / TIMEKEEPING).read_text().splitlines(), 1)
                    if "(1 << (40" in text)
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert "is equal to" in ended.stdout
    place = rf"kernel/time/timekeeping\.c:{line}:\d+ \(\d+ times\)"
    assert re.search(f"undefined behaviour: a shift .*{place}", ended.stdout)


def test_clang_and_gcc_agree() -> None:
    need("clang", "clang")
    lifted(Kernel("7.3"), UM.hz)
    ended = command("7.3", "7.3", "--cc-b", "clang", "--ticks", 300000, "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert json.loads(ended.stdout)["b"].endswith(" clang")
    unit = next(build_path().glob("lift/debian-7.3*/um-1000-clang/wrap_ntp.o"))
    made = subprocess.run(["readelf", "-p", ".comment", str(unit)], capture_output=True, text=True, check=True)
    assert "clang" in made.stdout


def test_flags_that_a_compiler_does_not_know_are_dropped(tmp_path: Path) -> None:
    need("clang", "clang")
    flags = adapt(Toolchain("clang", ("-O1",)), ["gcc", "-O2", "-fconserve-stack", "-DX=1"], tmp_path)
    assert flags[0] == "clang" and flags[-1] == "-O1" and {"-O2", "-DX=1"} <= set(flags)
    assert "-fconserve-stack" not in flags


@pytest.mark.parametrize("arguments, says", [
    (("nativ", "native"), "there is no tree"),
    (("native:clawbck", "native"), "no switch"),
    (("native", "native", "--ticks", "0"), "less than 1"),
    (("native", "native", "--cc-a", "no-such-compiler"), "native is built by make"),
    (("native", "native", "--cflags-a", "-O1"), "native is built by make"),
])
def test_what_cannot_be_compared_is_refused(built: Path, arguments: tuple[str, ...], says: str) -> None:
    ended = command(*arguments, build=built)
    assert ended.returncode == 2 and says in ended.stderr and "Traceback" not in ended.stderr


def test_a_compiler_that_is_missing_is_named() -> None:
    lifted(Kernel("7.3"), UM.hz)
    with pytest.raises(CannotRun, match="no-such-cc") as ended:
        equal.main(["7.3", "7.3", "--cc-b", "no-such-cc", "--build", str(build_path())])
    assert ended.value.problem is Problem.COMPILER


def test_a_long_comparison_goes_on_where_it_was_interrupted(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "KEPT", 1)
    pair = pairs.of("native", "native", UM, built)
    pair = pairs.Pair(pair.a, pair.b, pair.program, tmp_path, pair.hz)
    ticks, done = 4 * pairs.LEAST, []

    def interrupt(outcome: Outcome) -> None:
        done.append(outcome.ticks)
        if len(done) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pairs.compare(pair, ticks, 7, 1, interrupt, pairs.Kept(pair, ticks, 7))
    again: list[Outcome] = []
    kept = pairs.Kept(pair, ticks, None)
    assert kept.seed == 7
    result = pairs.compare(pair, ticks, kept.seed, 1, again.append, kept)
    assert len(again) == 2  # of four
    assert result.ticks == sum(done) + sum(each.ticks for each in again)
    # It had its result: nothing is left of it.
    assert pairs.Kept(pair, ticks, None, 3).seed == 3


def test_a_seed_means_the_same_with_any_number_of_jobs(built: Path) -> None:
    pair = pairs.of("native", "native:-clawback", UM, built)
    one, two = (pairs.compare(pair, 4 * pairs.LEAST, 5, jobs) for jobs in (1, 2))
    assert one.script == two.script and one.different == two.different

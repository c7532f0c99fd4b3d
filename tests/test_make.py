# SPDX-License-Identifier: GPL-2.0-or-later
"""make as a thin name of ./tickbench: which variables it takes and refuses, and what its goals leave behind."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, plain_environment, processes_of
from runner.report import report, samples


def make_refuses(*variables: str) -> str:
    ended = subprocess.run(["make", "-C", str(ROOT), "-n", "run", *variables], capture_output=True,
                           text=True, env=plain_environment())
    assert ended.returncode == 2
    return ended.stderr


def test_make_refuses_a_value_that_it_would_expand(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for value in ("$(x)", "$$x", f"$(shell touch {mark})"):
        assert "LINUX has a $, which make would expand" in make_refuses(f"LINUX={value}")
    assert not mark.exists()


def test_make_takes_several_plain_values() -> None:
    ended = subprocess.run(["make", "-C", str(ROOT), "-n", "run", "SCENARIO=lock", "HZ=250", "DURATION=1"],
                           capture_output=True, text=True, env=plain_environment())
    assert ended.returncode == 0, ended.stderr
    assert all(word in ended.stdout for word in ("scenario=lock", "hz=250", "duration=1"))


def test_make_refuses_a_build_folder_with_a_blank() -> None:
    assert "without a blank in its name" in make_refuses("BUILD=a b")


@pytest.mark.parametrize("first, second", [(ROOT, Path()), (Path(), ROOT)], ids=["absolute", "relative"])
def test_a_changed_header_is_seen_under_either_name_of_the_build_folder(first: Path, second: Path) -> None:
    folder = Path("build") / f"depends-{os.getpid()}"

    def made(under: Path, *words: str) -> int:
        return subprocess.run(
            ["make", "-s", *words, f"BUILD={under / folder}", str(under / folder / "free/lib/line.o")], cwd=ROOT,
            capture_output=True, env=plain_environment()).returncode

    try:
        assert made(first) == 0
        assert made(second, "-q") == 0
        assert made(second, "-q", "-W", "lib/line.h") == 1
    finally:
        shutil.rmtree(ROOT / folder, ignore_errors=True)


@pytest.fixture
def shm(tmp_path: Path) -> Path:
    made = tmp_path / "shm"
    made.mkdir()
    return made


def test_make_run_measures_and_reports(
    built: Path, tmp_path: Path, shm: Path
) -> None:
    ended = subprocess.run(
        ["make", "-C", str(ROOT), f"BUILD={built}", "run", f"ARGS=--output {tmp_path}/out"],
        capture_output=True, text=True, timeout=400,
        env={**plain_environment(), "TICKBENCH_SHM": str(shm)})
    out = tmp_path / "out"
    assert (out / "report.json").exists(), ended.stderr
    document = report.read(out / "report.json")
    clocks = [run["clock"] for run in document["runs"]]
    assert clocks.count("tsc") == 2 and clocks.count("virtual") >= 6
    assert all(run["accel"] in ("kvm", "tcg") and run["boot"] == "pvh" for run in document["runs"])
    records = samples.read(out / "samples.bin")
    assert len(records) == len(document["runs"])
    assert all(record.whole for record in records)
    # Those that follow no line have no error against one.
    assert all(len(record.error_ns) for record, run in zip(records, document["runs"]) if "max_abs_ns" in run["metrics"])
    assert sum(len(record.error_ns) > 0 for record in records) >= 8
    assert (out / "error.png").read_bytes().startswith(b"\x89PNG")
    # Of the real clock a busy machine may fail a claim. The virtual one leaves nothing to it: there each must hold.
    failed = [run["scenario"] for run in document["runs"]
              if run["clock"] == "virtual" and not run["ok"]]
    assert not failed, ended.stdout
    assert not list(shm.iterdir()) and not processes_of(shm)


@pytest.mark.parametrize(("goal", "variable"), [
    ("run", "SCENARO=lock"), ("sim", "BOOT=uefi"), ("test", "TEST=tests/test_ktap.py"), ("image", "COMMAND=x"),
    ("soak", "TICK=1000"), ("check", "TREE=x"), ("bisect", "CLAIMS=lock"),
    ("ladder", "MARKDWON=x"), ("bench", "TREE=x")])
def test_make_refuses_a_variable_that_it_does_not_know(goal: str, variable: str, tmp_path: Path) -> None:
    ended = subprocess.run(["make", "-C", str(ROOT), f"BUILD={tmp_path}", "-n", goal, variable],
                           capture_output=True, text=True, env=plain_environment())
    assert ended.returncode == 2 and f"unknown: {variable.split('=')[0]}" in ended.stderr


@pytest.mark.parametrize(("words", "command"), [
    (("bisect", "TREE=t", "BAD=HEAD", "GOOD=v1", "CLAIM=lock.max_abs_ns < 1"),
     "--tree 't' --bad='HEAD' --good='v1' --claim 'lock.max_abs_ns < 1'"),
    (("bisect", "BAD=-clawback", "GOOD=all", "CLAIM=late", "ARGS=--switches"),
     "--bad='-clawback' --good='all' --claim 'late'   --switches"),
    (("bisect", "TREE=t", "BAD=HEAD", "GOOD=v1", "SAME_AS=v1"), "--good='v1'  --same-as 'v1'"),
    (("check", "LINUX=t", "ARGS=--json"), "--json 't'"),
    (("series", "BASE=7.2", "PATCHES=a.mbox", "ALONE=1"), "--alone"),
])
def test_a_goal_is_a_thin_name_of_its_command(words: tuple[str, ...], command: str, tmp_path: Path) -> None:
    ended = subprocess.run(["make", "-C", str(ROOT), f"BUILD={tmp_path}", "-n", *words], capture_output=True,
                           text=True, env=plain_environment())
    line = next(line for line in ended.stdout.replace("\\\n", "").splitlines() if f"./tickbench {words[0]}" in line)
    assert " ".join(command.split()) in " ".join(line.split()), line


def test_make_says_that_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = subprocess.run(["make", "-C", str(ROOT), f"BUILD={tmp_path}/file/build", "run"],
                           capture_output=True, text=True, env=plain_environment())
    assert ended.returncode == 2
    assert "cannot write to the folder" in ended.stderr and "BUILD=FOLDER" in ended.stderr


def test_make_sim_prints_the_table_of_all_scenarios(built: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        ["make", "-C", str(ROOT), f"BUILD={built}", "sim", "DURATION=60",
         f"ARGS=--output {tmp_path}"],
        capture_output=True, text=True, timeout=120, env=plain_environment())
    assert ended.returncode == 0, ended.stdout + ended.stderr
    runs = report.read(tmp_path / "report.json")["runs"]
    assert len(runs) >= 6 and all(run["vehicle"] == "sim" for run in runs)
    assert " lock " in ended.stdout and "runs passed" in ended.stdout


def test_make_sim_says_only_what_the_program_does_of_a_wrong_option(built: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        ["make", "-s", "-C", str(ROOT), f"BUILD={built}", "sim", f"ARGS=--output {tmp_path} bogus=1"],
        capture_output=True, text=True, timeout=120, env=plain_environment())
    assert ended.returncode == 2 and not ended.stdout
    assert "bogus=1: there is no such parameter" in ended.stderr and "KTAP" not in ended.stderr

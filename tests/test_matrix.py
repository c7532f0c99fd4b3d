# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench matrix`: the format's errors name line and key, cells are what their commands say, claims are held
against the stage, work that was interrupted is kept, and hosts that fail lose nothing. Hosts are folders, behind
tests/stub-ssh.sh."""

from __future__ import annotations

import copy
import json
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, plain_environment, need, processes_of
from liftable import Kernel, lifted
from runner.errors import CannotRun, Status
from runner.study import cells, matrix, matrix_report, parallel

SMALL = """\
cores = ["native", "native:none"]
[counter]
pm = { hz = 3579545, bits = 24 }
[[block]]
name = "short"
scenario = "lock"
counter = "pm"
hz = [100, 1000]
duration = 1
"""
SLOW = """\
cores = ["native"]
[[block]]
scenario = "lock"
rate_ppm = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
duration = 800
"""


@pytest.fixture
def home(tmp_path: Path, built: Path) -> Path:
    """A home folder with a build folder that has our program and nothing else."""
    need("parallel", "parallel")
    build = tmp_path / "build"
    build.mkdir()
    (build / "tickbench-sim").symlink_to(built / "tickbench-sim")
    return tmp_path


def command(home: Path, text: str, *options: str) -> tuple[list[str], dict[str, str]]:
    (home / "m.toml").write_text(text)
    return ([str(ROOT / "tickbench"), "matrix", "--build", str(home / "build"), str(home / "m.toml"), *options],
            {**plain_environment(), "HOME": str(home), "STUB_HOSTS": str(home / "hosts")})


def run(home: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    words, environment = command(home, text, *options)
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=100, cwd=home)


def kept(home: Path) -> list[str]:
    """The names of the results that are on the disk, one a line."""
    return [json.loads(line)["name"] for path in sorted((home / "build/work/matrix").glob("*/results.jsonl"))
            for line in path.read_text().splitlines()]


def refused(text: str) -> str:
    with pytest.raises(CannotRun) as caught:
        cells.parse(text, "m.toml")
    return caught.value.sentence


def test_the_default_matrix_has_what_a_maintainer_wants_to_know() -> None:
    made = cells.parse(cells.DEFAULT, "default")
    assert made.cores == ("native", "7.2", "7.3") and len(made.cells) >= 200
    of_native = [dict(cell.axes) for cell in made.cells if cell.core == "native"]
    tktest = [each for each in of_native if each["scenario"] == "regress" and each["counter"] == "1ghz"]
    assert [int(each["readings"]) for each in tktest] == [10, 100, 1000, 10000, 100000] * 2
    assert {each["tickless"] for each in tktest} == {"0", "1"}
    assert {each["counter"] for each in of_native} == {"tsc", "1ghz", "pm", "1mhz", "32khz"}
    words = {word for cell in made.cells for word in cell.words}
    assert {"counter_hz=3579545", "counter_bits=24", "counter_hz=1000000", "counter_hz=32768"} <= words


def test_the_documented_file_is_a_matrix_and_its_claims_are_as_said(home: Path) -> None:
    text = (ROOT / "docs/matrix.md").read_text().split("```toml\n")[1].split("```")[0]
    ended = run(home, text, "--json")
    assert ended.returncode == 0, ended.stderr
    runs = json.loads(ended.stdout)["runs"]
    assert len(runs) == 2 * 2 * 2 * 2 * 2
    assert any(claim["todo"] == "the core lacks clawback" for each in runs for claim in each["claims"])


def test_every_combination_is_a_cell_of_each_core() -> None:
    made = cells.parse(SMALL, "m.toml")
    assert [(cell.core, cell.hz) for cell in made.cells] == [
        ("native", 100), ("native:none", 100), ("native", 1000), ("native:none", 1000)]
    assert all({"counter_hz=3579545", "counter_bits=24", "duration=1"} <= set(cell.words) for cell in made.cells)


@pytest.mark.parametrize("change, says", [
    (("hz = [100, 1000]", "hz = [100, 1000"), "m.toml is not TOML: .*line 9"),
    (("hz = [100, 1000]", "hhz = 100"), "m.toml, line 8, key hhz: there is no such key; there are: .*hz"),
    (("hz = [100, 1000]", "hz = []"), "m.toml, line 8, key hz: the list is empty"),
    (("hz = [100, 1000]", "hz = [[1]]"), r"m.toml, line 8, key hz: \[1\] is neither a number"),
    (('counter = "pm"', 'counter = "pn"'), "m.toml, line 7, key counter: there is no counter \"pn\"; there are: pm"),
    (("hz = 3579545", "hz = \"x\""), "m.toml, line 3, key counter.pm: a counter has hz"),
    (("bits = 24", "bits = true"), "m.toml, line 3, key counter.pm: bits"),
    (('scenario = "lock"\n', ""), "m.toml, line 4: the block has no scenario"),
    (('cores = ["native", "native:none"]', "cores = 3"), "m.toml, line 1, key cores: it must be a list of cores"),
    (("[[block]]", "[[blocks]]"), "m.toml, line 4, key blocks: there is no such key"),
    (("duration = 1", 'duration = 1\nclaims = ["max_abs_ns"]'), "line 10, key claims: \"max_abs_ns\" is no claim"),
    (("duration = 1", "duration = 1\nclaims = [{ claims = 3 }]"), "line 10, key claims: a claim is a text, or"),
    (("hz = [100, 1000]", f"rate_ppm = {list(range(60000))}"), "line 4: this makes more than 100000 cells"),
])
def test_an_error_names_line_and_key(change: tuple[str, str], says: str) -> None:
    assert change[0] in SMALL
    assert re.search(says, refused(SMALL.replace(*change))), refused(SMALL.replace(*change))


def test_a_second_block_s_keys_are_told_from_the_first_one_s() -> None:
    text = SMALL + '[[block]]\nscenario = "slew"\nhz = 100\ncounter = "x"\n'
    assert "m.toml, line 13, key counter" in refused(text)


@pytest.mark.parametrize("change, says", [
    (("hz = [100, 1000]", "hz = [100, 5]"), "line 4, block \"short\": hz=5: outside this parameter's range"),
    (('scenario = "lock"', 'scenario = ["lock", "lok"]'), "line 4, block \"short\".*there is no such scenario"),
    (('"native:none"', '"native:nine"'), "native:nine"),
    (('"native:none"', '"/no/such/tree"'), "/no/such/tree"),
])
def test_what_the_program_refuses_is_an_error_before_anything_runs(
        home: Path, change: tuple[str, str], says: str) -> None:
    ended = run(home, SMALL.replace(*change), "--json")
    assert ended.returncode == Status.CANNOT_RUN and re.search(says, ended.stderr), ended.stderr
    assert not ended.stdout and not kept(home)


def test_cells_say_what_their_own_commands_say(home: Path) -> None:
    """--json alone on stdout; the core without switches fails what it must, and that is known."""
    ended = run(home, SMALL, "--json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert document == json.loads((home / "build/matrix/report.json").read_text())
    assert [each["cell"]["core"] for each in document["runs"]].count("native:none") == 2
    lines = run(home, SMALL, "--commands").stdout.splitlines()
    assert len(lines) == len(document["runs"]) == 4
    for line, each in zip(lines, document["runs"]):
        (said,) = subprocess.run([*shlex.split(line), "--json"], capture_output=True, text=True).stdout.splitlines()
        alone = json.loads(said)
        assert alone["metrics"] == each["metrics"] and alone["claims"] == each["claims"]
        broken = [claim for claim in each["claims"] if not claim["ok"]]
        assert bool(broken) is (each["cell"]["core"] == "native:none") and all(claim["todo"] for claim in broken)
    assert set(document["million_ticks_per_s"]) == {"native", "native:none"}
    assert not list((home / ".cache/tickbench").iterdir())


def test_the_tables_and_pictures_are_there_and_nothing_is_measured_twice(home: Path) -> None:
    first = run(home, SMALL)
    assert first.returncode == 0 and "4 of 4 cells passed, 2 of them with claims that are known" in first.stdout
    assert "million ticks/s: native " in first.stdout and "\x1b" not in first.stdout
    assert (home / "build/matrix/matrix.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (home / "build/matrix/matrix.svg").read_text()
    before = kept(home)
    assert len(before) == len(set(before)) == 4
    # One cell more: it alone is measured.
    more = run(home, SMALL.replace("[100, 1000]", "[100, 250, 1000]").replace(', "native:none"', ""), "--json")
    assert more.returncode == 0 and len(json.loads(more.stdout)["runs"]) == 3
    assert kept(home)[:4] == before and len(kept(home)) == 5
    again = run(home, SMALL, "--again", "--json")
    assert again.returncode == 0 and sorted(kept(home)) == sorted(before)


def test_a_row_s_own_claims_count(home: Path) -> None:
    """One that fails has the command that shows it beside it; one that rests on a missing switch is known."""
    ended = run(home, SMALL + 'claims = ["max_abs_ns < 1"]\n')
    assert ended.returncode == 1 and "1 failed" in ended.stdout, ended.stdout + ended.stderr
    fails = ended.stdout.splitlines()
    at = next(number for number, line in enumerate(fails) if line.startswith("FAIL: native:none, short"))
    assert "max_abs_ns < 1" in fails[at] and "switches=none scenario=lock" in fails[at + 1]
    known = run(home, SMALL + 'claims = [{ claim = "max_abs_ns < 1", rests_on = ["remainder"] }]\n', "--json")
    assert known.returncode == 0
    assert "the core lacks remainder" in known.stdout


@pytest.mark.parametrize("text, ok", [("max_abs_ns < 2", True), ("max_abs_ns<1.5", False), ("max_abs_ns >= 1.5", True),
                                      ("max_abs_ns == 1.5e0", True), ("max_abs_ns != 1.5", False),
                                      ("max_abs_ns > 1.5", False), ("max_abs_ns <= -2", False),
                                      ("no_such >= 0", False)])
def test_a_claim_compares_a_metric_with_a_number(text: str, ok: bool) -> None:
    line = {"scenario": "lock", "ok": True, "params": {"switches": "all"}, "metrics": {"max_abs_ns": 1.5},
            "claims": [], "notes": []}
    cell = cells.Cell("b", "native", (), (), (cells.parse_claim(text),))
    judged = matrix.judge(cell, matrix.run_of(line), None)
    assert judged["ok"] is ok and judged["claims"][0]["ok"] is ok
    assert ("there is no such metric" in judged["claims"][0]["sentence"]) is text.startswith("no_such")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_was_measured_before_an_end_is_kept(home: Path, number: signal.Signals) -> None:
    words, environment = command(home, SLOW, "--jobs", "1", "--json")
    child = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home)
    until = time.monotonic() + 60
    while (not (home / "build/work").exists() or len(kept_safely(home)) < 2) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(child.pid, number)
    child.communicate(timeout=30)
    assert child.returncode == (-number if number == signal.SIGKILL else 128 + number)
    before = kept_safely(home)
    assert 2 <= len(before) < 20
    # Nothing runs on; after SIGKILL, what was in the middle of a cell finds nobody to tell it to.
    while processes_of(home / ".cache") and time.monotonic() < until:
        time.sleep(0.05)
    ended = run(home, SLOW, "--json")
    assert ended.returncode == 0 and len(json.loads(ended.stdout)["runs"]) == 20, ended.stderr
    assert kept(home)[:len(before)] == before and sorted(kept(home)) == sorted(set(kept(home)))
    assert len(kept(home)) == 20


def kept_safely(home: Path) -> list[str]:
    """kept(), of files that are being written."""
    return [line for path in (home / "build/work/matrix").glob("*/results.jsonl")
            for line in [json.loads(each)["name"] for each in path.read_text().split("\n")[:-1]]]


def remote(home: Path, logins: str, text: str = SMALL, **shell: str) -> subprocess.CompletedProcess[str]:
    """shell: SHELL, where it is not to be this process's own."""
    need("rsync", "rsync")
    (home / "hosts").mkdir(exist_ok=True)
    words, environment = command(home, text, "--sshlogin", logins, "--ssh", str(ROOT / "tests/stub-ssh.sh"),
                                 "--json")
    environment.pop("SHELL", None)
    return subprocess.run(words, env={**environment, **shell}, capture_output=True, text=True, timeout=100, cwd=home)


def test_programs_travel_to_hosts_and_are_removed_there(home: Path) -> None:
    here = json.loads(run(home, SMALL, "--json").stdout)
    ended = remote(home, "1/alpha,1/beta", SMALL.replace("duration = 1", "duration = 2"))
    assert ended.returncode == 0, ended.stderr
    assert [each["cell"]["core"] for each in json.loads(ended.stdout)["runs"]] == [
        each["cell"]["core"] for each in here["runs"]]
    log = (home / "hosts/log").read_text()
    assert "alpha rsync" in log and "beta rsync" in log
    left = [path for path in (home / "hosts").rglob("*") if path.is_file() and path.name != "log"
            and ".parallel" not in path.parts]
    assert not left


def test_the_user_s_shell_changes_nothing(home: Path) -> None:
    ended = remote(home, "1/alpha", SHELL="/bin/false")
    assert ended.returncode == 0, ended.stderr
    assert len(json.loads(ended.stdout)["runs"]) == 4


@pytest.mark.parametrize("logins", ["1/downhost,1/alpha", "1/broken,1/alpha", "1/broken,1/:"])
def test_a_host_that_fails_loses_nothing(home: Path, logins: str) -> None:
    ended = remote(home, logins)
    assert ended.returncode == 0, ended.stderr
    assert len(json.loads(ended.stdout)["runs"]) == 4 and len(kept(home)) == 4


def test_cells_that_no_host_measured_are_named(home: Path) -> None:
    ended = remote(home, "1/broken")
    assert ended.returncode == Status.CANNOT_RUN and not ended.stdout
    assert "some cells could not be measured" in ended.stderr and "host broken, status" in ended.stderr
    assert "scenario=lock" in ended.stderr
    # And once a host can, they are.
    assert remote(home, "1/alpha").returncode == 0


def test_another_program_called_parallel_is_refused(home: Path) -> None:
    (home / "bin").mkdir()
    (home / "bin/parallel").write_text("#!/bin/sh\necho parallel from elsewhere\n")
    (home / "bin/parallel").chmod(0o755)
    words, environment = command(home, SMALL)
    ended = subprocess.run(words, env={**environment, "PATH": f"{home / 'bin'}:/usr/bin:/bin"}, cwd=home,
                           capture_output=True, text=True)
    assert ended.returncode == Status.CANNOT_RUN and "is not GNU parallel" in ended.stderr
    assert "./setup.sh matrix" in ended.stderr


def test_the_user_s_settings_of_parallel_change_nothing(home: Path) -> None:
    (home / ".parallel").mkdir()
    (home / ".parallel/config").write_text("--dry-run\n")
    words, environment = command(home, SMALL, "--json")
    ended = subprocess.run(words, env={**environment, "PARALLEL": "--dry-run"}, cwd=home, capture_output=True,
                           text=True)
    assert ended.returncode == 0 and len(json.loads(ended.stdout)["runs"]) == 4, ended.stderr


def test_a_kernel_is_held_against_what_its_stage_can_do(built: Path, tmp_path: Path) -> None:
    """7.2 lacks remainder: that the clock drifts is known, and its figures are those of native without it."""
    need("parallel", "parallel")
    lifted(Kernel("7.2"), 1000, "tickbench-sim")
    text = SMALL.replace('"native:none"', '"7.2"').replace("[100, 1000]", "1000") + 'claims = ["max_abs_ns < 1"]\n'
    (tmp_path / "m.toml").write_text(text)
    ended = subprocess.run(
        [str(ROOT / "tickbench"), "matrix", "--build", str(built), "--output", str(tmp_path / "out"), "--json",
         str(tmp_path / "m.toml")], capture_output=True, text=True, env=plain_environment(), cwd=ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    native, kernel = json.loads(ended.stdout)["runs"]
    assert native["cell"]["core"] == "native" and all(claim["ok"] for claim in native["claims"])
    todo = {claim["sentence"]: claim["todo"] for claim in kernel["claims"] if not claim["ok"]}
    assert todo["max_abs_ns < 1"] == "the native core fails it too, with the same switches"
    assert all(todo.values())
    assert {"sentence": matrix_report.SAME, "ok": True, "skipped": None, "todo": None} in kernel["claims"]
    # As a kernel that behaves differently would be told: without a failed claim, status 3.
    at_stage = copy.deepcopy(kernel)
    other = copy.deepcopy(kernel)
    other["claims"] = [claim for claim in other["claims"] if claim["sentence"] != matrix_report.SAME]
    at_stage["claims"] = copy.deepcopy(other["claims"])
    other["metrics"]["rms_ns"] += 0.001
    cell = cells.parse(text, "m.toml").cells[1]
    without = cells.Cell(cell.block, cell.core, cell.axes, cell.words)
    judged = matrix.judge(without, other, at_stage)
    assert judged["ok"] and matrix.status([native, judged]) == Status.DIFFERS
    assert any(note.startswith("not as native at its stage: rms_ns ") for note in judged["notes"])
    # A claim that native at the same stage does not fail is a failure.
    worse = copy.deepcopy(at_stage)
    worse["claims"].append({"sentence": "x", "ok": False, "skipped": None, "todo": None})
    assert matrix.status([matrix.judge(without, worse, at_stage)]) == Status.FAILED


def test_long_experiments_begin_first_and_a_process_has_a_bounded_share() -> None:
    program = matrix.Program("p", Path("p"), (), "")
    tasks = [matrix.Task(program, ("scenario=lock", f"duration={n}", "hz=1000"))
             for n in (1, 30000, 2, *range(3, 40))]
    made = matrix.batches(tasks)
    assert "duration=30000" in made[0][0].words and len(made[0]) == 1
    assert max(len(batch) for batch in made) == matrix.BATCH_CELLS
    assert sorted(task.name for batch in made for task in batch) == sorted(task.name for task in tasks)


@pytest.mark.parametrize("value, text", [(0, "0"), (0.098, "0.098"), (28.15, "28"), (6339.1, "6e3"), (0.00035, "3e-4"),
                                         (314.9, "315"), (1406053955.1, "1e9")])
def test_a_figure_of_the_heat_map_is_short(value: float, text: str) -> None:
    assert matrix_report.short(value) == text


def test_the_job_log_tells_where_a_job_failed_last(tmp_path: Path) -> None:
    log = tmp_path / "joblog"
    head = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"
    log.write_text(head + "2\talpha\t1\t1\t0\t0\t126\t0\tx\n1\t:\t1\t1\t0\t0\t0\t9\tx\n3\ta\t1\t1\t0\t0\t0\t0\tx\n")
    found: dict[int, Any] = parallel._failures(log, 3)
    assert found == {1: "host alpha, status 126", 0: "host this, status 0"}

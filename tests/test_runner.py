# SPDX-License-Identifier: GPL-2.0-or-later
"""The runner's promises, with a QEMU of cardboard: every failure ends by itself with its own sentence
and status, nothing that was started lives on, no file is left in shared memory. Assumes no guest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fakes
from conftest import ROOT, SECONDS, Ended, need, need_kvm, plain_environment
from runner import plan, scenarios
from runner.errors import CannotRun, Problem
from runner.guest import accel, boot, publisher, qemu, watch
from runner.guest.addresses import MAILBOX_ADDRESS, PAGE_ADDRESS, PAGE_BYTES

RunQemu = Callable[..., Ended]
GOOD = fakes.log(("lock", ["ok it holds", "ok it holds still"]))


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return fakes.build_folder(tmp_path / "build")


def alive(pid_file: Path) -> bool:
    pid = int(pid_file.read_text())
    try:
        return Path("/proc", str(pid), "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def assert_nothing_left(folder: Path) -> None:
    for pid_file in [folder / "qemu.pid", folder / "build" / "vmclock-host.pid"]:
        if pid_file.exists():
            assert not alive(pid_file), f"{pid_file.name} lives on"
    assert not list((folder / "shm").glob("*"))


@pytest.fixture
def runner(tmp_path: Path, build: Path, run_qemu: RunQemu) -> RunQemu:
    """run-qemu.sh with a fake QEMU; afterwards nothing may be left."""
    (tmp_path / "shm").mkdir()

    def run(body: str | None, *arguments: str, **more: Any) -> Ended:
        if body is not None:
            fakes.qemu(tmp_path, body)
        env = {"TICKBENCH_SHM": str(tmp_path / "shm"), **more.pop("env", {})}
        ended = run_qemu("--accel", "tcg", "--qemu", str(tmp_path / "qemu"), *arguments,
                         build=build, env=env, **more)
        assert_nothing_left(tmp_path)
        return ended

    return run


@pytest.mark.parametrize(("claims", "status", "code"), [
    (["ok a"], 33, 0),
    (["ok a", "not ok b"], 35, 1),
    (["ok a # SKIP no page"], 41, 4),
])
def test_status_is_the_guests_verdict(
    tmp_path: Path, runner: RunQemu, claims: list[str], status: int, code: int
) -> None:
    ended = runner(fakes.serial(tmp_path, fakes.log(("lock", claims)), status))
    assert ended.status == code, ended.stderr
    run = json.loads((ended.output / "report.json").read_text())["runs"][0]
    assert run["ok"] is {0: True, 1: False, 4: None}[code]
    assert "0.155" in ended.stdout


FAILURES = [
    ("exit 1", "QEMU itself failed (status 1)", Problem.QEMU_REFUSED),
    ("echo 'qemu: no such device' >&2; exit 1", "no such device", Problem.QEMU_REFUSED),
    ("kill -SEGV $$", "signal 11", Problem.QEMU_REFUSED),
    ("exit 0", "ended without a status", Problem.GUEST_RESET),
    ("echo KTAP version 1; exit 0", "ended without a status", Problem.GUEST_RESET),
    ("echo RIP 0000dead; exit 63", "RIP 0000dead", Problem.GUEST_FAULT),
    ("echo 'Bail out! no such scenario'; exit 37", "no such scenario", Problem.GUEST_BAILED),
    ("echo gibberish; exit 33", "KTAP version 1", Problem.REPORT_BROKEN),
    ("echo gibberish; exit 99", "no status of its own", Problem.GUEST_RESET),
    ("exec sleep 1000", "said nothing over serial", Problem.GUEST_SILENT),
    ("echo KTAP version 1; exec sleep 1000", "was not done", Problem.GUEST_STALLED),
    ("while echo x; do sleep 0.1; done", "was not done", Problem.GUEST_STALLED),
]


@pytest.mark.parametrize(("body", "words", "problem"), FAILURES, ids=[f[0] for f in FAILURES])
def test_each_failure_has_its_own_sentence(
    runner: RunQemu, body: str, words: str, problem: Problem
) -> None:
    ended = runner(body, "--timeout", "1.5")
    assert ended.status == 2
    assert words in ended.stderr
    assert ended.stderr.rstrip().endswith(problem.value)


def test_a_status_that_the_report_contradicts_is_no_pass(tmp_path: Path, runner: RunQemu) -> None:
    ended = runner(fakes.serial(tmp_path, fakes.log(("lock", ["not ok b"])), 33))
    assert ended.status == 2
    assert Problem.REPORT_BROKEN.value in ended.stderr


def test_a_report_cut_short_is_no_pass(tmp_path: Path, runner: RunQemu) -> None:
    ended = runner(fakes.serial(tmp_path, GOOD[:len(GOOD) * 2 // 3], 33))
    assert ended.status == 2
    assert Problem.REPORT_BROKEN.value in ended.stderr


def test_a_qemu_paused_on_an_internal_error_is_ended_at_once(
    tmp_path: Path, runner: RunQemu
) -> None:
    fakes.paused_qemu(tmp_path)
    started = time.monotonic()
    ended = runner(None)
    assert ended.status == 2
    assert Problem.KVM_INTERNAL_ERROR.value in ended.stderr
    assert "Suberror: 1" in ended.stderr
    # The first time limit is 20 s: it was the monitor that told.
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("state", ["postmigrate", "guest-panicked"])
def test_a_qemu_that_will_not_go_on_is_not_waited_out(
    tmp_path: Path, runner: RunQemu, state: str
) -> None:
    fakes.paused_qemu(tmp_path, state)
    ended = runner(None)
    assert ended.status == 2
    assert f'"{state}"' in ended.stderr and Problem.QEMU_PAUSED.value in ended.stderr


def test_an_exception_in_the_firmware_is_not_waited_out(tmp_path: Path, runner: RunQemu) -> None:
    started = time.monotonic()
    ended = runner("echo '!!!! X64 Exception Type - 0E(#PF) !!!!'; echo RIP - 1234; exec sleep 1000")
    assert ended.status == 2
    assert "#PF" in ended.stderr and "RIP - 1234" in ended.stderr
    assert Problem.GUEST_FAULT.value in ended.stderr
    # A guest that only stops talking is given 30 s.
    assert time.monotonic() - started < 15


def test_no_qemu(tmp_path: Path, runner: RunQemu) -> None:
    ended = runner(None)
    assert ended.status == 2
    assert Problem.QEMU_MISSING.value in ended.stderr


@pytest.mark.parametrize("version", ["5.2.0", "7.1.99"])
def test_an_old_qemu_is_refused(tmp_path: Path, runner: RunQemu, version: str) -> None:
    fakes.qemu(tmp_path, "exit 33", f"QEMU emulator version {version}")
    ended = runner(None)
    assert ended.status == 2
    assert version in ended.stderr and Problem.QEMU_OLD.value in ended.stderr


@pytest.mark.parametrize("way", ["pvh", "uefi"])
def test_missing_firmware(tmp_path: Path, runner: RunQemu, way: str) -> None:
    (tmp_path / "empty").mkdir()
    ended = runner("exit 33", "--boot", way, env={"TICKBENCH_FIRMWARE": str(tmp_path / "empty")})
    assert ended.status == 2
    assert {"pvh": "qboot.rom", "uefi": "OVMF_CODE"}[way] in ended.stderr
    assert Problem.FIRMWARE_MISSING.value in ended.stderr


@pytest.mark.parametrize("name", ["tickbench.elf", "vmclock.aml", "vmclock-host"])
def test_what_is_not_built_is_named(tmp_path: Path, build: Path, runner: RunQemu, name: str) -> None:
    (build / name).unlink()
    ended = runner("exit 33")
    assert ended.status == 2
    assert name in ended.stderr and Problem.NOT_BUILT.value in ended.stderr


@pytest.mark.parametrize("body", ["echo no room >&2; exit 2", "exec sleep 1000"])
def test_a_publisher_that_makes_no_page(tmp_path: Path, build: Path, runner: RunQemu, body: str) -> None:
    fakes.program(build / "vmclock-host", f"#!/bin/sh\n{body}\n")
    ended = runner("exit 33")
    assert ended.status == 2
    assert Problem.PUBLISHER.value in ended.stderr
    assert not (tmp_path / "qemu.pid").exists(), "QEMU was started without a page"


def test_without_a_page_there_is_no_publisher(tmp_path: Path, build: Path, runner: RunQemu) -> None:
    (build / "vmclock-host").unlink()
    (build / "vmclock.aml").unlink()
    ended = runner(fakes.serial(tmp_path, GOOD, 33), "--no-page")
    assert ended.status == 0, ended.stderr
    assert "memory-backend-file" not in (tmp_path / "qemu.args").read_text()


def test_no_shared_memory_falls_back_to_a_file(tmp_path: Path, runner: RunQemu) -> None:
    ended = runner(fakes.serial(tmp_path, GOOD, 33), env={"TICKBENCH_SHM": str(tmp_path / "none"),
                                                          "TMPDIR": str(tmp_path)})
    assert ended.status == 0, ended.stderr
    assert f"no room in {tmp_path}/none: the page is a file in {tmp_path}" in ended.stdout
    assert not list(tmp_path.glob("tickbench-*"))


def test_what_a_killed_run_left_in_shared_memory_goes(tmp_path: Path, runner: RunQemu) -> None:
    left = tmp_path / "shm" / f"{publisher.PREFIX}x"
    left.mkdir(parents=True)
    (left / "page").touch()
    assert runner(fakes.serial(tmp_path, GOOD, 33)).status == 0
    assert not left.exists()


def test_what_a_run_elsewhere_still_uses_stays(tmp_path: Path) -> None:
    """Also where its process id means nothing here, as in another PID namespace."""
    with publisher.SharedFolder(tmp_path) as shared:
        publisher.sweep(shared.path.parent)
        assert shared.path.is_dir()
    assert not shared.path.exists()


def test_an_output_folder_that_cannot_be_written(tmp_path: Path, runner: RunQemu) -> None:
    (tmp_path / "file").write_text("")
    ended = runner("exit 33", "--output", str(tmp_path / "file" / "run"))
    assert ended.status == 2
    assert Problem.OUTPUT_FOLDER.value in ended.stderr


def test_a_full_disk_is_told(tmp_path: Path, runner: RunQemu) -> None:
    full = tmp_path / "full"
    full.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(full)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs of 8 KiB")
    try:
        ended = runner("yes KTAP | head -c 100000; exit 33", "--output", str(full))
        assert ended.status == 2
        assert Problem.OUTPUT_FULL.value in ended.stderr
    finally:
        subprocess.run(["umount", str(full)], check=True)


@pytest.mark.parametrize("arguments", [
    ["scenario"], ["--nonsense"], ["--accel", "fast"], ["Scenario=lock"],
    ["--icount", "--accel", "kvm"], ["--publisher", "someone"], ["--timeout", "soon"],
    ["--timeout", "0"], ["--timeout", "-1"], ["--timeout", "nan"], ["--timeout", "inf"],
    ["--core", "linux:x", "hz=100", "+", "hz=250"],
])
def test_wrong_usage_is_told_before_anything_starts(
    tmp_path: Path, runner: RunQemu, arguments: list[str]
) -> None:
    ended = runner("exit 33", *arguments)
    assert ended.status == 2
    assert Problem.USAGE.value in ended.stderr
    assert not (tmp_path / "qemu.pid").exists()


def test_a_value_or_a_line_that_the_guest_would_cut_is_refused(tmp_path: Path, runner: RunQemu) -> None:
    kept = runner(fakes.serial(tmp_path, GOOD, 33), "seed=" + "0" * 126 + "7")
    assert kept.status == 0, kept.stderr
    (tmp_path / "qemu.pid").unlink()
    for arguments, words in [(["seed=" + "0" * 126 + "77"], "the value of seed is longer than 127"),
                             (["seed=" + "0" * 120] * 17, "together are longer than 2047")]:
        ended = runner("exit 33", *arguments)
        assert ended.status == 2
        assert words in ended.stderr and Problem.USAGE.value in ended.stderr
        assert not (tmp_path / "qemu.pid").exists()


def test_two_runs_do_not_share_an_output_folder(tmp_path: Path, build: Path, runner: RunQemu) -> None:
    out, done = tmp_path / "same", tmp_path / "done"
    fakes.qemu(tmp_path, f"echo KTAP version 1; while [ ! -e {done} ]; do sleep 0.05; done; exit 0")
    first = subprocess.Popen(
        [str(ROOT / "run-qemu.sh"), "--accel", "tcg", "--qemu", str(tmp_path / "qemu"), "--no-page",
         "--output", str(out)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        env={**plain_environment(), "BUILD": str(build), "TICKBENCH_SHM": str(tmp_path / "shm")})
    try:
        until = time.monotonic() + 60
        while not (out / "serial.log").exists() or not (out / "serial.log").stat().st_size:
            assert time.monotonic() < until and first.poll() is None
            time.sleep(0.02)
        second = subprocess.run(
            [str(ROOT / "run-qemu.sh"), "--accel", "tcg", "--qemu", str(tmp_path / "qemu"),
             "--output", str(out)], capture_output=True, text=True,
            env={**plain_environment(), "BUILD": str(build)})
        assert second.returncode == 2
        assert f"another run writes its results to {out}" in second.stderr
        assert (out / "serial.log").read_text() == "KTAP version 1\n"
        done.touch()
        first.wait(60)
    finally:
        first.kill()
        first.wait()
    # The folder is free again.
    assert runner(fakes.serial(tmp_path, GOOD, 33), "--output", str(out)).status == 0


class TestPublisherThatEnds:
    """A guest cannot tell that the publisher of its page is dead: the runner must."""

    HOST = "# metric rms_ns", "# metric host_difference_ns 1.000000 ns\n    # metric rms_ns"

    def log(self, *runs: tuple[str, str]) -> str:
        """Of runs with a clock each, in which the host gave its verdict."""
        text = fakes.log(*((name, ["ok it holds"]) for name, _ in runs)).replace(*self.HOST)
        for _, clock in runs:
            text = text.replace("clock virtual", f"clock {clock}", 1) if clock == "tsc" else text
        return text

    def body(self, folder: Path, text: str, at: str) -> str:
        """Kills the publisher once the log has come as far as `at`."""
        first, rest = text.split(at, 1)
        (folder / "first").write_text(first + at)
        (folder / "rest").write_text(rest)
        return (f"cat {folder}/first; kill -9 $(cat {folder}/build/vmclock-host.pid); sleep 0.5;"
                f" cat {folder}/rest; exit 33")

    def test_one_that_lives_passes(self, tmp_path: Path, runner: RunQemu) -> None:
        ended = runner(fakes.serial(tmp_path, self.log(("lock", "tsc"), ("compare", "tsc")), 33))
        assert ended.status == 0, ended.stdout

    def test_killed_in_a_run_it_fails_that_run(self, tmp_path: Path, runner: RunQemu) -> None:
        ended = runner(self.body(tmp_path, self.log(("lock", "tsc"), ("freq", "virtual")), "# metric"))
        assert ended.status == 1, ended.stderr
        assert "publisher ended (signal 9)" in ended.stdout
        runs = json.loads((ended.output / "report.json").read_text())["runs"]
        assert [run["ok"] for run in runs] == [False, True], "the virtual clock needs no publisher"
        assert [claim["ok"] for claim in runs[0]["claims"]] == [True, False]
        assert runs[0]["claims"][-1]["sentence"].endswith("it ended (signal 9)")

    def test_for_a_bisect_it_says_nothing_about_the_commit(self, tmp_path: Path, runner: RunQemu) -> None:
        ended = runner(self.body(tmp_path, self.log(("lock", "tsc")), "# metric"), "--bisect")
        assert ended.status == 125
        assert Problem.PUBLISHER.value in ended.stderr

    def test_killed_before_the_first_run_it_ends_all(self, tmp_path: Path, runner: RunQemu) -> None:
        ended = runner(f"echo KTAP version 1; kill -9 $(cat {tmp_path}/build/vmclock-host.pid);"
                       " exec sleep 1000")
        assert ended.status == 2
        assert "the publisher ended (signal 9) before the first run began" in ended.stderr

    def test_a_host_without_a_verdict_is_a_failed_claim(self, tmp_path: Path, runner: RunQemu) -> None:
        silent = self.log(("lock", "tsc")).replace("host_difference_ns", "else_ns")
        ended = runner(fakes.serial(tmp_path, silent, 33))
        assert ended.status == 1
        claims = json.loads((ended.output / "report.json").read_text())["runs"][0]["claims"]
        assert claims[-1] == {"sentence": f"{boot.VERDICT_CLAIM}: it gave no verdict", "ok": False,
                              "skipped": None}
        # A given line has no publisher behind it that could judge.
        static = "static:counter=0,time=0,period-hz=1000000000"
        assert runner(fakes.serial(tmp_path, silent, 33), "--publisher", static).status == 0


class TestOutputWithoutEnd:
    """What a guest or QEMU writes has a bound, in memory and in the log."""

    @pytest.mark.parametrize("line", ["tr '\\0' x", "tr '\\0' '\\n'"], ids=["no newline", "newlines"])
    def test_of_the_serial_port_the_log_is_cut(self, runner: RunQemu, line: str) -> None:
        ended = runner(f"head -c 64M /dev/zero | {line}; exit 33")
        limit = watch.Limits().serial_bytes
        assert ended.status == 2
        assert f"wrote more than {limit} bytes" in ended.stderr and Problem.GUEST_LOUD.value in ended.stderr
        end = f"\n[tickbench: cut after {limit} bytes]\n"
        log = (ended.output / "serial.log").read_bytes()
        assert len(log) == limit + len(end) and log.endswith(end.encode())

    def test_of_stderr_beginning_and_end_are_kept(self, tmp_path: Path) -> None:
        path = fakes.qemu(tmp_path, "echo first >&2; head -c 8M /dev/zero >&2; echo last >&2; exit 1")
        limits = watch.Limits()
        outcome = watch.watch(lambda fd: [str(path)], limits)
        assert outcome.end is watch.End.QEMU_FAILED
        assert outcome.stderr.startswith("first\n") and outcome.stderr.endswith("last\n")
        left_out = 8 * 2**20 + len("first\nlast\n") - limits.stderr_bytes
        assert f"[{left_out} bytes left out]" in outcome.stderr
        assert len(outcome.stderr) < limits.stderr_bytes + 100

    def test_the_time_limit_holds_for_stderr_without_end(self, tmp_path: Path) -> None:
        path = fakes.qemu(tmp_path, "exec 3>&1; exec yes >&2")
        outcome = watch.watch(lambda fd: [str(path)], watch.Limits(total=0.5))
        assert outcome.end is watch.End.TOO_LONG
        assert not alive(tmp_path / "qemu.pid")

    def test_samples_without_end_are_ended(
        self, tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(boot, "SAMPLES_BYTES", 1000)
        found = qemu.Qemu(str(fakes.qemu(
            tmp_path, f"head -c 1001 /dev/zero >{tmp_path}/samples.bin; exec sleep 1000")), "7.2")
        with pytest.raises(CannotRun) as error:
            boot.run(boot.Options(found, accel.Accel("tcg", accel.TCG_ARGS), (("scenario=lock",),),
                                  scenarios.read(build), build, tmp_path, publisher="none"),
                     plan.Image("native", build / "tickbench.elf", build / "x", build / "x"))
        assert error.value.problem is Problem.GUEST_LOUD
        assert not alive(tmp_path / "qemu.pid")


def test_a_guest_cannot_write_the_page_but_the_mailbox(tmp_path: Path, build: Path) -> None:
    """In QEMU's own memory map, by its test protocol in place of a guest."""
    files = {name: tmp_path / name for name in ("page", "mailbox")}
    for path in files.values():
        path.write_bytes(b"P" * PAGE_BYTES)
    table = build / "vmclock.aml"
    pages = qemu.Pages(files["page"], files["mailbox"], table)
    arguments = [word for word in pages.args() if word not in ("-acpitable", f"file={table}")]
    child = subprocess.Popen(
        [need("qemu-system-x86_64", "qemu-system-x86"), "-M", "q35", "-m", "512M,slots=2,maxmem=16G",
         "-nodefaults", "-display", "none", "-accel", "tcg", "-S", "-qtest", "stdio", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdin and child.stdout
    limit = threading.Timer(SECONDS, child.kill)
    limit.start()
    try:
        for address in (PAGE_ADDRESS, MAILBOX_ADDRESS):
            child.stdin.write(f"writeb {address:#x} 0x41\nreadb {address:#x}\n")
            child.stdin.flush()
        answers = [child.stdout.readline().strip() for _ in range(4)]
    finally:
        limit.cancel()
        child.kill()
        child.communicate()
    assert answers == ["OK", f"OK {ord('P'):#018x}", "OK", f"OK {0x41:#018x}"]
    assert files["page"].read_bytes()[:1] == b"P" and files["mailbox"].read_bytes()[:1] == b"A"


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


def test_the_runner_takes_folders_with_blanks(tmp_path: Path, run_qemu: RunQemu) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    fakes.build_folder(folder / "build")
    fakes.program(tmp_path / "qemu", f"#!/bin/sh\n[ \"$1\" = --version ] && echo '{fakes.VERSION}' && exit\n"
                                     f"cat {tmp_path}/text; exit 33\n")
    (tmp_path / "text").write_text(GOOD)
    ended = run_qemu("--accel", "tcg", "--no-page", "--qemu", str(tmp_path / "qemu"), "--output",
                     str(folder / "out"), build=folder / "build")
    assert ended.status == 0, ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_stops_all_that_was_started(tmp_path: Path, build: Path, number: int) -> None:
    fakes.qemu(tmp_path, "echo KTAP version 1; exec sleep 1000")
    (tmp_path / "shm").mkdir()
    child = subprocess.Popen(
        [str(ROOT / "run-qemu.sh"), "--accel", "tcg", "--qemu", str(tmp_path / "qemu"),
         "--output", str(tmp_path / "out")], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True, env={**plain_environment(), "BUILD": str(build),
                        "TICKBENCH_SHM": str(tmp_path / "shm")})
    try:
        until = time.monotonic() + 30
        while not (tmp_path / "qemu.pid").exists() or not (tmp_path / "qemu.pid").read_text():
            assert time.monotonic() < until and child.poll() is None
            time.sleep(0.02)
        child.send_signal(number)
        _, stderr = child.communicate(timeout=30)
    finally:
        child.kill()
    for _ in range(100):
        if not alive(tmp_path / "qemu.pid") and not alive(build / "vmclock-host.pid"):
            break
        time.sleep(0.02)
    if number == signal.SIGKILL:
        # Nobody was left to tidy the files (the next run does), but the processes die with us.
        assert not alive(tmp_path / "qemu.pid") and not alive(build / "vmclock-host.pid")
        return
    assert child.returncode == 128 + number
    assert "interrupted" in stderr
    assert_nothing_left(tmp_path)


def test_raw_passes_the_serial_port_through(tmp_path: Path, runner: RunQemu) -> None:
    ended = runner(fakes.serial(tmp_path, GOOD, 33), "--raw")
    assert ended.stdout == GOOD
    assert ended.status == 0


def test_arguments_reach_guest_and_qemu(tmp_path: Path, runner: RunQemu) -> None:
    ended = runner(fakes.serial(tmp_path, GOOD, 33), "scenario=lock", "hz=250", "+",
                   "clock=virtual", "--", "-d", "int")
    assert ended.status == 0, ended.stderr
    args = (tmp_path / "qemu.args").read_text().splitlines()
    assert args[args.index("-append") + 1] == "scenario=lock hz=250 + clock=virtual"
    assert args[-2:] == ["-d", "int"]


def test_the_debugger_is_announced_and_qemu_waits_for_it(tmp_path: Path, runner: RunQemu) -> None:
    ended = runner(fakes.serial(tmp_path, GOOD, 33), "--gdb")
    assert "target remote :1234" in ended.stdout
    assert {"-s", "-S"} <= set((tmp_path / "qemu.args").read_text().splitlines())


def test_counted_instructions_get_a_given_line(tmp_path: Path, build: Path, runner: RunQemu) -> None:
    fakes.publisher(build / "vmclock-host", "while :; do sleep 0.05; done")
    program = build / "vmclock-host"
    program.write_text(program.read_text().replace(
        "#!/bin/sh\n", f"#!/bin/sh\nprintf '%s ' \"$@\" >{tmp_path}/publisher.args\n"))
    assert runner(fakes.serial(tmp_path, GOOD, 33), "--icount").status == 0
    assert "--static counter=0" in (tmp_path / "publisher.args").read_text()
    assert "sleep=off" in (tmp_path / "qemu.args").read_text()


def test_an_earlier_runs_results_are_not_taken_for_this_ones(
    tmp_path: Path, runner: RunQemu
) -> None:
    out = tmp_path / "again"
    assert runner(fakes.serial(tmp_path, GOOD, 33), "--output", str(out)).status == 0
    assert runner("exit 1", "--output", str(out)).status == 2
    assert not (out / "report.json").exists()


class TestAccelerator:
    def test_a_fast_kvm_is_used(self) -> None:
        assert accel.judge((12 << 1) | 1, "").reason == ""

    @pytest.mark.parametrize("log2", [18, 21, 25])
    def test_a_kvm_that_interprets_is_not(self, log2: int) -> None:
        assert "cycles an instruction" in accel.judge((log2 << 1) | 1, "").reason

    def test_a_qemu_that_fails_is_quoted(self) -> None:
        assert "no MSR" in accel.judge(1, "first\nno MSR\n").reason

    def test_no_device_is_named(self, tmp_path: Path) -> None:
        assert accel.kvm_obstacle(tmp_path / "kvm") == f"there is no {tmp_path}/kvm"

    def test_a_probe_that_hangs_is_given_up(self, tmp_path: Path) -> None:
        path = fakes.qemu(tmp_path, "exec sleep 1000")
        found = accel.measure(str(path), tmp_path / "rom", tmp_path / "elf", seconds=0.3)
        assert "within 0.3 s" in found.reason
        assert not alive(tmp_path / "qemu.pid")

    def test_the_answer_is_kept_until_qemu_changes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        (tmp_path / "elf").write_text("")
        count = tmp_path / "count"
        path = fakes.qemu(tmp_path, f"echo x >>{count}; exit 25")
        for _ in range(2):
            assert accel.probe(str(path), tmp_path / "rom", tmp_path / "elf").reason == ""
        assert count.read_text().count("x") == 1
        os.utime(path, ns=(1, 1))
        accel.probe(str(path), tmp_path / "rom", tmp_path / "elf")
        assert count.read_text().count("x") == 2

    def test_kvm_is_judged_on_this_machine(self, built: Path) -> None:
        need_kvm()
        from runner.guest import firmware

        found = accel.measure(qemu.find(None).path, firmware.qboot(), built / "probe.elf")
        # Either a figure or QEMU's own words: never a silence.
        assert found.cycles > 0 or "KVM does not run" in found.reason


class TestPlan:
    def test_nothing_asked_for_is_the_default(self) -> None:
        assert plan.parse([]) == plan.DEFAULT

    def test_plus_joins_experiments(self) -> None:
        assert plan.parse(["hz=100", "+", "hz=250"]) == (("hz=100",), ("hz=250",))

    def test_trees_leave_the_guests_words(self) -> None:
        made = plan.lifted(plan.Plan((("core=linux:7.2,7.3", "hz=250"),)))
        assert made.linux == ("7.2", "7.3")
        assert made.groups == (("hz=250", "core=linux"),)
        assert plan.hz(made) == 250

    def test_the_default_run_is_expected_to_end_within_a_minute(self, built: Path) -> None:
        assert scenarios.read(built).seconds(plan.DEFAULT) < 60

    def test_the_table_of_scenarios_is_the_programs(self, built: Path) -> None:
        helped = subprocess.run([str(built / "tickbench-sim"), "--help"], capture_output=True,
                                text=True, check=True).stdout
        lines = [line.strip() for line in helped.split("Scenarios:\n")[1].split("\n\n")[0].splitlines()]
        table = scenarios.read(built).by_name
        assert [line.split()[0] for line in lines] == list(table)
        assert {line.split()[0] for line in lines if "only when asked for" in line} == {
            name for name, scenario in table.items() if not scenario.by_default}
        assert all(scenario.claim in helped for scenario in table.values())

    def test_needs_become_the_machine(self) -> None:
        table = scenarios.parse(json.dumps([
            {"name": name, "claim": "", "default": default, "duration_ms": {"virtual": 1000, "tsc": 2000},
             "needs": {"page": False, "virtual_clock": False, "memory_mib": mib, "cpus": cpus, "cpu_flags": flags}}
            for name, default, mib, cpus, flags in [("a", True, 512, 1, ""), ("b", False, 1024, 2, "x2apic,rdpid")]]))
        assert table.memory_mib([["scenario=a"]]) == 512 and table.cpus([["clock=tsc"]]) == 1
        both = [["scenario=a"], ["scenario=b,a", "clock=tsc", "duration=7"]]
        assert (table.memory_mib(both), table.cpus(both), table.cpu_flags(both)) == (1024, 2, ["rdpid", "x2apic"])
        # A second of 1000 virtual ticks, its start, and 7 s of the real clock for each of two.
        assert table.seconds(both) == 1.0 + 1000 / scenarios.TICKS_PER_SECOND + 14

    def test_a_damaged_table_is_named(self, tmp_path: Path) -> None:
        (tmp_path / scenarios.LIST).write_text("[{}]")
        with pytest.raises(CannotRun, match="scenarios.json is damaged"):
            scenarios.read(tmp_path)

    def test_a_comma_in_a_path_is_one_path(self) -> None:
        assert qemu.quote("/a,b") == "/a,,b"

    @pytest.mark.parametrize(("text", "version"), [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2)", (7, 2, 22)),
        ("QEMU emulator version 10.0", (10, 0)), ("something else", None)])
    def test_qemus_version_is_read(self, text: str, version: tuple[int, ...] | None) -> None:
        assert qemu.parse_version(text) == version

    def test_errors_say_what_to_do(self) -> None:
        for problem in Problem:
            assert len(CannotRun(problem, "x").words()) > len("tickbench: x: ")

# SPDX-License-Identifier: GPL-2.0-or-later
"""How the runner watches a guest, with a fake QEMU: every end of a guest has its own sentence and status,
output without end is bounded, and a signal ends all that was started."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

import fakes
from fakes import GOOD, RunQemu, alive, assert_nothing_left
from conftest import ROOT, plain_environment
from runner import plan, scenarios
from runner.errors import CannotRun, Problem
from runner.guest import accel, boot, qemu, watch


@pytest.mark.parametrize(("claims", "status", "code"), [
    (["ok a"], 33, 0),
    (["ok a", "not ok b"], 35, 1),
    (["ok a # SKIP no page"], 41, 4),
])
def test_status_is_the_guests_verdict(
    tmp_path: Path, run_fake: RunQemu, claims: list[str], status: int, code: int
) -> None:
    ended = run_fake(fakes.serial(tmp_path, fakes.log(("lock", claims)), status))
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
    run_fake: RunQemu, body: str, words: str, problem: Problem
) -> None:
    ended = run_fake(body, "--timeout", "1.5")
    assert ended.status == 2
    assert words in ended.stderr
    assert ended.stderr.rstrip().endswith(problem.value)


def test_a_status_that_the_report_contradicts_is_no_pass(tmp_path: Path, run_fake: RunQemu) -> None:
    ended = run_fake(fakes.serial(tmp_path, fakes.log(("lock", ["not ok b"])), 33))
    assert ended.status == 2
    assert Problem.REPORT_BROKEN.value in ended.stderr


def test_a_report_cut_short_is_no_pass(tmp_path: Path, run_fake: RunQemu) -> None:
    ended = run_fake(fakes.serial(tmp_path, GOOD[:len(GOOD) * 2 // 3], 33))
    assert ended.status == 2
    assert Problem.REPORT_BROKEN.value in ended.stderr


def test_a_qemu_paused_on_an_internal_error_is_ended_at_once(
    tmp_path: Path, run_fake: RunQemu
) -> None:
    fakes.paused_qemu(tmp_path)
    ended = run_fake(None)
    assert ended.status == 2
    # This sentence comes from the monitor; a time limit has another one.
    assert Problem.KVM_INTERNAL_ERROR.value in ended.stderr
    assert "Suberror: 1" in ended.stderr


@pytest.mark.parametrize("state", ["postmigrate", "guest-panicked"])
def test_a_qemu_that_will_not_go_on_is_not_waited_out(
    tmp_path: Path, run_fake: RunQemu, state: str
) -> None:
    fakes.paused_qemu(tmp_path, state)
    ended = run_fake(None)
    assert ended.status == 2
    assert f'"{state}"' in ended.stderr and Problem.QEMU_PAUSED.value in ended.stderr


def test_an_exception_in_the_firmware_is_shown_with_its_registers(run_fake: RunQemu) -> None:
    ended = run_fake("echo '!!!! X64 Exception Type - 0E(#PF) !!!!'; echo RIP - 1234; exec sleep 1000")
    assert ended.status == 2
    assert "#PF" in ended.stderr and "RIP - 1234" in ended.stderr
    assert Problem.GUEST_FAULT.value in ended.stderr


def test_an_exception_in_the_firmware_shortens_the_wait(tmp_path: Path) -> None:
    limits = watch.Limits()
    feed = boot._Feed(io.BytesIO(), tmp_path / "log", tmp_path / "samples", None, lambda data, now: None,
                      lambda: None)
    # The mark comes in two pieces.
    feed.on_bytes(boot.FIRMWARE_FAULT[:9], limits)
    assert limits.quiet == watch.Limits.quiet
    feed.on_bytes(boot.FIRMWARE_FAULT[9:], limits)
    assert limits.quiet == boot.FIRMWARE_FAULT_SECONDS < watch.Limits.quiet


class TestOutputWithoutEnd:
    """What a guest or QEMU writes has a bound, in memory and in the log."""

    @pytest.mark.parametrize("line", ["tr '\\0' x", "tr '\\0' '\\n'"], ids=["no newline", "newlines"])
    def test_of_the_serial_port_the_log_is_cut(self, run_fake: RunQemu, line: str) -> None:
        ended = run_fake(f"head -c 64M /dev/zero | {line}; exit 33")
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
        self, tmp_path: Path, fake_build: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(boot, "SAMPLES_BYTES", 1000)
        found = qemu.Qemu(str(fakes.qemu(
            tmp_path, f"head -c 1001 /dev/zero >{tmp_path}/samples.bin; exec sleep 1000")), "7.2")
        with pytest.raises(CannotRun) as error:
            boot.run(boot.Options(found, accel.Accel("tcg", accel.TCG_ARGS), (("scenario=lock",),),
                                  scenarios.read(fake_build), fake_build, tmp_path, publisher="none"),
                     plan.Image("native", fake_build / "tickbench.elf", fake_build / "x", fake_build / "x"))
        assert error.value.problem is Problem.GUEST_LOUD
        assert not alive(tmp_path / "qemu.pid")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_stops_all_that_was_started(tmp_path: Path, fake_build: Path, number: int) -> None:
    fakes.qemu(tmp_path, "echo KTAP version 1; exec sleep 1000")
    (tmp_path / "shm").mkdir()
    child = subprocess.Popen(
        [str(ROOT / "run-qemu.sh"), "--accel", "tcg", "--qemu", str(tmp_path / "qemu"),
         "--output", str(tmp_path / "out")], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True, env={**plain_environment(), "BUILD": str(fake_build),
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
        if not alive(tmp_path / "qemu.pid") and not alive(fake_build / "vmclock-host.pid"):
            break
        time.sleep(0.02)
    if number == signal.SIGKILL:
        # Nobody was left to tidy the files (the next run does), but the processes die with us.
        assert not alive(tmp_path / "qemu.pid") and not alive(fake_build / "vmclock-host.pid")
        return
    assert child.returncode == 128 + number
    assert "interrupted" in stderr
    assert_nothing_left(tmp_path)


def test_raw_passes_the_serial_port_through(tmp_path: Path, run_fake: RunQemu) -> None:
    ended = run_fake(fakes.serial(tmp_path, GOOD, 33), "--raw")
    assert ended.stdout == GOOD
    assert ended.status == 0

# SPDX-License-Identifier: GPL-2.0-or-later
"""How the runner watches a guest, with a fake QEMU: every end of a guest has its own sentence and status,
output without end is bounded, and a signal ends all that was started."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

import fakes
from fakes import GOOD, RunQemu, alive, assert_nothing_left
from conftest import ROOT, SECONDS, plain_environment
from runner import plan, scenarios
from runner.errors import CannotRun, Problem
from runner.guest import accel, boot, publisher, qemu, watch
from runner.report import progress


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
    # Those that print nothing may end soon; the others must have printed by then, also on a busy machine.
    ended = run_fake(body, "--timeout", {"exec sleep 1000": "1.5"}.get(body, "6" if "sleep" in body else "60"))
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


class TestTimeLimits:
    """boot owns the limits: it changes them as it consumes the events of the guest."""

    def quiet_after(
        self, pieces: list[bytes], fake_build: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, gdb: bool = False,
    ) -> list[float]:
        """Limits.quiet at the start, and after each piece of output."""
        seen = []

        def events(command: object, limits: watch.Limits) -> Iterator[watch.Event]:
            seen.append(limits.quiet)
            for piece in pieces:
                yield watch.Output(piece)
                seen.append(limits.quiet)
            yield watch.Ended(watch.Outcome(watch.End.STALLED, 0, b"".join(pieces), "", 1.0))

        monkeypatch.setattr(watch, "events", events)
        how = boot.Options(qemu.Qemu("none", "7.2"), accel.Accel("tcg", accel.TCG_ARGS), (("scenario=lock",),),
                           scenarios.read(fake_build), fake_build, folder, publisher="none", gdb=gdb)
        with pytest.raises(CannotRun):
            boot.run(how, plan.Image("native", fake_build / "tickbench.elf", fake_build / "x", fake_build / "x"),
                     progress.Show(Console(file=io.StringIO()), "native"))
        return seen

    STEP = (b"    # Subtest: lock\n    # param clock tsc\n    # param duration_ms 100000\n    # param ru", b"n 0\n")
    FAULT = b"!!!! X64 Exce", b"ption Type - 0E(#PF) !!!!\n"

    def test_a_run_that_begins_is_given_time_for_its_duration(
        self, fake_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        short, long = scenarios.quiet_seconds(0, False), scenarios.quiet_seconds(100.0, False)
        assert self.quiet_after([*self.STEP], fake_build, tmp_path, monkeypatch) == [short, short, long]

    def test_firmware_that_faulted_is_not_waited_for(
        self, fake_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = scenarios.quiet_seconds(0, False)
        assert self.quiet_after([*self.FAULT], fake_build, tmp_path, monkeypatch) == [
            first, first, boot.FIRMWARE_FAULT_SECONDS]

    def test_a_debugger_may_stop_the_guest_for_as_long_as_it_likes(
        self, fake_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert min(self.quiet_after([*self.STEP, *self.FAULT], fake_build, tmp_path, monkeypatch, gdb=True)) == 1e9


def last(events: Iterable[watch.Event]) -> watch.Outcome:
    """The outcome that the events end with; it comes once, and after all else."""
    *others, end = events
    assert isinstance(end, watch.Ended) and not any(isinstance(each, watch.Ended) for each in others)
    return end.outcome


def test_leaving_the_events_early_ends_qemu(tmp_path: Path) -> None:
    path = fakes.qemu(tmp_path, "echo KTAP version 1; exec sleep 1000")
    with contextlib.closing(watch.events(lambda fd: [str(path)], watch.Limits(first=SECONDS))) as events:
        first = next(each for each in events if isinstance(each, watch.Output))
        assert b"KTAP version 1\n".startswith(first.data) and alive(tmp_path / "qemu.pid")
    assert not alive(tmp_path / "qemu.pid")


def test_the_limits_are_read_before_each_wait(tmp_path: Path) -> None:
    """So whoever consumes the events may change them: here after the first output."""
    path = fakes.qemu(tmp_path, "echo KTAP version 1; exec sleep 1000")
    limits = watch.Limits(first=SECONDS, quiet=SECONDS, total=SECONDS)
    for event in watch.events(lambda fd: [str(path)], limits):
        if isinstance(event, watch.Output):
            limits.quiet = 0.0
        elif isinstance(event, watch.Ended):
            assert event.outcome.end is watch.End.STALLED


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
        outcome = last(watch.events(lambda fd: [str(path)], limits))
        assert outcome.end is watch.End.QEMU_FAILED
        assert outcome.stderr.startswith("first\n") and outcome.stderr.endswith("last\n")
        left_out = 8 * 2**20 + len("first\nlast\n") - limits.stderr_bytes
        assert f"[{left_out} bytes left out]" in outcome.stderr
        assert len(outcome.stderr) < limits.stderr_bytes + 100

    def test_the_time_limit_holds_for_stderr_without_end(self, tmp_path: Path) -> None:
        path = fakes.qemu(tmp_path, "exec 3>&1; exec yes >&2")
        outcome = last(watch.events(lambda fd: [str(path)], watch.Limits(total=0.5)))
        assert outcome.end is watch.End.TOO_LONG
        assert not alive(tmp_path / "qemu.pid")

    def test_of_the_publishers_log_the_beginning_is_kept(
        self, tmp_path: Path, fake_build: Path, run_fake: RunQemu
    ) -> None:
        """And the publisher goes on: its lines have no room, its page has."""
        fakes.publisher(fake_build / "vmclock-host", f"echo first; head -c 64M /dev/zero; echo done >{tmp_path}/done\n"
                        "while :; do sleep 0.05; done")
        ended = run_fake(f"while [ ! -e {tmp_path}/done ]; do sleep 0.05; done\n" + fakes.serial(tmp_path, GOOD, 33))
        assert ended.status == 0, ended.stderr
        log, end = (ended.output / "publisher.log").read_bytes(), b"\n[tickbench: cut here]\n"
        assert log.startswith(b"first\n") and log.endswith(end)
        assert len(log) == publisher.LOG_BYTES + len(end)

    def test_samples_without_end_are_ended(
        self, tmp_path: Path, fake_build: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(boot, "SAMPLES_BYTES", 1000)
        found = qemu.Qemu(str(fakes.qemu(
            tmp_path, f"head -c 1001 /dev/zero >{tmp_path}/samples.bin; exec sleep 1000")), "7.2")
        with pytest.raises(CannotRun) as error:
            boot.run(boot.Options(found, accel.Accel("tcg", accel.TCG_ARGS), (("scenario=lock",),),
                                  scenarios.read(fake_build), fake_build, tmp_path, publisher="none"),
                     plan.Image("native", fake_build / "tickbench.elf", fake_build / "x", fake_build / "x"),
                     progress.Show(Console(file=io.StringIO()), "native"))
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


def test_a_hangup_that_is_ignored_ends_nothing(tmp_path: Path, fake_build: Path) -> None:
    """As under nohup: the run goes on to its verdict."""
    done = tmp_path / "done"
    fakes.qemu(tmp_path, f"while [ ! -e {done} ]; do sleep 0.05; done\n" + fakes.serial(tmp_path, GOOD, 33))
    (tmp_path / "shm").mkdir()
    child = subprocess.Popen(
        ["nohup", str(ROOT / "run-qemu.sh"), "--accel", "tcg", "--qemu", str(tmp_path / "qemu"),
         "--output", str(tmp_path / "out")], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True, env={**plain_environment(), "BUILD": str(fake_build), "TICKBENCH_SHM": str(tmp_path / "shm")})
    try:
        until = time.monotonic() + SECONDS
        while not (tmp_path / "qemu.pid").exists():
            assert time.monotonic() < until and child.poll() is None
            time.sleep(0.02)
        child.send_signal(signal.SIGHUP)
        done.touch()
        _, stderr = child.communicate(timeout=SECONDS)
    finally:
        child.kill()
        done.touch()
    assert child.returncode == 0, stderr
    assert_nothing_left(tmp_path)


def test_raw_passes_the_serial_port_through(tmp_path: Path, run_fake: RunQemu) -> None:
    ended = run_fake(fakes.serial(tmp_path, GOOD, 33), "--raw")
    assert ended.stdout == GOOD
    assert ended.status == 0

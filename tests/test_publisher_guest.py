# SPDX-License-Identifier: GPL-2.0-or-later
"""The publisher and a guest's counter: the exchange through the mailbox, a guest that is silent, stopped,
replaced or restored, and the verdict on a guest's time. Assumes an x86 host."""

from __future__ import annotations

import json
import re
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conftest import need
from monitor import Monitor
from pagetool import Page, Tool
from publishing import INITIALIZING, OFFSET, PATIENCE_SECONDS, UNKNOWN, live, serve_until
from runner.guest import firmware
from runner.guest.addresses import MAILBOX_ADDRESS, PAGE_ADDRESS


TRIES = 20


@dataclass
class Machine:
    """A QEMU with its monitor."""

    child: subprocess.Popen[str]
    monitor: Monitor


@pytest.mark.parametrize("sec", [1 << 63, (1 << 64) - 1, (1 << 63) - 1, 1 << 40, 0])
def test_whatever_a_guest_posts_is_judged_without_harm(
        page_programs: Path, page: Path, mailbox: Path, tool: Tool, sec: int) -> None:
    with live(page_programs / "vmclock-host-san", page, "--mailbox", mailbox) as publisher:
        publisher.wait_for("ready")
        serve_until(publisher, "line", 1, tool, mailbox, OFFSET)
        counter = Page.read(page).counter_value
        with mailbox.open("r+b") as file:
            file.seek(0xc8)
            file.write(struct.pack("<QQQ", counter, sec, (1 << 64) - 1))
            file.seek(0xc0)
            file.write(struct.pack("<Q", 77))
        serve_until(publisher, "verdict", 1, tool, mailbox, OFFSET)
        verdict = publisher.wait_for("verdict")
        # A time long past can be judged; one that no clock has cannot.
        assert verdict["valid"] is (sec == 0)
        assert not verdict["valid"] or float(verdict["difference_ns"]) < -9e12
        assert publisher.stop() == 0
        assert publisher.child.stderr and publisher.child.stderr.read() == ""


@pytest.mark.alone
def test_guest_counter_is_found_through_the_mailbox(
        program: Path, page: Path, mailbox: Path, tool: Tool) -> None:
    with live(program, page, "--mailbox", mailbox, "--interval", "0.2") as publisher:
        assert publisher.wait_for("ready")["waiting"] is True
        assert Page.read(page).clock_status == INITIALIZING
        serve_until(publisher, "line", 8, tool, mailbox, OFFSET, page, 0)
        answered, verdicts, valid, difference_fs, maxerror_ns = map(
            int, tool.ask("guest", mailbox, OFFSET, 1000, page, 0))
        assert publisher.stop() == 0
    offset = publisher.of("offset")[0]
    hz = float(publisher.of("line")[0]["hz"])
    # Its own bounds hold the truth, and the page states at least them.
    away_ns = abs(int(offset["cycles"]) - OFFSET) / hz * 1e9
    assert away_ns <= float(offset["half_width_ns"]) + 0.001
    # Well below a microsecond where the two have a core each; not on a machine that is busy.
    assert float(offset["half_width_ns"]) < 100_000
    assert all(int(line["maxerror_ns"]) >= float(offset["half_width_ns"])
               for line in publisher.of("line")[:1])
    assert answered >= 1 and verdicts >= 1 and valid == 1
    # The guest's wall time, taken from the page, against the host's clock at the same moment.
    for verdict in publisher.of("verdict"):
        assert verdict["valid"]
        assert abs(float(verdict["difference_ns"])) <= int(verdict["maxerror_ns"]), verdict
    assert abs(difference_fs) <= maxerror_ns * 10**6
    markers = {line["marker"] for line in publisher.of("line")}
    assert len(markers) == 1, "the offset was constant, and found to have moved"


def test_guest_whose_time_is_off_is_found_out(
        program: Path, page: Path, mailbox: Path, tool: Tool) -> None:
    with live(program, page, "--mailbox", mailbox) as publisher:
        publisher.wait_for("ready")
        serve_until(publisher, "verdict", 3, tool, mailbox, OFFSET, page, 500_000)
        verdict = publisher.of("verdict")[-1]
        assert abs(float(verdict["difference_ns"]) - 500_000) <= int(verdict["maxerror_ns"])
        assert abs(float(verdict["difference_ns"])) > int(verdict["maxerror_ns"])


def test_guest_that_is_replaced_is_noticed_as_a_disruption(
        program: Path, page: Path, mailbox: Path, tool: Tool) -> None:
    with live(program, page, "--mailbox", mailbox) as publisher:
        publisher.wait_for("ready")
        serve_until(publisher, "line", 1, tool, mailbox, OFFSET)
        before = Page.read(page)
        # It may be refined before that.
        known = len(publisher.of("offset"))
        serve_until(publisher, "offset", known + 1, tool, mailbox, OFFSET * 7)
        serve_until(publisher, "line", len(publisher.of("line")) + 1, tool, mailbox, OFFSET * 7)
        moved = publisher.of("offset")[-1]
        after = Page.read(page)
    hz = float(publisher.of("line")[0]["hz"])
    assert abs(int(moved["cycles"]) - OFFSET * 7) / hz * 1e9 <= float(moved["half_width_ns"]) + 0.001
    assert after.disruption_marker > before.disruption_marker
    assert after.counter_value - before.counter_value > OFFSET * 5


def silence(page: Path, mailbox: Path) -> Page:
    """Waits until the page says that its guest, which has ended, no longer answers; gives that page. What a busy
    publisher said of an earlier silence is not taken for it."""
    until = time.monotonic() + PATIENCE_SECONDS

    def requests() -> tuple[int, int]:
        data = mailbox.read_bytes()
        return struct.unpack_from("<Q", data, 0x40)[0], struct.unpack_from("<Q", data, 0x80)[0]

    # A request that is not answered is followed by another one, and the page is written in between.
    first, answer = requests()
    while (now := requests())[0] <= max(first, answer) + 1:
        assert time.monotonic() < until, f"no more requests than {now}"
        time.sleep(0.005)
    while Page.read(page).clock_status != UNKNOWN:
        assert time.monotonic() < until, "a guest's silence is not noticed"
        time.sleep(0.005)
    return Page.read(page)


def test_guest_that_is_silent_makes_the_page_unknown_and_its_error_grow(
        program: Path, page: Path, mailbox: Path, tool: Tool) -> None:
    with live(program, page, "--mailbox", mailbox) as publisher:
        publisher.wait_for("ready")
        serve_until(publisher, "line", 2, tool, mailbox, OFFSET)
        before = publisher.of("line")[-1]
        silent = silence(page, mailbox)
        # 100 ms have passed since the last answer: so long may it have been stopped.
        assert silent.clock_status == UNKNOWN
        assert silent.time_maxerror_ns > 100_000_000 + int(before["maxerror_ns"])
        until = time.monotonic() + 30
        while Page.read(page).time_maxerror_ns < 2 * silent.time_maxerror_ns:
            assert time.monotonic() < until, "the bound stands still while the guest is silent"
            time.sleep(0.01)
        assert Page.read(page).clock_status == UNKNOWN
        # It was only not running: nothing was lost, and nothing is disrupted.
        accepted, lies, _, first, last = map(int, tool.ask("believe", mailbox, OFFSET, 500, page))
        assert accepted and not lies
        assert first == last == silent.disruption_marker
        assert not any(each["stepped"] for each in publisher.of("line"))


@pytest.mark.parametrize("stopped_s", [0.2, 1.0, 1000.0, -50.0])
def test_guest_that_was_stopped_never_reads_a_line_that_lies(
        program: Path, page: Path, mailbox: Path, tool: Tool, stopped_s: float) -> None:
    """After stop and cont its counter has stood still; its first look at the page is believed."""
    with live(program, page, "--mailbox", mailbox) as publisher:
        publisher.wait_for("ready")
        serve_until(publisher, "line", 1, tool, mailbox, OFFSET)
        hz = float(publisher.of("line")[0]["hz"])
        before = silence(page, mailbox)
        then = (OFFSET - int(stopped_s * hz)) % (1 << 64)
        accepted = first = 0
        for _ in range(TRIES):  # until a busy machine's publisher has a line for it
            accepted, lies, worst_ns, first, _ = map(int, tool.ask("believe", mailbox, then, 2000, page))
            assert not lies, f"the page was {worst_ns} ns off beyond its word"
            if accepted:
                break
        assert accepted
        assert first == before.disruption_marker + 1
        moved = publisher.of("offset")[-1]
    away_ns = abs((int(moved["cycles"]) - then + (1 << 63)) % (1 << 64) - (1 << 63)) / hz * 1e9
    assert away_ns <= float(moved["half_width_ns"]) + 0.001


def test_the_marker_of_a_stop_comes_before_the_new_line(
        program: Path, page: Path, mailbox: Path, tool: Tool) -> None:
    """A stop too short for silence to be told: the first answer after it does."""
    with live(program, page, "--mailbox", mailbox, "--interval", "2") as publisher:
        publisher.wait_for("ready")
        serve_until(publisher, "line", 1, tool, mailbox, OFFSET)
        before = Page.read(page)
        hz = float(publisher.of("line")[0]["hz"])
        # What the page is between marker and line, a guest that answers once finds out.
        then = OFFSET - int(0.05 * hz)
        until = time.monotonic() + 30
        while (now := Page.read(page)).disruption_marker == before.disruption_marker:
            assert time.monotonic() < until, "the stop is not noticed"
            tool.ask("guest", mailbox, then, 1)
        assert now.clock_status == INITIALIZING
        assert now.disruption_marker == before.disruption_marker + 1


def test_answers_that_come_late_still_count(
        program: Path, page: Path, mailbox: Path, tool: Tool) -> None:
    """On a busy host no answer may come within the time that the publisher waits for one."""
    with live(program, page, "--mailbox", mailbox) as publisher:
        publisher.wait_for("ready")
        serve_until(publisher, "line", 1, tool, mailbox, OFFSET)
        lost: list[dict[str, object]] = [{"tries": 0}]
        # Were they not counted, the guest would be lost in each try; where the publisher itself did not run for
        # long, in some.
        for _ in range(TRIES):
            tool.ask("guest", mailbox, OFFSET, 1)
            known = len(publisher.of("guest"))
            # Each answer is 1 ms old when it is given, and nothing else is wrong.
            tool.ask("guest", mailbox, OFFSET, 1000, page, 0, 1000)
            assert Page.read(page).clock_status in (2, 3, UNKNOWN)
            lost = [each for each in publisher.of("guest")[known:] if not each["answers"]]
            if not lost:
                break
        assert not lost
        assert len({each["marker"] for each in publisher.of("line")}) == 1


@pytest.fixture
def machine(built: Path, page: Path, mailbox: Path) -> Iterator[Callable[[str], Machine]]:
    """Boots the guest under TCG with both pages; ends it with the test."""
    qemu = need("qemu-system-x86_64", "qemu-system-x86")
    started: list[Machine] = []

    def boot(line: str) -> Machine:
        ours, theirs = socket.socketpair()
        args = [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-M", "q35",
                "-m", "512M,slots=2,maxmem=16G", "-accel", "tcg", "-bios", str(firmware.qboot()),
                "-kernel", str(built / "tickbench.elf"), "-append", line, "-serial", "stdio",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                "-acpitable", f"file={built / 'vmclock.aml'}",
                "-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]
        for name, path, address in (("vc", page, PAGE_ADDRESS), ("mb", mailbox, MAILBOX_ADDRESS)):
            args += ["-object", f"memory-backend-file,share=on,size=2M,id={name},mem-path={path}",
                     "-device", f"pc-dimm,memdev={name},addr={address:#x}"]
        child = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                 pass_fds=[theirs.fileno()])
        theirs.close()
        started.append(Machine(child, Monitor(ours)))
        return started[-1]

    yield boot
    for each in started:
        each.child.kill()
        each.child.wait()


def test_stop_and_cont_of_a_real_guest_are_a_disruption_at_once(
        program: Path, page: Path, mailbox: Path, machine: Callable[[str], Machine]) -> None:
    """Under TCG the guest's counter stands still while QMP has stopped it."""
    with live(program, page, "--mailbox", mailbox) as publisher:
        publisher.wait_for("ready")
        guest = machine("scenario=lock clock=tsc duration=6")
        publisher.wait_for("line", 2, timeout=240)
        for stop in range(1, 3):
            count = len(publisher.of("offset"))
            before = int(publisher.of("offset")[-1]["cycles"])
            hz = float(publisher.of("line")[-1]["hz"])
            guest.monitor.send("stop")
            time.sleep(0.3)
            until = time.monotonic() + 60
            while (stopped := Page.read(page)).clock_status != UNKNOWN:
                assert time.monotonic() < until, "the silence is not noticed"
                time.sleep(0.005)
            guest.monitor.send("cont")
            # Whatever is seen next under the old marker is no line.
            until = time.monotonic() + 60
            while (now := Page.read(page)).disruption_marker == stopped.disruption_marker:
                assert now.clock_status == UNKNOWN
                assert time.monotonic() < until
                time.sleep(0.001)
            publisher.wait_for("offset", count + 1, timeout=240)
            lost_s = (before - int(publisher.of("offset")[-1]["cycles"])) / hz
            assert lost_s > 0.3
            publisher.wait_for("line", len(publisher.of("line")) + 1, timeout=240)
        told, _ = guest.child.communicate(timeout=120)
        verdicts = publisher.of("verdict")
    # On a busy host it may give up waiting for one.
    for verdict in verdicts:
        assert verdict["valid"]
        assert abs(float(verdict["difference_ns"])) <= int(verdict["maxerror_ns"]), told
    assert "every line of the page is taken" in told


def give_disk(monitor: Monitor, path: Path) -> None:
    """A qcow2 disk, made by QEMU itself, in which it can keep a snapshot."""
    path.touch()
    monitor.send("blockdev-add", driver="file", filename=str(path), **{"node-name": "file"})
    options = {"driver": "qcow2", "file": "file", "size": 1 << 20}
    monitor.send("blockdev-create", **{"job-id": "make", "options": options})
    until = time.monotonic() + 60
    while monitor.send("query-jobs")[0]["status"] != "concluded":
        assert time.monotonic() < until
        time.sleep(0.01)
    monitor.send("job-dismiss", id="make")
    monitor.send("blockdev-add", driver="qcow2", file="file", **{"node-name": "disk"})


def test_a_restored_snapshot_of_a_real_guest_is_a_disruption(
        program: Path, page: Path, mailbox: Path, machine: Callable[[str], Machine], tmp_path: Path) -> None:
    """QEMU writes the page of then into the file, which the publisher has written meanwhile."""
    def command(words: str) -> str:
        return str(guest.monitor.send("human-monitor-command", **{"command-line": words}))

    with live(program, page, "--mailbox", mailbox) as publisher:
        publisher.wait_for("ready")
        guest = machine("scenario=lock clock=tsc duration=4")
        publisher.wait_for("line", 2, timeout=240)
        assert "no block device can store vmstate" in command("savevm one"), "there is no disk yet"
        give_disk(guest.monitor, tmp_path / "disk")
        assert command("savevm one") == ""
        publisher.wait_for("line", len(publisher.of("line")) + 1, timeout=240)
        before, notes = Page.read(page), len(publisher.of("note"))
        assert command("loadvm one") == ""
        # On a busy machine the guest may be found silent first, which is a note as well.
        while "a restored snapshot" not in publisher.wait_for("note", notes + 1, timeout=240)["text"]:
            notes += 1
        after = Page.read(page)
        assert after.seq_count > before.seq_count
        assert after.disruption_marker > before.disruption_marker
        # The guest is taken up where it was, and gets a line again.
        publisher.wait_for("line", len(publisher.of("line")) + 1, timeout=240)
        told, _ = guest.child.communicate(timeout=120)
    assert re.search(r"^(not )?ok 1 lock", told, re.MULTILINE), told


def test_better_bounds_refine_the_offset_without_a_disruption(
        program: Path, page: Path, mailbox: Path, tool: Tool) -> None:
    with live(program, page, "--mailbox", mailbox, "--interval", "0.1") as publisher:
        publisher.wait_for("ready")
        # Answers 200 us late: the middle of such bounds is 100 us off.
        serve_until(publisher, "line", 1, tool, mailbox, OFFSET, page, 0, 200)
        serve_until(publisher, "offset", 2, tool, mailbox, OFFSET, page, 0)
        serve_until(publisher, "line", len(publisher.of("line")) + 2, tool, mailbox, OFFSET)
        lines, offsets = publisher.of("line"), publisher.of("offset")
        verdicts = publisher.of("verdict")
    assert float(offsets[0]["half_width_ns"]) > 90_000
    assert float(offsets[-1]["half_width_ns"]) < float(offsets[0]["half_width_ns"]) / 2
    assert len({line["marker"] for line in lines}) == 1
    assert all(abs(float(each["difference_ns"])) <= int(each["maxerror_ns"]) for each in verdicts)


def test_a_reading_of_the_line_before_is_judged_by_what_that_line_stated(
        program: Path, page: Path, mailbox: Path, tool: Tool) -> None:
    """The page steps to a better line while a guest still holds the one before."""
    with live(program, page, "--mailbox", mailbox) as publisher:
        publisher.wait_for("ready")
        # Answers 250 us late: such a line is 125 us off, and states more than that.
        serve_until(publisher, "line", 1, tool, mailbox, OFFSET, page, 0, 250)
        before, lines = Page.read(page), len(publisher.of("line"))
        serve_until(publisher, "offset", len(publisher.of("offset")) + 1, tool, mailbox, OFFSET)
        serve_until(publisher, "line", lines + 1, tool, mailbox, OFFSET)
        after = Page.read(page)
        assert after.disruption_marker == before.disruption_marker
        # 1000 cycles before the step, by the line before it, in UTC.
        step = next(line for line in publisher.of("line")[lines:] if line["stepped"])
        counter = int(step["counter"]) - 1000
        passed = (counter - before.counter_value) * before.period_frac >> before.shift
        time_frac = (before.time_sec << 64) + before.time_frac + passed
        sec = (time_frac >> 64) - (before.tai_offset_sec if before.time_type == 1 else 0)
        with mailbox.open("r+b") as file:
            file.seek(0xc8)
            file.write(struct.pack("<QQQ", counter, sec, time_frac & (1 << 64) - 1))
            file.seek(0xc0)
            file.write(struct.pack("<Q", 77))
        serve_until(publisher, "verdict", len(publisher.of("verdict")) + 1, tool, mailbox, OFFSET)
        verdict = publisher.of("verdict")[-1]
    assert verdict["post"] == 77 and verdict["valid"]
    assert abs(float(verdict["difference_ns"])) > int(step["maxerror_ns"]), "the lines differ too little"
    assert abs(float(verdict["difference_ns"])) <= int(verdict["maxerror_ns"])


def test_without_an_answer_the_page_stays_initializing(
        program: Path, page: Path, mailbox: Path, tmp_path: Path) -> None:
    with live(program, page, "--mailbox", mailbox) as publisher:
        publisher.wait_for("ready")
        time.sleep(0.5)
        there = Page.read(page)
        assert there.clock_status == INITIALIZING and not publisher.of("line")
    # Linux's driver asks just once, when it binds, in which scale the page tells the time.
    with live(program, tmp_path / "other", "--offset", "none") as publisher:
        publisher.wait_for("line")
        line = Page.read(tmp_path / "other")
    assert there.time_type == line.time_type
    assert there.tai_offset_sec == line.tai_offset_sec and there.flags & 1 == line.flags & 1


def events(tool: Tool, *words: object) -> list[dict[str, Any]]:
    """What the log says for one command, as JSON that has no NaN or Infinity."""
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    tool.send(*words)
    return [json.loads(line, parse_constant=refuse) for line in iter(tool.answer, "")]


@pytest.mark.parametrize("period", ["nan", "-nan", "inf", "-inf"])
def test_a_number_that_is_not_finite_is_null_in_the_log(tool: Tool, period: str) -> None:
    offset, line = events(tool, "log", 7, 5, period)
    assert offset["half_width_ns"] is None and offset["narrowest_ns"] is None and offset["cycles"] == 7
    assert line["residual_ns"] is None and line["slope_ns_per_s"] is None


def test_the_offset_is_logged_when_it_or_its_bounds_change(tool: Tool) -> None:
    said = [[each["half_width_ns"] for each in events(tool, "log", offset, half, 0.5) if each["event"] == "offset"]
            for offset, half in ((7, 10), (7, 10), (7, 8), (8, 8), (8, 8), (7, 10))]
    assert said == [[5], [], [4], [4], [], [5]]


@pytest.mark.parametrize(("offset", "ratio", "bits"), [
    (-5_000_000_000, None, None),
    (-5_000_000_000, 1 << 48, 48),
    (12_345, (1 << 48) * 3 // 2, 48),
    (-(1 << 62), 0x00000001_20000000, 32),
])
def test_kvm_offset_and_scaling_ratio(tool: Tool, tmp_path: Path, offset: int, ratio: int | None,
                                      bits: int | None) -> None:
    folder = tmp_path / "4711-13" / "vcpu0"
    folder.mkdir(parents=True)
    (tmp_path / "471-12" / "vcpu0").mkdir(parents=True)
    (folder / "tsc-offset").write_text(f"{offset}\n")
    if ratio is not None:
        (folder / "tsc-scaling-ratio").write_text(f"{ratio}\n")
        (folder / "tsc-scaling-ratio-frac-bits").write_text(f"{bits}\n")
    host = 7_000_000_123_457
    guest, back = map(int, tool.ask("kvm", tmp_path, 4711, host))
    assert guest == ((host * (ratio or 1) >> (bits or 0)) + offset) % (1 << 64)
    assert abs(back - host) <= 1
    assert tool.ask("kvm", tmp_path, 4712, host) == ["none"]


def test_kvm_tells_the_publisher(program: Path, page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "99-1" / "vcpu0"
    folder.mkdir(parents=True)
    (folder / "tsc-offset").write_text("-1000\n")
    pidfile = tmp_path / "pid"
    with live(program, page, "--debugfs", tmp_path, "--qemu-pidfile", pidfile) as publisher:
        assert publisher.wait_for("ready")["waiting"] is True
        pidfile.write_text("99\n")
        offset = publisher.wait_for("offset")
        assert (offset["cycles"], offset["source"], offset["half_width_ns"]) == (-1000, "kvm", 0)
        (folder / "tsc-offset").write_text("-2000\n")
        assert publisher.wait_for("offset", 2)["cycles"] == -2000

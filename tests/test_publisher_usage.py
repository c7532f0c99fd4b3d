# SPDX-License-Identifier: GPL-2.0-or-later
"""The publisher as a program: its arguments, its help, its end, and the sanitizers. Assumes an x86 host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pagetool import Page, Tool, run
from publishing import OFFSET, STATIC, UNRELIABLE, live, serve_until


def test_it_ends_when_its_parent_is_killed(program: Path, page: Path) -> None:
    script = ("import subprocess, sys, time\n"
              "child = subprocess.Popen(sys.argv[1:])\n"
              "print(child.pid, flush=True)\n"
              "time.sleep(60)\n")
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(program), "--page", str(page), "--die-with-parent",
         "--warm-up", "0.05", "--json"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    lines = [parent.stdout.readline() for _ in range(4)]
    pid = next(int(line) for line in lines if line.strip().isdigit())
    parent.kill()
    parent.wait()
    until = time.monotonic() + 60
    while Path("/proc", str(pid)).exists() and time.monotonic() < until:
        state = Path("/proc", str(pid), "stat")
        try:
            if state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                break  # whoever adopted it has yet to look
        except OSError:
            break
        time.sleep(0.02)
    else:
        if Path("/proc", str(pid)).exists():
            os.kill(pid, signal.SIGKILL)
            pytest.fail("it went on without its parent")
    parent.stdout.close()
    assert Page.read(page).clock_status == UNRELIABLE


@pytest.mark.parametrize(("args", "says"), [
    ([], "--page"),
    (["--page", "/nonexistent/shm/page"], "does not exist"),
    (["--page", "/dev/null"], "cannot use"),
    (["--page", "x", "--mailbox", "x"], "another file"),
    (["--page", "x", "--offset", "mailbox"], "--mailbox"),
    (["--page", "x", "--offset", "kvm"], "--qemu-pid"),
    (["--page", "x", "--offset", "twelve"], "cycles"),
    (["--page", "x", "--interval", "0"], "0.05 to 2"),
    (["--page", "x", "--interval", "2.1"], "0.05 to 2"),
    (["--page", "x", "--duration", "-1"], "seconds"),
    (["--page", "x", "--status", "fine"], "synchronized"),
    (["--page", "x", "--qemu-pid", "0"], "process id"),
    (["--page", "x", "--static", "counter=1"], "period-hz"),
    (["--page", "x", "--static", "counter=1,time=2,period-hz=0"], "period-hz"),
    (["--page", "x", "--static", "counter=1,time=2,period-hz=1099511627776"], "period-hz"),
    (["--page", "x", "--static", "counter=1,time=2x,period-hz=1000"], "time"),
    (["--page", "x", "--static", "counter=1,time=4611686018427387904,period-hz=1000"], "time"),
    (["--page", "x", "--static", "colour=1"], "counter"),
    (["--page", "/dev/stdin", "--stress"], "symbolic link"),
    (["--page", "x", "--frob"], "--help"),
    (["page"], "no option"),
    (["--static", f"{STATIC},tai=32768"], "tai takes a number in its range (see --help), not \"32768\""),
    (["--static", f"{STATIC},rate-ppm=100000.1"], "rate-ppm takes a number in its range"),
    (["--static", f"{STATIC},marker=x"], "marker takes a number in its range"),
    (["--static", f"{STATIC},type=monotonic"], "counter, time, period-hz, rate-ppm, type, tai and marker"),
    (["--static", f"{STATIC},hz=1"], "counter, time, period-hz, rate-ppm, type, tai and marker"),
])
def test_bad_arguments_are_named(
        page_programs: Path, tmp_path: Path, args: list[str], says: str) -> None:
    result = subprocess.run([str(page_programs / "vmclock-host-san"), *args], capture_output=True,
                            text=True, cwd=tmp_path, timeout=100)
    assert result.returncode == 2 and says in result.stderr
    assert not (tmp_path / "x").exists()


def test_help_names_every_option(program: Path) -> None:
    text = run(program, "--help")
    assert text.returncode == 0
    for option in ("page", "mailbox", "force", "offset", "qemu-pid", "qemu-pidfile", "interval", "duration",
                   "warm-up", "status", "static", "stress", "check", "host-device", "leap-list",
                   "debugfs", "json", "die-with-parent"):
        assert f"--{option}" in text.stdout


def test_sanitized_publisher_runs_clean(
        page_programs: Path, page: Path, mailbox: Path, tool: Tool) -> None:
    with live(page_programs / "vmclock-host-san", page, "--mailbox", mailbox, "--interval",
              "0.05") as publisher:
        publisher.wait_for("ready")
        serve_until(publisher, "line", 5, tool, mailbox, OFFSET, page, 0)
        assert publisher.stop() == 0
        assert publisher.child.stderr and publisher.child.stderr.read() == ""
    checked = run(page_programs / "vmclock-host-san", "--check", page)
    assert checked.returncode == 2


def test_commands_of_the_document_run(program: Path, page: Path, root: Path) -> None:
    text = (root / "docs" / "page.md").read_text()
    blocks = [block for block in text.split("```sh\n")[1:] if "vmclock-host" in block.split("```")[0]]
    assert len(blocks) == 1
    script = blocks[0].split("```")[0].replace("build/vmclock-host", str(program)).replace(
        "/dev/shm/vmclock", str(page))
    done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    claims = [line for line in done.stdout.splitlines() if line.startswith("ok ")]
    assert claims == [line for line in text.splitlines() if line.startswith("ok ")]

# SPDX-License-Identifier: GPL-2.0-or-later
"""Stand-ins for QEMU and the publisher, and serial logs as a guest writes them, for the tests of the runner,
which need no guest. Fixtures that run run-qemu.sh with them; conftest.py loads this module as a plugin.
Assumes a POSIX shell and Python."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Ended
from runner import scenarios

RunQemu = Callable[..., Ended]

VERSION = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)"


def subtest(name: str, claims: list[str]) -> str:
    lines = ["KTAP version 1", f"# Subtest: {name}", "# param core native", "# param switches all",
             "# param clock virtual", "# param counter_hz 2596146000",
             "# param counter_source given", "# param hz 1000", f"# param scenario {name}",
             "# metric max_abs_ns 0.155421 ns", "# metric rms_ns 0.072000 ns",
             "# metric drift_ns_per_s 0.000003 ns/s", "# metric mult_step_ns 0.154742 ns"]
    lines += [f"{claim.split(' ', 1)[0] if not claim.startswith('not') else 'not ok'} {number} "
              f"{claim.removeprefix('not ').split(' ', 1)[1]}" for number, claim in enumerate(claims, 1)]
    lines.append(f"1..{len(claims)}")
    return "".join(f"    {line}\n" for line in lines)


def log(*runs: tuple[str, list[str]]) -> str:
    """A whole serial log. Claims are "ok sentence", "not ok sentence", "ok sentence # SKIP why"."""
    text = f"KTAP version 1\n1..{len(runs)}\n"
    for number, (name, claims) in enumerate(runs, 1):
        ok = "not ok" if any(claim.startswith("not") for claim in claims) else "ok"
        skip = " # SKIP see its lines" if all("# SKIP" in claim for claim in claims) else ""
        text += subtest(name, claims) + f"{ok} {number} {name}{skip}\n"
    return text


def program(path: Path, body: str) -> Path:
    path.write_text(body)
    path.chmod(0o755)
    return path


def qemu(folder: Path, body: str, version: str = VERSION) -> Path:
    """A QEMU that tells its version, and else does what `body` (a shell script) says; its command
    line is left in qemu.args, its process id in qemu.pid."""
    return program(folder / "qemu", f"""#!/bin/sh
if [ "$1" = --version ]; then echo '{version}'; exit 0; fi
printf '%s\\n' "$@" >{folder}/qemu.args
echo $$ >{folder}/qemu.pid
{body}
""")


def serial(folder: Path, text: str, status: int) -> str:
    """A body that writes a serial log and ends."""
    (folder / "serial.text").write_text(text)
    return f"cat {folder}/serial.text; exit {status}"


def paused_qemu(folder: Path, state: str = "internal-error") -> Path:
    """A QEMU that says over its monitor that it has stopped in a state, and stays."""
    return program(folder / "qemu", f"""#!{sys.executable}
import json, os, re, socket, sys, time
if sys.argv[1:2] == ["--version"]:
    print({VERSION!r})
    sys.exit()
open({str(folder / "qemu.pid")!r}, "w").write(str(os.getpid()))
fd = int(re.search(r"socket,id=qmp,fd=(\\d+)", " ".join(sys.argv))[1])
monitor = socket.socket(fileno=fd)
say = lambda **message: monitor.sendall(json.dumps(message).encode() + b"\\r\\n")
print("KVM internal error. Suberror: 1", file=sys.stderr, flush=True)
say(QMP={{}})
rest, running = b"", True
while True:
    rest += monitor.recv(4096)
    *lines, rest = rest.split(b"\\n")
    for line in lines:
        command = json.loads(line)["execute"]
        if command != "query-status":
            say(**{{"return": {{}}}})
        elif running:
            say(**{{"return": {{"status": "running", "running": True}}}})
            running = False
            say(event="STOP", timestamp={{}})
        else:
            say(**{{"return": {{"status": {state!r}, "running": False}}}})
""")


def publisher(path: Path, body: str = "while :; do sleep 0.05; done") -> Path:
    """A publisher that makes a page and a mailbox with the right beginnings."""
    return program(path, f"""#!/bin/sh
while [ $# -gt 1 ]; do
	case $1 in --page) page=$2 ;; --mailbox) mailbox=$2 ;; esac
	shift
done
truncate -s 2M "$mailbox"
truncate -s 2M "$page"
printf VCLK | dd of="$page" conv=notrunc status=none
echo $$ >"{path}.pid"
trap 'exit 0' TERM
{body}
""")


def build_folder(folder: Path) -> Path:
    """A build folder that holds what the runner looks for, and nothing that works."""
    folder.mkdir()
    for name in ("tickbench.elf", "tickbench.efi", "probe.elf", "vmclock.aml"):
        (folder / name).write_bytes(b"fake")
    (folder / scenarios.LIST).write_text(json.dumps([{
        "name": "lock", "claim": "it holds", "default": True,
        "needs": {"page": True, "virtual_clock": False, "notification": False, "memory_mib": 512,
                  "cpus": 1, "cpu_flags": ""},
        "duration_ms": {"virtual": 1000000, "tsc": 10000}}]))
    publisher(folder / "vmclock-host")
    return folder


GOOD = log(("lock", ["ok it holds", "ok it holds still"]))


@pytest.fixture
def fake_build(tmp_path: Path) -> Path:
    return build_folder(tmp_path / "build")


def alive(pid_file: Path) -> bool:
    """Whether the process whose id a file holds still runs."""
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
def run_fake(tmp_path: Path, fake_build: Path, run_qemu: RunQemu) -> RunQemu:
    """run-qemu.sh with a fake QEMU; afterwards nothing may be left."""
    (tmp_path / "shm").mkdir()

    def run(body: str | None, *arguments: str, **more: Any) -> Ended:
        if body is not None:
            qemu(tmp_path, body)
        env = {"TICKBENCH_SHM": str(tmp_path / "shm"), **more.pop("env", {})}
        ended = run_qemu("--accel", "tcg", "--qemu", str(tmp_path / "qemu"), *arguments,
                         build=fake_build, env=env, **more)
        assert_nothing_left(tmp_path)
        return ended

    return run

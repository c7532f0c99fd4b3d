# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs commands on GNU parallel, here or on other hosts (--sshlogin): it places them, transfers the programs,
tries a failed one on another host, and removes what it transferred. This module only writes its command
line and reads the lines that come back. Assumes GNU parallel 20221122 (Debian 12) or later; a host needs
perl, rsync and the C library that the programs were linked with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner import process
from runner.errors import CannotRun, Problem, output_error

RETRIES = 3
NAME = "tickbench-matrix-"
ENDS_S = 5.0


@dataclass(frozen=True)
class Hosts:
    """Where: GNU parallel's --sshlogin words, none for here; ssh: another program in ssh's place."""

    logins: tuple[str, ...] = ()
    ssh: str | None = None
    jobs: int | None = None  # at the same time on a host; None: one a core


@dataclass
class Outcome:
    """What did not come to its end."""

    failed: dict[int, str] = field(default_factory=dict)  # by job: the host of its last try, and the status
    words: str = ""  # what stood on stderr


def find() -> str:
    """GNU parallel's path; CannotRun if it is missing, or is another program of that name."""
    path = shutil.which("parallel")
    if path:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
        if said.startswith("GNU parallel"):
            return path
        raise CannotRun(Problem.PARALLEL_MISSING, f"{path} is not GNU parallel")
    raise CannotRun(Problem.PARALLEL_MISSING, "GNU parallel is missing")


@contextmanager
def staged(programs: Mapping[str, Path]) -> Iterator[Path]:
    """A folder below the home folder that has the programs under their names, for as long as it is used: a
    host gets the same, so a command is the same everywhere."""
    home = Path(os.environ.get("HOME") or Path.home())
    try:
        base = home / ".cache/tickbench"
        base.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=NAME, dir=base))
    except OSError as error:
        raise output_error(error, home / ".cache/tickbench") from error
    try:
        for name, path in programs.items():
            shutil.copy(path, folder / name)
        yield folder
    except OSError as error:
        raise output_error(error, folder) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _command(folder: Path, programs: Mapping[str, Path], hosts: Hosts, log: Path) -> list[str]:
    # --plain: no profile and no $PARALLEL of the user's changes what is run.
    # PARALLEL_SHELL: else jobs run in $SHELL, whatever that is, and none where it is not set.
    made = ["env", "PARALLEL_SHELL=/bin/sh", find(), "--plain", "--will-cite", "--line-buffer", "--tagstring", "{#}",
            "--joblog", str(log), "--retries", str(RETRIES)]
    if hosts.ssh:
        made += ["--ssh", hosts.ssh]
    if not hosts.logins:
        return [*made, "-j", str(hosts.jobs or os.cpu_count() or 1)]
    where = folder.relative_to(folder.parents[2])  # of the home folder, there as here
    made += [*(["-j", str(hosts.jobs)] if hosts.jobs else []), "--cleanup", "--workdir", str(where)]
    for login in hosts.logins:
        made += ["--sshlogin", login]
    for name in programs:
        made += ["--basefile", f"{where}/./{name}"]
    return made


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends parallel and its jobs: the first SIGTERM lets jobs end, the second one ends them."""
    for _ in range(2):
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            time.sleep(0.2)
    try:
        child.wait(ENDS_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
    process.end(child)


def _failures(log: Path, jobs: int) -> dict[int, str]:
    """By job: the host where it was tried last, and its status there."""
    found = {}
    lines = log.read_text(errors="replace").splitlines()[1:] if log.exists() else []
    for line in lines:
        parts = line.split("\t")
        if len(parts) >= 8 and parts[0].isdigit() and 0 < int(parts[0]) <= jobs:
            number = int(parts[0]) - 1
            if parts[6] != "0" or parts[7] != "0":
                found[number] = f"host {'this' if parts[1] == ':' else parts[1]}, status {parts[6]}"
            else:
                found.pop(number, None)
    return found


def run(jobs: Sequence[str], programs: Mapping[str, Path], hosts: Hosts, work: Path,
        heard: Callable[[int, str], None]) -> Outcome:
    """Runs commands for the shell, on as many cores as there are; heard(job, line) gets each line of JSON as it
    comes, with the number of its job, from 0. A job that is tried again says its lines again. programs: by the
    name that commands use, ./NAME. work: a folder for the logs."""
    with staged(programs) as folder:
        todo, log, words = work / "jobs", work / "joblog", work / "parallel.log"
        log.unlink(missing_ok=True)
        todo.write_text("".join(f"{job}\n" for job in jobs))
        command = [*_command(folder, programs, hosts, log.resolve()), "-a", str(todo.resolve())]
        with words.open("wb") as stderr:
            # The folders of hosts, and of this one beside them, are named from the home folder on.
            child = process.start(command, stderr=stderr, cwd=folder.parents[2] if hosts.logins else folder)
        try:
            assert child.stdout
            for raw in child.stdout:
                tag, _, line = raw.decode(errors="replace").rstrip("\n").partition("\t")
                if tag.isdigit() and line.startswith("{") and line.endswith("}"):
                    heard(int(tag) - 1, line)
            child.wait()
        finally:
            _end(child)
        return Outcome(_failures(log, len(jobs)), words.read_text(errors="replace"))

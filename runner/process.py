# SPDX-License-Identifier: GPL-2.0-or-later
"""Child processes that never outlive this one: each is killed when its parent dies, however that happens,
and has a session of its own, so that Ctrl-C reaches it only through its parent. Assumes Linux, and that
children are started from the main thread (the death signal is tied to the thread)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


# Python's hooks around a fork drop what a handler raises: these signals wait until the child exists.
_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _die_with(parent: int, by: int = signal.SIGKILL, file_bytes: int | None = None) -> Callable[[], None]:
    def in_child() -> None:
        if file_bytes is not None:
            # With the signal ignored, a write beyond the limit fails with EFBIG and ends nothing.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        # The handlers of the parent must not run here: a pending signal ends the child.
        for number in _HELD:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
        _libc.prctl(PR_SET_PDEATHSIG, by, 0, 0, 0)
        # The parent may have died before the call above.
        if os.getppid() != parent:
            os._exit(1)

    return in_child


def start(
    command: Sequence[str],
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
    file_bytes: int | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a program without input. file_bytes: no file that it writes may become longer. cwd: its folder.
    OSError if it cannot be started."""
    with _signals_held():
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(pass_fds),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid(), file_bytes=file_bytes),
        )
    return child


def hear(
    command: Sequence[str], cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Runs a program to its end: its status and its output. If this process is interrupted or dies, the
    program gets SIGTERM, so that a make can end its own children."""
    with _signals_held():
        child = subprocess.Popen(
            list(command), cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
            preexec_fn=_die_with(os.getpid(), signal.SIGTERM))
    with child:
        try:
            words, _ = child.communicate()
        except BaseException:
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(2.0)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
            raise
    return child.returncode, words


@dataclass(frozen=True)
class Job:
    """A program to be run beside others."""

    command: Sequence[str]
    cwd: str | os.PathLike[str] | None = None
    env: Mapping[str, str] | None = None


def together(jobs: Sequence[Job], meanwhile: Callable[[], None] | None = None) -> list[tuple[int, str]]:
    """Runs programs side by side, each as hear() does; their statuses and outputs. meanwhile is called while they
    run."""
    children: list[subprocess.Popen[str]] = []
    try:
        for job in jobs:
            with _signals_held():
                children.append(subprocess.Popen(
                    list(job.command), cwd=job.cwd, env=job.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
                    preexec_fn=_die_with(os.getpid(), signal.SIGTERM)))
        if meanwhile:
            meanwhile()
        words = [child.communicate()[0] for child in children]
    finally:
        for child in children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
                child.wait()
    return [(child.returncode, said) for child, said in zip(children, words)]


def end(child: subprocess.Popen[bytes], grace: float = 1.0) -> int:
    """Sends SIGTERM, and SIGKILL after `grace` seconds; returns the exit status. Idempotent."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for stream in (child.stdout, child.stderr):
        if stream:
            stream.close()
    return child.returncode

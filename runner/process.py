# SPDX-License-Identifier: GPL-2.0-or-later
"""Child processes that never outlive us: each dies with its parent, even one that was killed, and
is in a session of its own, so that Ctrl-C reaches it only through us. Assumes Linux, and that
children are started from the main thread (the death signal is tied to the thread)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


# Python's hooks around a fork swallow what a handler raises: these wait until a child is there.
_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _die_with(parent: int, by: int = signal.SIGKILL) -> Callable[[], None]:
    def in_child() -> None:
        # A handler of ours must not run here: what is pending ends the child.
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
) -> subprocess.Popen[bytes]:
    """Starts a program with no input. OSError if it cannot be."""
    with _signals_held():
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),
        )
    return child


def hear(
    command: Sequence[str], cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Runs a program to its end: its status, and all it said. Interrupted, or should we die, it is
    asked to end, as a make must be to end its own children."""
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


def end(child: subprocess.Popen[bytes], grace: float = 1.0) -> int:
    """Asks a child to end, then makes it; its status. Idempotent."""
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

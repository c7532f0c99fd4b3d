# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one QEMU to its end and says how it ended. It never waits for ever: a guest that says nothing,
stops talking or takes too long is ended, and so is a QEMU that is paused on an internal error, which
QMP tells. Assumes that serial is QEMU's stdout."""

from __future__ import annotations

import enum
import json
import os
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from runner import process


class End(enum.Enum):
    """How a guest ended."""

    STATUS = "it said so"
    NO_STATUS = "QEMU ended well, without a status of the guest's"
    QEMU_FAILED = "QEMU itself failed"
    INTERNAL_ERROR = "QEMU paused on an internal error"
    SILENT = "not one byte over serial"
    STALLED = "it stopped talking"
    TOO_LONG = "it ran out of its time"


@dataclass(frozen=True)
class Outcome:
    """How a QEMU ended, its status, and all it said."""

    end: End
    code: int  # the guest's, with End.STATUS; else QEMU's status
    serial: bytes
    stderr: str
    seconds: float


@dataclass
class Limits:
    """Seconds: until the first byte, between lines (the listener may change it as it learns what
    comes), and for all."""

    first: float = 20.0
    quiet: float = 30.0
    total: float = 120.0


class Qmp:
    """Just enough of QEMU's monitor to be told that it has stopped, and why."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self._rest = b""

    def send(self, command: str) -> None:
        try:
            self.ours.send(json.dumps({"execute": command}).encode() + b"\n")
        except OSError:
            pass  # QEMU is gone, which its status will say

    def answer(self) -> bool:
        """Reads what came; true once QEMU says that it is in an internal error."""
        try:
            data = self.ours.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            raise EOFError
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if "QMP" in message:
                self.send("qmp_capabilities")
                self.send("query-status")
            elif message.get("event") == "STOP":
                self.send("query-status")
            elif isinstance(message.get("return"), dict):
                if message["return"].get("status") == "internal-error":
                    return True
        return False

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


def _ended(status: int) -> tuple[End, int]:
    """QEMU's exit status as (code << 1) | 1 of isa-debug-exit; 1 alone is QEMU's own failure."""
    if status == 0:
        return End.NO_STATUS, 0
    if status > 1 and status & 1:
        return End.STATUS, status >> 1
    return End.QEMU_FAILED, status


def watch(
    command_for: Callable[[int], Sequence[str]],
    limits: Limits,
    on_bytes: Callable[[bytes, Limits], None] = lambda data, limits: None,
    on_idle: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Starts the QEMU whose command line command_for(QMP's file descriptor) gives, and hands each
    piece of serial output to on_bytes as it comes. Ends QEMU whatever happens."""
    qmp = Qmp()
    started = clock()
    serial, stderr = bytearray(), bytearray()
    child: subprocess.Popen[bytes] | None = None
    try:
        child = process.start(command_for(qmp.theirs.fileno()), pass_fds=[qmp.theirs.fileno()])
        qmp.theirs.close()
        end = _listen(child, qmp, limits, serial, stderr, on_bytes, on_idle, clock, started)
        if end is None:
            end, code = _ended(child.wait())
        else:
            code = 0
        return Outcome(end, code, bytes(serial), stderr.decode(errors="replace"),
                       clock() - started)
    finally:
        if child:
            process.end(child, grace=0.3)
        qmp.close()


def _listen(
    child: subprocess.Popen[bytes],
    qmp: Qmp,
    limits: Limits,
    serial: bytearray,
    stderr: bytearray,
    on_bytes: Callable[[bytes, Limits], None],
    on_idle: Callable[[], None],
    clock: Callable[[], float],
    started: float,
) -> End | None:
    """Collects until QEMU has closed its output (None), or there is a reason to end it."""
    assert child.stdout and child.stderr
    heard = started
    with selectors.DefaultSelector() as selector:
        streams: list[IO[bytes] | socket.socket] = [child.stdout, child.stderr, qmp.ours]
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while child.stdout in {key.fileobj for key in selector.get_map().values()}:
            now = clock()
            if now - started > limits.total:
                return End.TOO_LONG
            if not serial and now - started > limits.first:
                return End.SILENT
            if serial and now - heard > limits.quiet:
                return End.STALLED
            for key, _ in selector.select(timeout=0.1):
                if key.fileobj is qmp.ours:
                    try:
                        if qmp.answer():
                            return End.INTERNAL_ERROR
                    except EOFError:
                        selector.unregister(qmp.ours)
                    continue
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is child.stderr:
                    stderr += data
                else:
                    serial += data
                    heard = clock()
                    on_bytes(data, limits)
            on_idle()
        # What QEMU said last may still be on its way.
        while child.stderr in {key.fileobj for key in selector.get_map().values()}:
            if not selector.select(timeout=1.0) or not (data := os.read(child.stderr.fileno(), 65536)):
                break
            stderr += data
    try:
        child.wait(timeout=5.0)
    except subprocess.TimeoutExpired:
        return End.STALLED
    return None

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
    PAUSED = "QEMU stays in a state that a guest does not return from"
    TOO_MUCH = "it wrote more than it may"
    SILENT = "not one byte over serial"
    STALLED = "it stopped talking"
    TOO_LONG = "it ran out of its time"


@dataclass(frozen=True)
class Outcome:
    """How a QEMU ended, its status, and what it said, within Limits."""

    end: End
    code: int  # the guest's, with End.STATUS; else QEMU's status
    serial: bytes
    stderr: str
    seconds: float
    state: str = ""  # QEMU's own word for the state, with End.PAUSED


@dataclass
class Limits:
    """Seconds: until the first byte, between lines (the listener may change it as it learns what
    comes), and for all. Bytes: of serial output, after which QEMU is ended (a whole report has some
    kilobytes), and of stderr, of which the beginning and the end are kept."""

    first: float = 20.0
    quiet: float = 30.0
    total: float = 120.0
    serial_bytes: int = 4 << 20
    stderr_bytes: int = 64 << 10


# QEMU's states (QAPI's RunState) that end in nothing but a time-out here.
FINAL_STATES = ("internal-error", "postmigrate", "guest-panicked", "io-error", "watchdog")
MONITOR_BYTES = 1 << 20


class Ends:
    """Keeps the beginning and the end of what is added to it, and says how much it left out."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._first, self._last, self._left_out = bytearray(), bytearray(), 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._first)
        self._first += data[:room]
        self._last += data[room:]
        over = max(len(self._last) - self._half, 0)
        del self._last[:over]
        self._left_out += over

    def text(self) -> str:
        cut = f"\n[{self._left_out} bytes left out]\n".encode() if self._left_out else b""
        return bytes(self._first + cut + self._last).decode(errors="replace")


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

    def answer(self) -> str:
        """Reads what came; one of FINAL_STATES once QEMU says that it is in that, else empty. EOFError
        once QEMU has closed the monitor."""
        try:
            data = self.ours.recv(65536)
        except BlockingIOError:
            return ""
        except OSError:
            data = b""
        if not data:
            raise EOFError
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-MONITOR_BYTES:]
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if not isinstance(message, dict):
                continue
            if "QMP" in message:
                self.send("qmp_capabilities")
                self.send("query-status")
            elif message.get("event") == "STOP":
                self.send("query-status")
            elif isinstance(message.get("return"), dict):
                state = message["return"].get("status")
                if state in FINAL_STATES:
                    return str(state)
        return ""

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
    listener = _Listener(qmp, limits, on_bytes, on_idle, clock)
    child: subprocess.Popen[bytes] | None = None
    code = 0
    try:
        child = process.start(command_for(qmp.theirs.fileno()), pass_fds=[qmp.theirs.fileno()])
        qmp.theirs.close()
        end = listener.listen(child)
        if end is None:
            end, code = _ended(child.wait())
        return Outcome(end, code, bytes(listener.serial), listener.stderr.text(),
                       clock() - listener.started, listener.state)
    finally:
        if child:
            process.end(child, grace=0.3)
        qmp.close()


class _Listener:
    """Collects what a QEMU says, until it has closed its output or there is a reason to end it."""

    def __init__(
        self, qmp: Qmp, limits: Limits, on_bytes: Callable[[bytes, Limits], None],
        on_idle: Callable[[], None], clock: Callable[[], float],
    ) -> None:
        self.serial, self.stderr, self.state = bytearray(), Ends(limits.stderr_bytes), ""
        self._qmp, self._limits, self._clock = qmp, limits, clock
        self._on_bytes, self._on_idle = on_bytes, on_idle
        self.started = self._heard = clock()

    def listen(self, child: subprocess.Popen[bytes]) -> End | None:
        """None: it has closed its output and ended."""
        assert child.stdout and child.stderr
        with selectors.DefaultSelector() as selector:
            streams: list[IO[bytes] | socket.socket] = [child.stdout, child.stderr, self._qmp.ours]
            for stream in streams:
                selector.register(stream, selectors.EVENT_READ)
            while child.stdout in {key.fileobj for key in selector.get_map().values()}:
                if (end := self._over()) or (end := self._turn(child, selector)):
                    return end
                self._on_idle()
            # What QEMU said last may still be on its way.
            while child.stderr in {key.fileobj for key in selector.get_map().values()}:
                if self._clock() - self.started > self._limits.total or not selector.select(timeout=1.0):
                    break
                if not (data := os.read(child.stderr.fileno(), 65536)):
                    break
                self.stderr.add(data)
        try:
            child.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            return End.STALLED
        return None

    def _over(self) -> End | None:
        """Which limit has been passed."""
        now, limits = self._clock(), self._limits
        if now - self.started > limits.total:
            return End.TOO_LONG
        if not self.serial and now - self.started > limits.first:
            return End.SILENT
        if self.serial and now - self._heard > limits.quiet:
            return End.STALLED
        return None

    def _turn(self, child: subprocess.Popen[bytes], selector: selectors.BaseSelector) -> End | None:
        """Takes what has come from each of the three."""
        for key, _ in selector.select(timeout=0.1):
            if key.fileobj is self._qmp.ours:
                try:
                    self.state = self._qmp.answer()
                except EOFError:
                    selector.unregister(self._qmp.ours)
                if self.state:
                    return End.INTERNAL_ERROR if self.state == "internal-error" else End.PAUSED
                continue
            data = os.read(key.fd, 65536)
            if not data:
                selector.unregister(key.fileobj)
            elif key.fileobj is child.stderr:
                self.stderr.add(data)
            else:
                room = self._limits.serial_bytes - len(self.serial)
                self.serial += data[:room]
                self._heard = self._clock()
                self._on_bytes(data[:room], self._limits)
                if len(data) > room:
                    return End.TOO_MUCH
        return None

# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one QEMU to its end, as a sequence of events: serial output, idle moments, and how it ended. The
wait is bounded: a guest that prints nothing, stops printing or takes too long is ended, and so is a QEMU
that is paused on an internal error, which it reports over QMP. The limits belong to the caller, who may
change them between two events; nothing here does. Assumes that the serial port is QEMU's stdout."""

from __future__ import annotations

import enum
import json
import os
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from runner import process


class End(enum.Enum):
    """How a guest ended."""

    STATUS = "the guest gave a status"
    NO_STATUS = "QEMU exited with 0, without a status from the guest"
    QEMU_FAILED = "QEMU itself failed"
    INTERNAL_ERROR = "QEMU paused on an internal error"
    PAUSED = "QEMU is in a state from which a guest does not resume"
    TOO_MUCH = "the guest wrote more than the limit"
    SILENT = "the guest wrote nothing over serial"
    STALLED = "the guest stopped writing"
    TOO_LONG = "the total time has passed"


@dataclass(frozen=True)
class Outcome:
    """How a QEMU ended, and its output up to the limits. `code` is the guest's status with End.STATUS,
    else QEMU's exit status; `state` is QEMU's name of its state with End.PAUSED."""

    end: End
    code: int
    serial: bytes
    stderr: str
    seconds: float
    state: str = ""


@dataclass(frozen=True)
class Output:
    """A piece of serial output."""

    data: bytes


@dataclass(frozen=True)
class Idle:
    """Some 0.1 s have passed, or all that had come was handed over: a moment to look at other things."""


@dataclass(frozen=True)
class Ended:
    """The last event. QEMU is stopped when it is delivered."""

    outcome: Outcome


Event = Output | Idle | Ended


@dataclass
class Limits:
    """Seconds until the first byte, between two pieces of output, and in total. Bytes of serial output,
    after which QEMU is ended (a whole report has some kilobytes), and of stderr, of which the first and
    the last half are kept. The seconds are read anew before each wait."""

    first: float = 20.0
    quiet: float = 30.0
    total: float = 120.0
    serial_bytes: int = 4 << 20
    stderr_bytes: int = 64 << 10


# QEMU's states (QAPI's RunState) that would last until a time limit.
FINAL_STATES = ("internal-error", "postmigrate", "guest-panicked", "io-error", "watchdog")
MONITOR_BYTES = 1 << 20


class Ends:
    """Keeps the first and the last half of `limit` bytes of a stream, and counts the bytes between them."""

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
    """The part of QEMU's monitor that reports when QEMU has stopped, and why."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self._rest = b""

    def send(self, command: str) -> None:
        try:
            self.ours.send(json.dumps({"execute": command}).encode() + b"\n")
        except OSError:
            pass  # QEMU has exited, as its status will show

    def answer(self) -> str:
        """Reads the messages that have come: one of FINAL_STATES if QEMU reports it, else empty. EOFError
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


def events(
    command_for: Callable[[int], Sequence[str]], limits: Limits, clock: Callable[[], float] = time.monotonic,
) -> Generator[Event, None, None]:
    """Starts the QEMU whose command line command_for(QMP's file descriptor) gives, and yields its events
    up to one Ended. Closing the iterator ends QEMU: a caller that may leave early uses
    contextlib.closing()."""
    qmp = Qmp()
    listener = _Listener(qmp, limits, clock)
    child: subprocess.Popen[bytes] | None = None
    try:
        child = process.start(command_for(qmp.theirs.fileno()), pass_fds=[qmp.theirs.fileno()])
        qmp.theirs.close()
        yield from listener.listen(child)
        end, code = (listener.end, 0) if listener.end else _ended(child.wait())
        seconds = clock() - listener.started
    finally:
        if child:
            process.end(child, grace=0.3)
        qmp.close()
    yield Ended(Outcome(end, code, bytes(listener.serial), listener.stderr.text(), seconds, listener.state))


class _Listener:
    """Collects the output of a QEMU until QEMU has closed it, or until there is a reason to end QEMU."""

    def __init__(self, qmp: Qmp, limits: Limits, clock: Callable[[], float]) -> None:
        self.serial, self.stderr, self.state = bytearray(), Ends(limits.stderr_bytes), ""
        self.end: End | None = None  # the reason to end QEMU; none if it has exited
        self._qmp, self._limits, self._clock = qmp, limits, clock
        self.started = self._heard = clock()

    def listen(self, child: subprocess.Popen[bytes]) -> Iterator[Output | Idle]:
        """Until QEMU has exited, or `end` is set."""
        assert child.stdout and child.stderr
        with selectors.DefaultSelector() as selector:
            streams: list[IO[bytes] | socket.socket] = [child.stdout, child.stderr, self._qmp.ours]
            for stream in streams:
                selector.register(stream, selectors.EVENT_READ)
            while _open(child.stdout, selector):
                if end := self._passed_limit():
                    self.end = end
                    return
                yield from self._turn(child, selector)
                if self.end:
                    return
                yield Idle()
            self._rest_of_stderr(child, selector)
        try:
            child.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self.end = End.STALLED

    def _rest_of_stderr(self, child: subprocess.Popen[bytes], selector: selectors.BaseSelector) -> None:
        """QEMU's last message may come after its stdout is closed."""
        assert child.stderr
        while _open(child.stderr, selector):
            if self._clock() - self.started > self._limits.total or not selector.select(timeout=1.0):
                return
            if not (data := os.read(child.stderr.fileno(), 65536)):
                return
            self.stderr.add(data)

    def _passed_limit(self) -> End | None:
        """What follows from the time limit that has passed; None if none has."""
        now, limits = self._clock(), self._limits
        if now - self.started > limits.total:
            return End.TOO_LONG
        if not self.serial and now - self.started > limits.first:
            return End.SILENT
        if self.serial and now - self._heard > limits.quiet:
            return End.STALLED
        return None

    def _turn(
        self, child: subprocess.Popen[bytes], selector: selectors.BaseSelector
    ) -> Iterator[Output]:
        """Reads what has come from each of the three. Sets `end` if it is a reason to end QEMU."""
        for key, _ in selector.select(timeout=0.1):
            if key.fileobj is self._qmp.ours:
                try:
                    self.state = self._qmp.answer()
                except EOFError:
                    selector.unregister(self._qmp.ours)
                if self.state:
                    self.end = End.INTERNAL_ERROR if self.state == "internal-error" else End.PAUSED
                    return
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
                yield Output(data[:room])
                if len(data) > room:
                    self.end = End.TOO_MUCH
                    return


def _open(stream: IO[bytes], selector: selectors.BaseSelector) -> bool:
    return stream in {key.fileobj for key in selector.get_map().values()}

# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMUs that run side by side, each with a monitor that can be given commands: what a migration and a
snapshot need, where watch.py looks at one QEMU to its end. One thread serves all: whatever waits pumps the
output of every machine. Assumes that the serial port is QEMU's stdout, and QMP a file descriptor."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner import process
from runner.errors import CannotRun, Problem

PUMP_SECONDS = 0.02
ANSWER_SECONDS = 60.0  # for one command; an interpreted KVM is slow
SERIAL_BYTES = 4 << 20


@dataclass(frozen=True)
class MonitorEvent:
    """An event of QMP, and when QEMU saw it: seconds of the host's CLOCK_REALTIME."""

    name: str
    seconds: float
    data: dict[str, Any]


@dataclass
class Machine:
    """One QEMU: what it has said so far on serial port, stderr and monitor."""

    name: str
    child: subprocess.Popen[bytes]
    monitor: socket.socket
    serial: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    events: list[MonitorEvent] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    rest: bytes = b""

    @property
    def ended(self) -> bool:
        return self.child.poll() is not None

    def event(self, name: str, after: int = 0) -> MonitorEvent | None:
        """The first event of that name that is not among the first `after`."""
        return next((each for each in self.events[after:] if each.name == name), None)

    def migrated(self, *states: str) -> bool:
        """Whether a migration of this QEMU, out or in, has come to one of these states (QMP's MIGRATION)."""
        return any(each.name == "MIGRATION" and each.data.get("status") in states for each in self.events)

    def code(self) -> int | None:
        """The status that the guest ended with by isa-debug-exit; None if it ended otherwise, or runs."""
        status = self.child.poll()
        return status >> 1 if status is not None and status > 1 and status & 1 else None

    def words(self) -> str:
        """The last of what QEMU said on stderr."""
        return self.stderr[-2048:].decode(errors="replace").strip()

    def took(self, data: bytes) -> None:
        """Sorts what came over the monitor."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if "event" in message:
                stamp = message["timestamp"]
                self.events.append(MonitorEvent(message["event"],
                                                stamp["seconds"] + stamp["microseconds"] / 1e6,
                                                message.get("data", {})))
            elif "return" in message or "error" in message:
                self.answers.append(message)


class Machines:
    """A context: all machines that were started in it. They are ended when it is left."""

    def __init__(self, on_serial: Callable[[Machine, bytes], None] = lambda machine, data: None) -> None:
        self._on_serial = on_serial
        self._selector = selectors.DefaultSelector()
        self.all: list[Machine] = []

    def __enter__(self) -> Machines:
        return self

    def __exit__(self, *_: object) -> None:
        for machine in self.all:
            self.end(machine)
        self._selector.close()

    def start(self, name: str, command_for: Callable[[int], Sequence[str]]) -> Machine:
        """Starts the QEMU whose command line command_for(QMP's file descriptor) gives."""
        ours, theirs = socket.socketpair()
        try:
            child = process.start(command_for(theirs.fileno()), pass_fds=[theirs.fileno()])
        except OSError as error:
            ours.close()
            raise CannotRun(Problem.QEMU_REFUSED, f"cannot start QEMU ({error})") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        machine = Machine(name, child, ours)
        self.all.append(machine)
        assert child.stdout and child.stderr
        for file, kind in ((child.stdout.fileno(), "serial"), (child.stderr.fileno(), "stderr"),
                           (ours.fileno(), "monitor")):
            self._selector.register(file, selectors.EVENT_READ, (machine, kind))
        self.execute(machine, "qmp_capabilities")
        return machine

    def pump(self, seconds: float = PUMP_SECONDS) -> None:
        """Takes what has come from all machines; waits at most so long for the first piece."""
        if not self._selector.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._selector.select(seconds):
            machine, kind = key.data
            try:
                data = os.read(key.fd, 65536)
            except OSError:
                data = b""
            if not data:
                self._selector.unregister(key.fileobj)
            elif kind == "monitor":
                machine.took(data)
            elif kind == "stderr":
                machine.stderr += data[:SERIAL_BYTES - len(machine.stderr)]
            else:
                machine.serial += data[:SERIAL_BYTES - len(machine.serial)]
                self._on_serial(machine, data)

    def wait(self, condition: Callable[[], bool], seconds: float, step: float = PUMP_SECONDS) -> bool:
        """Pumps until the condition holds; False if it does not within so many seconds."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                return False
            self.pump(step)
        return True

    def execute(self, machine: Machine, command: str, **arguments: object) -> Any:
        """What a command of the monitor returns. CannotRun if QEMU refuses it, or has ended."""
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        message = {"execute": command, "arguments": named}
        before = len(machine.answers)
        try:
            machine.monitor.send(json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # it has ended, as is seen below
        answered = self.wait(lambda: len(machine.answers) > before or machine.ended, ANSWER_SECONDS)
        if len(machine.answers) <= before:
            how = "ended" if answered else f"did not answer within {ANSWER_SECONDS:g} s"
            raise CannotRun(Problem.QEMU_REFUSED, f"QEMU on {machine.name} {how} at {command}", machine.words())
        answer = machine.answers[-1]
        if "error" in answer:
            raise CannotRun(Problem.QEMU_REFUSED, f"QEMU on {machine.name} refused {command}",
                            str(answer["error"].get("desc", answer["error"])))
        return answer["return"]

    def end(self, machine: Machine) -> None:
        """Ends a machine, after the last of its output. Idempotent."""
        if machine.child.stdout and not machine.child.stdout.closed:
            if not machine.ended:
                try:
                    machine.monitor.send(b'{"execute": "quit"}\n')
                except OSError:
                    pass
            # An error above may have left it stopped: the signal of process.end() ends that too.
            self.wait(lambda: machine.ended, 2.0)
            self._drain(machine)
            process.end(machine.child, grace=0.3)
        machine.monitor.close()

    def _drain(self, machine: Machine) -> None:
        """Takes what an ended machine has left in its pipes, and forgets the pipes."""
        def still_open() -> list[int]:
            return [key.fd for key in self._selector.get_map().values() if key.data[0] is machine]

        if machine.ended:
            self.wait(lambda: not still_open(), 1.0)
        for file in still_open():
            self._selector.unregister(file)

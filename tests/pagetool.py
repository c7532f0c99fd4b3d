# SPDX-License-Identifier: GPL-2.0-or-later
"""The page's C code behind a pipe, the page's layout, and the publisher as a child that never outlives
its test. Assumes `make page-tests`."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from types import TracebackType

MAGIC = 0x4B4C4356
LAYOUT = struct.Struct("<IIHBBIQQ2sBBhBBQQQQQQQQQ")
TWO_64 = 1 << 64


@dataclass(frozen=True)
class Page:
    """struct vmclock_abi, field for field; the defaults are a page that can be used."""

    magic: int = MAGIC
    size: int = 4096
    version: int = 1
    counter_id: int = 1
    time_type: int = 1
    seq_count: int = 2
    disruption_marker: int = 7
    flags: int = 1
    pad: bytes = b"\0\0"
    clock_status: int = 2
    smearing: int = 0
    tai_offset_sec: int = 37
    leap_indicator: int = 0
    shift: int = 29
    counter_value: int = 1000
    period_frac: int = (1 << 93) // 10**9
    period_esterror: int = 0
    period_maxerror: int = 0
    time_sec: int = 1_700_000_000
    time_frac: int = 1 << 63
    time_esterror_ns: int = 0
    time_maxerror_ns: int = 0
    generation: int = 0

    def pack(self) -> bytes:
        return LAYOUT.pack(*(getattr(self, each.name) for each in fields(self)))

    def write(self, path: Path, size: int = 4096) -> Path:
        path.write_bytes(self.pack().ljust(size, b"\0")[:size])
        return path

    def but(self, **changes: object) -> Page:
        return replace(self, **changes)  # type: ignore[arg-type]

    @staticmethod
    def read(path: Path) -> Page:
        """One consistent copy, or the last one tried."""
        for _ in range(10000):
            with path.open("rb") as file:
                before = Page(*LAYOUT.unpack(file.read(LAYOUT.size)))
                file.seek(0)
                after = Page(*LAYOUT.unpack(file.read(LAYOUT.size)))
            if before == after and not before.seq_count & 1:
                break
        return after

    @property
    def period(self) -> Fraction:
        return Fraction(self.period_frac, 1 << 64 + self.shift)

    def time_at(self, counter: int) -> Fraction:
        """Seconds, exactly."""
        start = Fraction((self.time_sec << 64) + self.time_frac, TWO_64)
        return start + (counter - self.counter_value) * self.period


class Tool:
    """The pipe. One command, one answer."""

    def __init__(self, program: Path) -> None:
        self._child = subprocess.Popen([str(program)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def send(self, *words: object) -> None:
        assert self._child.stdin
        try:
            self._child.stdin.write(" ".join(map(str, words)) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # answer() says why

    def answer(self) -> str:
        assert self._child.stdout and self._child.stderr
        line = self._child.stdout.readline()
        if not line:
            raise AssertionError(f"the tool died:\n{self._child.stderr.read()}")
        return line.rstrip("\n")

    def ask(self, *words: object) -> list[str]:
        self.send(*words)
        return self.answer().split()

    def __enter__(self) -> Tool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._child.kill()
        self._child.communicate()


@dataclass
class Publisher:
    """vmclock-host with --json: its events as they come."""

    program: Path
    args: list[str]
    events: list[dict[str, Any]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Publisher:
        self.child = subprocess.Popen([str(self.program), "--json", *self.args],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                      env={**os.environ, **self.env})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self.child.stdout
        for line in self.child.stdout:
            self.events.append(json.loads(line))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [each for each in list(self.events) if each["event"] == event]

    def wait_for(self, event: str, count: int = 1, timeout: float = 120.0) -> dict[str, Any]:
        until = time.monotonic() + timeout
        while len(self.of(event)) < count:
            assert time.monotonic() < until, f"no {event} within {timeout} s: {self.events}"
            assert self.child.poll() is None or self._reader.is_alive(), "it ended"
            time.sleep(0.005)
        return self.of(event)[count - 1]

    def stop(self, signal_number: int = signal.SIGTERM, timeout: float = 10.0) -> int:
        self.child.send_signal(signal_number)
        status = self.child.wait(timeout)
        self._reader.join(timeout)
        return status

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self._reader.join(10)


def run(program: Path, *args: object, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *map(str, args)], capture_output=True, text=True,
                          timeout=timeout)


def memory_folder(fallback: Path) -> Path:
    """Where pages lie in memory, if that can be."""
    shm = Path("/dev/shm")
    return shm if os.access(shm, os.W_OK) else fallback


def shared_file(name: str, fallback: Path) -> Iterator[Path]:
    path = memory_folder(fallback) / f"tickbench-test-{os.getpid()}-{name}"
    yield path
    path.unlink(missing_ok=True)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the sample records that a vehicle leaves (docs/report.md has their layout): one record a run,
a header of 64 bytes and pairs of counter and error; after some of them one of traces. Assumes that a
file may be cut short, where a guest died: what is whole is read."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runner.report import ktap

MAGIC, TRACE_MAGIC, TICKS_MAGIC = b"TBSAMPL1", b"TBTRACE1", b"TBTICKS1"
HEADER = struct.Struct("<8sIIIIQQ24s")
PAIR = np.dtype([("counter", "<u8"), ("error_fs", "<i8")])
POINT = np.dtype([("counter", "<u8"), ("told_fs", "<i8"), ("intended_fs", "<i8"), ("going_fs", "<i8")])


@dataclass(frozen=True)
class Traces:
    """Three lines against the page, a point for each 2^n-th tick, ns: the time that is told, with ntp_error added,
    and with the phase that is still to be slewed added."""

    seconds: NDArray[np.float64]  # since the start of the run
    told_ns: NDArray[np.float64]
    intended_ns: NDArray[np.float64]
    going_ns: NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """One record: counters in cycles, errors in femtoseconds, every 2^decimation-th sample of the run."""

    run: int
    scenario: str
    decimation: int  # every 2^n-th was kept
    counter_hz: int
    start: int
    seconds: NDArray[np.float64]  # since the start of the run
    error_ns: NDArray[np.float64]
    whole: bool = True
    traces: Traces | None = None
    late_ns: NDArray[np.int64] | None = None  # of each tick, where it was asked for


def _record(data: bytes, at: int) -> tuple[Samples, int]:
    _, run, count, decimation, _, hz, start, name = HEADER.unpack_from(data, at)
    at += HEADER.size
    there = min(count, (len(data) - at) // PAIR.itemsize)
    pairs = np.frombuffer(data, PAIR, there, at)
    ahead = (pairs["counter"] - np.uint64(start)).astype(np.int64)
    return Samples(
        run, name.split(b"\0")[0].decode(errors="replace"), decimation, hz, start,
        ahead / float(hz or 1), pairs["error_fs"] / 1e6, there == count,
    ), at + there * PAIR.itemsize


def _traces(data: bytes, at: int) -> tuple[Traces, int]:
    _, _, count, _, _, hz, start, _ = HEADER.unpack_from(data, at)
    at += HEADER.size
    there = min(count, (len(data) - at) // POINT.itemsize)
    points = np.frombuffer(data, POINT, there, at)
    ahead = (points["counter"] - np.uint64(start)).astype(np.int64)
    return Traces(ahead / float(hz or 1), *(points[name] / 1e6 for name in (POINT.names or ())[1:])), at + points.nbytes


def _ticks(data: bytes, at: int) -> tuple[NDArray[np.int64], int]:
    _, _, count, _, _, hz, _, _ = HEADER.unpack_from(data, at)
    at += HEADER.size
    cycles = np.frombuffer(data, "<u4", min(count, (len(data) - at) // 4), at)
    return np.rint(cycles * (1e9 / (hz or 1))).astype(np.int64), at + cycles.nbytes


def from_serial(log: str) -> bytes:
    """The records that a guest without a debug console wrote into its report, as notes in hexadecimal. A note
    that was cut short is left out."""
    found = []
    for line in map(ktap.clean, log.splitlines()):
        if line.startswith(ktap.SAMPLES):
            try:
                found.append(bytes.fromhex(line[len(ktap.SAMPLES):]))
            except ValueError:
                continue
    return b"".join(found)


def parse(data: bytes) -> list[Samples]:
    """All records; ends at the first that does not begin as one."""
    records = []
    at = 0
    while at + HEADER.size <= len(data):
        magic = data[at:at + len(MAGIC)]
        if magic == MAGIC:
            record, at = _record(data, at)
            records.append(record)
        elif magic == TRACE_MAGIC and records:
            traces, at = _traces(data, at)
            records[-1] = replace(records[-1], traces=traces)
        elif magic == TICKS_MAGIC and records:
            late_ns, at = _ticks(data, at)
            records[-1] = replace(records[-1], late_ns=late_ns)
        else:
            break
    return records


def read(path: Path) -> list[Samples]:
    """A file's records, in order, up to the first that is not one; none if there is no file."""
    return parse(path.read_bytes()) if path.exists() else []

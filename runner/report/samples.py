# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the sample records that a vehicle leaves (docs/report.md has their layout): one record a run,
a header of 64 bytes and pairs of counter and error. Assumes that a file may be cut short, where a
guest died: what is whole is read."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAGIC = b"TBSAMPL1"
HEADER = struct.Struct("<8sIIIIQQ24s")
PAIR = np.dtype([("counter", "<u8"), ("error_fs", "<i8")])


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


def parse(data: bytes) -> list[Samples]:
    """All records; ends at the first that does not begin as one."""
    records = []
    at = 0
    while at + HEADER.size <= len(data) and data[at:at + len(MAGIC)] == MAGIC:
        record, at = _record(data, at)
        records.append(record)
    return records


def read(path: Path) -> list[Samples]:
    """A file's records, in order, up to the first that is not one; none if there is no file."""
    return parse(path.read_bytes()) if path.exists() else []

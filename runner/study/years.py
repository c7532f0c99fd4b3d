# SPDX-License-Identifier: GPL-2.0-or-later
"""Lets simulated years pass, every tick of them, for a core that follows a line: the scenario `years`. Shows how
far it is, and keeps what is known so far in years.json, which can be looked at meanwhile.

`make soak YEARS=10` is this: ./tickbench soak --years 10"""

from __future__ import annotations

import json
import os
import re
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich import box
from rich.table import Table

from runner import output, simulate
from runner.errors import output_error, CannotRun, Problem, Status
from runner.lift import lift
from runner.lift.kbuild import Variant
from runner.report import progress, table
from runner.report.results import Results

START_S = 1_767_225_600  # 2026, where the virtual clock starts
YEAR_S = 31_556_952  # of the Gregorian calendar, on average
YEARS_MOST = 12.0
SO_FAR = "years.json"
NOTE = re.compile(r"# progress: (second=\d+ of=\d+ [a-z0-9_= -]+)$")
STABILITY = re.compile(r"# stability: (tau_ns=\d+ [a-z0-9_= ]+)$")


def _values(words: str) -> dict[str, int]:
    return {name: int(value) for name, value in (word.split("=") for word in words.split())}


@dataclass(frozen=True)
class Stability:
    """Of the clock's error, over one averaging time: tau in s, deviations of the frequency in ppb, of the time and
    MTIE in ns."""

    tau_s: float
    adev_ppb: float
    mdev_ppb: float
    tdev_ns: float
    mtie_ns: float


def stability(line: str) -> Stability | None:
    """What a line of the scenario's report says of one averaging time; None if it says nothing of that."""
    found = STABILITY.search(line.strip())
    if not found:
        return None
    of = _values(found[1])
    return Stability(of["tau_ns"] / 1e9, of["adev_e21"] / 1e12, of["mdev_e21"] / 1e12, of["tdev_zs"] / 1e12,
                     of["mtie_fs"] / 1e6)


@dataclass(frozen=True)
class SoFar:
    """What is known after `second` of `of` simulated seconds. Errors against the line in fs, the drift in fs a
    second; disagreed: how often another clock did not say the same time; stability: by rising averaging time."""

    second: int
    of: int
    unix_s: int
    max_fs: int
    rms_fs: int
    mean_fs: int
    drift_fs_per_s: int
    disagreed: int
    stability: list[Stability] = field(default_factory=list)

    def words(self) -> str:
        date = time.strftime("%Y-%m-%d", time.gmtime(self.unix_s))
        return (f"{date}: max {self.max_fs / 1e6:.3f} ns, rms {self.rms_fs / 1e6:.3f} ns,"
                f" drift {self.drift_fs_per_s / 1e6:.6f} ns/s")


def so_far(line: str, known: Sequence[Stability] = ()) -> SoFar | None:
    """The progress that a line of the scenario's report says, with what lines before it said of the stability; None
    if it says none."""
    found = NOTE.search(line.strip())
    return SoFar(**_values(found[1]), stability=list(known)) if found else None


class Watch:
    """Takes the report of one core as it comes. last: what is known so far."""

    def __init__(self, work: progress.Work, path: Path) -> None:
        self.work, self.path = work, path
        self.last: SoFar | None = None
        self._known: list[Stability] = []
        self._rest = ""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data.decode(errors="replace")).split("\n")
        for line in lines:
            known, found = stability(line), so_far(line, self._known)
            if known:
                self._known.append(known)
            elif found:
                self._write(found)
                self.work.add(found.second - (self.last.second if self.last else 0), found.words())
                self.last, self._known = found, []

    def _write(self, found: SoFar) -> None:
        new = self.path.with_suffix(f".{os.getpid()}")
        try:
            new.write_text(json.dumps(asdict(found), indent=1) + "\n")
            new.replace(self.path)
        except OSError as error:
            raise output_error(error, self.path) from error


def table_of(known: Sequence[Stability]) -> Table:
    """A row for each averaging time."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("tau s", "ADEV ppb", "MDEV ppb", "TDEV ns", "MTIE ns"):
        made.add_column(name, justify="right")
    for each in known:
        made.add_row(f"{each.tau_s:g}", *(f"{value:.4g}" for value in (each.adev_ppb, each.mdev_ppb, each.tdev_ns)),
                     f"{each.mtie_ns:.3f}")
    return made


def _used_s() -> float:
    """CPU time of the programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def program_of(word: str, hz: int, build: Path) -> tuple[str, Path, str]:
    """A core's label, its host process, and its name there."""
    if word == "native":
        return "native", build / "tickbench-sim", "native"
    made = lift.lift(word, Variant("um", hz, True), build, ("tickbench-sim",))
    return made.tree.name(), made.folder / "tickbench-sim", "linux"


def soak(words: Sequence[str], years: float, hz: int, start_s: int, seed: int, build: Path) -> Status:
    """Lets `years` pass for each core, one after the other; the worst run's status. Above 0 and up to 12 years."""
    if not 0 < years <= YEARS_MOST:
        raise CannotRun(Problem.USAGE, f"--years {years:g}: more than 0, and up to {YEARS_MOST:g}")
    seconds = max(1, round(years * YEAR_S))
    worst = Status.PASSED
    for word in words:
        label, program, core = program_of(word, hz, build)
        folder = build / "years" / label
        with output.prepared(folder):
            results, began, used_s = Results(), time.monotonic(), _used_s()
            arguments = ["scenario=years", f"core={core}", f"hz={hz}", f"duration={seconds}", f"start_s={start_s}",
                         f"seed={seed}", "--samples", str(folder / "samples.bin")]
            with progress.Work(progress.stderr(), label, seconds, unit="simulated s") as work:
                watch = Watch(work, folder / SO_FAR)
                text, status = simulate.watched(program, arguments, folder / "serial.log", watch.feed)
            spent_s = time.monotonic() - began
            results.add(simulate.document(program, text, status, "samples.bin", [spent_s]), folder / "samples.bin")
            worst = max(worst, results.write(folder), key=int)
            shown = table.console()
            results.show(folder, shown)
            if watch.last:
                shown.print(table_of(watch.last.stability))
            used_s = _used_s() - used_s
            shown.print(f"{seconds * hz} ticks in {spent_s:.1f} s: {seconds * hz / spent_s / 1e6:.1f} million/s;"
                        f" in {used_s:.1f} s of a CPU: {seconds * hz / max(used_s, 1e-3) / 1e6:.1f} million/s",
                        markup=False)
    return worst

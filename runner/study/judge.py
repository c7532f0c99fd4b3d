# SPDX-License-Identifier: GPL-2.0-or-later
"""What series measures of a lifted core: experiments on the virtual clock, and the metrics of each that its table
shows."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import CannotRun, Problem, Status

TIMEOUT_S = 120.0
FAILED = "failed_claims"


@dataclass(frozen=True)
class Experiment:
    """One run of tickbench-sim, and the metrics of it that the table shows."""

    name: str
    words: tuple[str, ...]
    metrics: tuple[str, ...]


def _lock(name: str, metrics: tuple[str, ...], *words: str) -> Experiment:
    return Experiment(name, ("scenario=lock", "rate_ppm=12.345678", "duration=100", *words), metrics)


# Together they show each switch of the series: remainder by lock and the slow counter, clawback by late, tail and skew
# by slew, divzero by recalibrate; adjtimex's own steering by adjust and regress; clocks set, slept and on their own
# by step, leap, sleep and aux.
DEFAULT = (
    _lock("lock", ("drift_ns_per_s", "max_abs_ns")),
    Experiment("late", ("scenario=late", "rate_ppm=12.345678", "late_ns=900000", "duration=100"), ("max_abs_ns",)),
    Experiment("nohz", ("scenario=nohz", "rate_ppm=12.345678", "duration=100"), ("max_abs_ns",)),
    Experiment("slew", ("scenario=slew", "offset_ns=10000", "duration=300"),
               ("plus_end_mean_ns", "adjtime_end_mean_ns", "tail_time_offset_left")),
    Experiment("freq", ("scenario=freq", "duration=20"), ("max_abs_ns",)),
    Experiment("step", ("scenario=step", "duration=20"), ("max_abs_ns",)),
    Experiment("recalibrate", ("scenario=recalibrate", "duration=10"), (FAILED,)),
    _lock("pm timer", ("drift_ns_per_s",), "counter_hz=3579545", "counter_bits=24"),
    _lock("khz", ("drift_ns_per_s",), "counter_hz=2400001337", "registered=khz"),
    Experiment("adjust", ("scenario=adjust",), (FAILED,)),
    Experiment("regress", ("scenario=regress", "counter_hz=3579545", "counter_bits=24"),
               ("frequency_error_max_ppb",)),
    Experiment("leap", ("scenario=leap",), (FAILED,)),
    Experiment("sleep", ("scenario=sleep",), (FAILED,)),
    Experiment("aux", ("scenario=aux",), (FAILED,)),
)
# Of a kernel that is lifted with CONFIG_NTP_PPS.
PULSES = Experiment("pps", ("scenario=pps",), (FAILED,))


def measure(program: Path, experiments: Sequence[Experiment], core: Sequence[str] = ("core=linux", "expect=any"),
            ) -> list[dict[str, Any]]:
    """The run of each experiment as tickbench-sim --json prints it, with the number of claims that do not hold as
    a metric more. CannotRun if the program refuses the words or does not end."""
    words: list[str] = []
    for each in experiments:
        words += ["+"] * bool(words) + [*core, *each.words]
    try:
        done = subprocess.run([str(program), "--json", *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise CannotRun(Problem.PROGRAM_FAILED, f"{program.name} does not end") from error
    except OSError as error:
        raise CannotRun(Problem.PROGRAM_FAILED, f"cannot start {program} ({error})") from error
    if done.returncode not in (Status.PASSED, Status.FAILED, Status.SKIPPED):
        raise CannotRun(Problem.PROGRAM_FAILED, f"{program.name} ended with status {done.returncode}",
                        done.stdout[-2000:] + done.stderr)
    runs: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if len(runs) != len(experiments):
        raise CannotRun(Problem.PROGRAM_FAILED, f"{program.name} printed {len(runs)} results of {len(experiments)}",
                        done.stderr)
    for run, each in zip(runs, experiments):
        run["experiment"] = each.name
        run["metrics"][FAILED] = len(failed(run))
    return runs


def failed(run: dict[str, Any]) -> list[str]:
    """The claims of a run that do not hold."""
    return [claim["sentence"] for claim in run["claims"]
            if not claim["ok"] and claim["skipped"] is None and claim["todo"] is None]


def value(run: dict[str, Any], metric: str) -> float | None:
    """A metric of a run; None if the run does not have it."""
    found = run["metrics"].get(metric)
    return float(found) if isinstance(found, (int, float)) else None


def number(figure: float | None) -> str:
    """Some significant places; nothing that is not 0 reads as 0."""
    if figure is None:
        return "-"
    if figure == 0 or figure == int(figure) and abs(figure) < 1e6:
        return f"{figure:.0f}"
    return f"{figure:.0e}" if abs(figure) < 0.0005 else f"{figure:.3f}" if abs(figure) < 1000 else f"{figure:.6g}"

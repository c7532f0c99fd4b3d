# SPDX-License-Identifier: GPL-2.0-or-later
"""The first question: how do this host's TSC and kvmclock run against vmclock, and a core that follows the page?
Assumes one run of the scenario compare, on the real clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.report.plot import Line, Panel
from runner.study.subjects import Subject

GROUPS: tuple[tuple[str, ...], ...] = (("clock=tsc", "scenario=compare", "duration=6"),)
KVMCLOCK = "kvmclock: "  # a note of the scenario begins with it if there is none
NAMES = {"counter": "TSC, at its nominal frequency", "free": "core, left alone", "kvmclock": "kvmclock",
         "locked": "core, following the page"}


@dataclass(frozen=True)
class Clock:
    """Its rate against the page in ppb, and how far it went from the page's line, ns; None with the reason why."""

    name: str
    drift_ppb: float | None
    error_ns: float | None
    why: str = ""


@dataclass(frozen=True)
class Clocks:
    """All four of a run; seconds: how long each was measured."""

    run: dict[str, Any]
    seconds: float
    clocks: tuple[Clock, ...]
    panel: Panel

    def as_json(self) -> dict[str, Any]:
        return {"accel": self.run["accel"], "counter_hz": self.run["counter_hz"],
                "counter_source": self.run["counter_source"], "seconds": self.seconds,
                "clocks": [{"name": each.name, "drift_ppb": each.drift_ppb, "error_ns": each.error_ns,
                            "why": each.why} for each in self.clocks]}


def _clock(run: dict[str, Any], name: str) -> Clock:
    metrics = run["metrics"]
    drift, error = metrics.get(f"{name}_drift_ppb"), metrics.get(f"{name}_error_ns")
    why = next((note.removeprefix(KVMCLOCK) for note in run["notes"] if note.startswith(KVMCLOCK)), "")
    return Clock(NAMES[name], drift, error, why if name == "kvmclock" and drift is None else "")


def of(subject: Subject) -> Clocks:
    """Of the one run that it has. A clock that was only read at both ends is drawn as the line between them."""
    ((measured,),) = subject.measured.values()
    run, seconds = measured.run, float(measured.run["metrics"].get("compared_s") or 0)
    found = tuple(_clock(run, name) for name in NAMES)
    lines = []
    if measured.samples is not None and len(measured.samples.error_ns):
        lines.append(Line(NAMES["locked"], measured.samples.seconds, measured.samples.error_ns))
    lines += [Line(f"{each.name} (its two ends)", np.array([0.0, seconds]), np.array([0.0, each.error_ns]), False)
              for each in found if each.error_ns is not None and each.name != NAMES["locked"]]
    step = run["metrics"].get("mult_step_ns")
    return Clocks(run, seconds, found, Panel(f"clocks against vmclock, {run['accel']}", lines, step))

# SPDX-License-Identifier: GPL-2.0-or-later
"""The report document, schema 1 (docs/report.md): made of what a vehicle printed, checked, written
and read. Assumes that `metrics` and `params` may hold more names than the schema knows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import output_error, CannotRun, Problem
from runner.report import ktap

SCHEMA = 1
Document = dict[str, Any]

# Each field of a run: the types it may have. None: null is allowed.
_text: tuple[type, ...] = (str,)
_maybe_text = (str, type(None))
_number = (int, float)
FIELDS: Mapping[str, tuple[type, ...]] = {
    "core": _text,
    "kernel": (dict, type(None)),
    "switches": _text,
    "vehicle": _text,
    "accel": _maybe_text,
    "boot": _maybe_text,
    "qemu": _maybe_text,
    "clock": _text,
    "counter_hz": (int, type(None)),
    "counter_source": _maybe_text,
    "hz": (int, type(None)),
    "tick": _maybe_text,
    "scenario": _text,
    "params": (dict,),
    "metrics": (dict,),
    "ok": (bool, type(None)),
    "skipped": _maybe_text,
    "claims": (list,),
    "notes": (list,),
    "samples": _maybe_text,
    "seconds": (int, float, type(None)),
}
# Of a lifted core with another: the least that the table needs.
COMPARISON: Mapping[str, tuple[type, ...]] = {
    "core": _text, "kernel": (dict,), "hz": (int,), "against": _text, "decides": (bool,),
    "equal": (bool, type(None)), "words": _text}
CHOICES = {"core": ("native", "linux"), "vehicle": ("guest", "sim", "linux"), "clock": ("tsc", "virtual")}


@dataclass(frozen=True)
class Vehicle:
    """Where runs took place, as the vehicle itself cannot know."""

    name: str
    accel: str | None = None
    boot: str | None = None
    qemu: str | None = None


def _int(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _kernel(params: Mapping[str, str]) -> dict[str, str | None] | None:
    if params.get("core") != "linux":
        return None
    return {
        "tree": params.get("tree"),
        "release": params.get("kernel"),
        "revision": params.get("revision"),
        "timekeeping_sha256": params.get("timekeeping_sha256"),
        "ntp_sha256": params.get("ntp_sha256"),
    }


def run_object(
    run: ktap.Run, vehicle: Vehicle, samples: str | None, seconds: float | None
) -> Document:
    """One run of schema 1. seconds: wall time; None where it is not known."""
    params = run.params
    return {
        "core": params.get("core", "native"),
        "kernel": _kernel(params),
        "switches": params.get("switches", ""),
        "vehicle": vehicle.name,
        "accel": vehicle.accel,
        "boot": vehicle.boot,
        "qemu": vehicle.qemu,
        "clock": params.get("clock", "virtual"),
        "counter_hz": _int(params.get("counter_hz")),
        "counter_source": params.get("counter_source"),
        "hz": _int(params.get("hz")),
        "tick": params.get("tick"),
        "scenario": params.get("scenario", run.name),
        "params": dict(params),
        "metrics": {name: _plain(metric.value) for name, metric in run.metrics.items()},
        "ok": None if run.skipped is not None else run.ok,
        "skipped": run.skipped,
        "claims": [{"sentence": claim.sentence, "ok": claim.ok, "skipped": claim.skip, "todo": claim.todo}
                   for claim in run.claims],
        "notes": list(run.notes),
        "samples": samples,
        "seconds": seconds,
    }


def _plain(value: float) -> int | float:
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def document(
    report: ktap.Report,
    vehicle: Vehicle,
    samples: str | None = None,
    seconds: Sequence[float | None] = (),
) -> Document:
    """seconds: wall time by run, as far as it is known."""
    runs = [
        run_object(run, vehicle, samples, seconds[i] if i < len(seconds) else None)
        for i, run in enumerate(report.runs)
    ]
    return {"schema": SCHEMA, "runs": runs}


def add_claim(run: Document, sentence: str, ok: bool) -> None:
    """Adds a claim of the host's to a run, which fails if the claim does."""
    run["claims"].append({"sentence": sentence, "ok": ok, "skipped": None, "todo": None})
    run["ok"] = bool(run["ok"]) and ok


def merge(documents: Sequence[Document]) -> Document:
    """One document with the runs of all, and the comparisons of those that have some, in order."""
    whole = {"schema": SCHEMA, "runs": [run for each in documents for run in each["runs"]]}
    compared = [one for each in documents for one in each.get("comparisons", [])]
    return whole | ({"comparisons": compared} if compared else {})


def faults(value: Any) -> list[str]:
    """What about a document is not as the schema says; empty if it is valid."""
    if not isinstance(value, dict) or not isinstance(value.get("runs"), list):
        return ["it is not an object with a list of runs"]
    if value.get("schema") != SCHEMA:
        return [f"its schema is {value.get('schema')!r}, and this reads {SCHEMA}"]
    found = []
    for number, run in enumerate(value["runs"]):
        found += [f"runs[{number}]: {fault}" for fault in _run_faults(run)]
    compared = value.get("comparisons", [])
    if not isinstance(compared, list):
        return [*found, "comparisons is no list"]
    for number, one in enumerate(compared):
        wrong = [name for name, types in COMPARISON.items() if not isinstance(one, dict) or name not in one
                 or not isinstance(one[name], types)]
        found += [f"comparisons[{number}]: {name} is missing or wrong" for name in wrong]
    return found


def _run_faults(run: Any) -> list[str]:
    if not isinstance(run, dict):
        return ["not an object"]
    found = []
    for name, types in FIELDS.items():
        if name not in run:
            found.append(f"{name} is missing")
        elif not isinstance(run[name], types) or (
            isinstance(run[name], bool) and bool not in types
        ):
            found.append(f"{name} is {run[name]!r}")
    for name, words in CHOICES.items():
        if isinstance(run.get(name), str) and run[name] not in words:
            found.append(f"{name} is {run[name]!r}, not one of {', '.join(words)}")
    if isinstance(run.get("metrics"), dict):
        for name, value in run["metrics"].items():
            number = isinstance(value, _number) and not isinstance(value, bool)
            if value is not None and not (number and math.isfinite(value)):
                found.append(f"metrics.{name} is {value!r}, not a number")
    return found


def write(value: Document, path: Path) -> None:
    """Writes a document as JSON; CannotRun where the folder or the disk does not take it."""
    try:
        path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise output_error(error, path) from error


def read(path: Path) -> Document:
    """A document that was written before, checked against the schema; CannotRun (BAD_REPORT) if it is
    none."""
    try:
        value = json.loads(path.read_text())
    except OSError as error:
        raise CannotRun(Problem.BAD_REPORT, f"cannot read {path} ({error.strerror})") from error
    except ValueError as error:
        raise CannotRun(Problem.BAD_REPORT, f"{path} is not JSON ({error})") from error
    found = faults(value)
    if found:
        raise CannotRun(Problem.BAD_REPORT, f"{path} is not a report", "\n".join(found[:10]))
    return value

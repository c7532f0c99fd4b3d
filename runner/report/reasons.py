# SPDX-License-Identifier: GPL-2.0-or-later
"""Says in a few words what made a run's figures what they are: the table's last column. Assumes
nothing of a run's metrics: where one is absent, nothing is said of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = dict[str, Any]
NO_CORE = "clocks"  # the scenario in which no core runs: its drift is the counter's
SWITCHES_OF_RATE = ("remainder", "clawback", "skew")


def figure(value: Any, digits: int = 3) -> str:
    """In at most about eight characters; a small figure that is not 0 never reads as 0."""
    if not isinstance(value, (int, float)):
        return "-"
    if value != 0 and abs(value) < 0.5 * 10**-digits:
        return f"{value:.0e}"
    return f"{value:.{digits if abs(value) < 1000 else 1}f}"


def _lateness(us: float) -> str:
    return f"{us / 1000:.1f} ms" if us >= 1000 else f"{us:.1f} us"


def _compare(m: dict[str, Any]) -> str:
    return (f"against the page, the counter drifts {figure(m['counter_drift_ppb'], 1)} ppb, the core left"
            f" alone {figure(m['free_drift_ppb'], 1)}, locked {figure(m['locked_drift_ppb'])}")


def _slew(m: dict[str, Any]) -> str:
    return (f"asked to be off: ends at {m['plus_end_mean_ns']:+.3f} and"
            f" {m['minus_end_mean_ns']:+.3f} ns")


def _smp(m: dict[str, Any]) -> str:
    low, high = m.get("second_tsc_low_ns"), m.get("second_tsc_high_ns")
    tsc = f"; its TSC is {low:+.0f} to {high:+.0f} ns off" if low is not None and high is not None else ""
    return f"{m['reads_second_cpu']} readings by the second CPU{tsc}"


def _count(name: str, words: str) -> Callable[[dict[str, Any]], str]:
    """words with how many there were; nothing if there were none."""
    return lambda metrics: words.format(metrics[name]) if metrics[name] else ""


# What each scenario adds, of metrics that it alone has.
OF_SCENARIO: dict[str, Callable[[dict[str, Any]], str]] = {
    "compare": _compare,
    "slew": _slew,
    "lock": lambda metrics: f"one mult step over a tick is {figure(metrics['mult_step_ns'])} ns",
    "nohz": _count("longest_idle_ticks", "ticks up to {} apart"),
    "step": _count("disruptions", "{} disruptions and as many steps"),
    "clocks": lambda metrics: (f"the counter is {figure(metrics['counter_drift_ppb'], 1)} ppb off the second"
                               f" one, of {figure(metrics['counter_drift_limit_ppb'], 1)} that may be"),
    "trace": _count("going_moved_ticks", "C moved by itself in {} ticks"),
    "recalibrate": _count("recalibrations", "{} recalibrations of the counter"),
    "disrupted": _count("disruptions", "{} disruptions"),
    "smp": _smp,
    "freq": _count("period_changes", "{} changes of the page's period"),
}


def _failure(run: Run) -> str:
    broken = [claim for claim in run.get("claims", []) if not claim["ok"] and claim.get("todo") is None]
    if not broken:
        return ""
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    missing = [note.split(":")[1].strip() for note in run.get("notes", []) if note.startswith("missing: ")]
    lacks = f"; missing: {', '.join(missing)}" if missing else ""
    return f"does not hold: {broken[0]['sentence']}{more}{lacks}"


def known(run: Run) -> list[str]:
    """The claims that do not hold and are known not to, each with its reason."""
    return [f"known: {claim['sentence']}: does not hold ({claim['todo']})" for claim in run.get("claims", [])
            if not claim["ok"] and claim.get("todo") is not None]


def _drift(run: Run) -> str:
    drift = run["metrics"].get("drift_ns_per_s")
    if not isinstance(drift, (int, float)) or abs(drift) < 1 or run["scenario"] == NO_CORE:
        return ""
    on = run["switches"].split(",")
    off = [name for name in SWITCHES_OF_RATE
           if run["core"] == "native" and run["switches"] not in ("", "all", "mailed") and name not in on
           and f"{name}-v2" not in on]
    return "drifts" + (f": {', '.join(off)} off" if off else "")


def _own(run: Run) -> str:
    try:
        return OF_SCENARIO[run["scenario"]](run["metrics"])
    except (KeyError, TypeError):
        return ""


def why(run: Run) -> str:
    """What made a run's figures what they are, in a few words; empty if nothing stands out."""
    if run.get("skipped"):
        return str(run["skipped"])
    metrics, reasons = run["metrics"], [_failure(run), *known(run), _drift(run)]
    if metrics.get("backwards"):
        reasons.append(f"time went back {metrics['backwards']} times")
    late = metrics.get("late_tick_max_us")
    if isinstance(late, (int, float)) and late > 0:
        reasons.append(f"the latest tick came {_lateness(late)} late")
    if not reasons[0]:
        reasons.append(_own(run))
    return "; ".join(reason for reason in reasons if reason)

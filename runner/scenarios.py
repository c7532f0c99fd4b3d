# SPDX-License-Identifier: GPL-2.0-or-later
"""What each scenario is and needs, as the programs say it (`tickbench-sim --list`; make keeps that in
scenarios.json), and what follows for the machine and the time that a plan takes. struct scenario in
scenario/scenario.h is the one place where these facts stand."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import need_built, CannotRun, Problem

LIST = "scenarios.json"
# The least number of virtual ticks that an emulated CPU makes in a second.
TICKS_PER_SECOND = 250_000
# A group of name=value words: one experiment on the guest's command line.
Group = Sequence[str]


@dataclass(frozen=True)
class Scenario:
    """One scenario. Durations in seconds of the clock that it runs on."""

    name: str
    claim: str
    by_default: bool  # among `all`
    needs_page: bool
    needs_virtual_clock: bool
    needs_notification: bool
    memory_mib: int
    cpus: int
    cpu_flags: tuple[str, ...]
    virtual_s: float
    tsc_s: float


def values_of(group: Group) -> dict[str, str]:
    """The words of a group as a mapping; words without = are left out."""
    return dict(word.split("=", 1) for word in group if "=" in word)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text) else None


def expected_seconds(clock: str, duration: float, hz: float) -> float:
    """About how long a vehicle takes for `duration` seconds of a clock. Virtual time has no pace: ticks have."""
    return duration if clock == "tsc" else 1.0 + duration * hz / TICKS_PER_SECOND


@dataclass(frozen=True)
class Scenarios:
    """All scenarios, by name, in the order in which they run."""

    by_name: dict[str, Scenario]

    def named(self, group: Group) -> list[Scenario]:
        """The scenarios that a group asks for; a name that does not exist is left to the guest to refuse."""
        names = values_of(group).get("scenario", "all").split(",")
        if "all" in names:
            return [each for each in self.by_name.values() if each.by_default]
        return [self.by_name[name] for name in names if name in self.by_name]

    def seconds(self, groups: Sequence[Group]) -> float:
        """About how long the guest measures."""
        total = 0.0
        for group in groups:
            values = values_of(group)
            for each in self.named(group):
                tsc = values.get("clock") == "tsc"
                if tsc and each.needs_virtual_clock:
                    continue  # skipped at once
                given = _number(values.get("duration", ""))
                duration = given if given is not None else each.tsc_s if tsc else each.virtual_s
                total += expected_seconds(values.get("clock", "virtual"), duration,
                                          _number(values.get("hz", "")) or 1000.0)
        return total

    def memory_mib(self, groups: Sequence[Group]) -> int:
        """MiB of RAM that the largest scenario of these groups needs."""
        largest = max(each.memory_mib for each in self.by_name.values())
        return max((each.memory_mib for group in groups for each in self.named(group)), default=largest)

    def notification(self, groups: Sequence[Group]) -> bool:
        """Whether a scenario of these groups needs the device's notifications."""
        return any(each.needs_notification for group in groups for each in self.named(group))

    def cpus(self, groups: Sequence[Group]) -> int:
        """CPUs that the scenarios of these groups need."""
        return max((each.cpus for group in groups for each in self.named(group)), default=1)

    def cpu_flags(self, groups: Sequence[Group]) -> list[str]:
        """CPU flags that the scenarios of these groups need beyond the model's."""
        return sorted({flag for group in groups for each in self.named(group) for flag in each.cpu_flags})


def quiet_seconds(expected: float, slow: bool) -> float:
    """How long a guest may say nothing while it does what is expected to take so long."""
    return 30.0 + expected * (20.0 if slow else 4.0)


def parse(text: str) -> Scenarios:
    """The table of `tickbench-sim --list`; ValueError or KeyError if it is none."""
    return Scenarios({each["name"]: Scenario(
        each["name"], each["claim"], each["default"], each["needs"]["page"], each["needs"]["virtual_clock"],
        each["needs"]["notification"],
        each["needs"]["memory_mib"], each["needs"]["cpus"],
        tuple(flag for flag in each["needs"]["cpu_flags"].split(",") if flag),
        each["duration_ms"]["virtual"] / 1000, each["duration_ms"]["tsc"] / 1000) for each in json.loads(text)})


def read(build: Path) -> Scenarios:
    """The table of what was built; CannotRun if it is not there, or damaged."""
    path = need_built(build / LIST)
    try:
        return parse(path.read_text())
    except (OSError, ValueError, KeyError) as error:
        raise CannotRun(Problem.NOT_BUILT, f"{path} is damaged ({error}): remove it, and build again") from error

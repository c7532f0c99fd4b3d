# SPDX-License-Identifier: GPL-2.0-or-later
"""What each scenario needs of a machine, as one table: memory, CPU flags, accelerators, and how long
it may take. The runner and the tests both read it. Assumes a scenario's own default durations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MEMORY_MIB = 512
# Where page and mailbox are, unless the table says otherwise (VCLK_BASE and TBMB_BASE in vmclock/build.mk).
PAGE_ADDRESS = 0x200000000
MAILBOX_ADDRESS = 0x200200000
# A QWordMemory descriptor (ACPI 6.5, section 6.4.3.5.1): tag, length, three bytes of flags, granularity.
QWORD = re.compile(rb"\x8a\x2b\x00.{3}.{8}(?P<base>.{8})", re.DOTALL)
PAGE_BYTES = 2 << 20


def addresses(table: bytes) -> tuple[int, int]:
    """Where an SSDT of ours puts the page and the mailbox; the defaults for one that has no such windows."""
    found = [int.from_bytes(window["base"], "little") for window in QWORD.finditer(table)]
    return (found[0], found[1]) if len(found) == 2 else (PAGE_ADDRESS, MAILBOX_ADDRESS)


@dataclass(frozen=True)
class Needs:
    """Of one scenario. Seconds are how long it takes, by clock; with room to spare on a slow host."""

    seconds_tsc: float
    seconds_virtual: float
    memory_mib: int = MEMORY_MIB
    cpu_flags: tuple[str, ...] = ()
    accels: tuple[str, ...] = ("kvm", "tcg")
    virtual_only: bool = False
    on_request: bool = False  # not among "all"


SCENARIOS: Mapping[str, Needs] = {
    "lock": Needs(seconds_tsc=10, seconds_virtual=4),
    "compare": Needs(seconds_tsc=6, seconds_virtual=2),
    "slew": Needs(seconds_tsc=12, seconds_virtual=3),
    "nohz": Needs(seconds_tsc=5, seconds_virtual=2),
    "step": Needs(seconds_tsc=8, seconds_virtual=2),
    "freq": Needs(seconds_tsc=2, seconds_virtual=2, virtual_only=True),
    "late": Needs(seconds_tsc=2, seconds_virtual=4, virtual_only=True),
    "recalibrate": Needs(seconds_tsc=5, seconds_virtual=2),
    "torn": Needs(seconds_tsc=5, seconds_virtual=5, on_request=True),
    "rate": Needs(seconds_tsc=5, seconds_virtual=5, on_request=True),
    "clocks": Needs(seconds_tsc=10, seconds_virtual=1, on_request=True),
}
UNKNOWN = Needs(seconds_tsc=10, seconds_virtual=10)

# A group of name=value words: one experiment on the guest's command line.
Group = Sequence[str]


def group_values(group: Group) -> dict[str, str]:
    """The words of a group as a mapping; words without = are left out."""
    return dict(word.split("=", 1) for word in group if "=" in word)


def group_scenarios(group: Group) -> list[str]:
    names = group_values(group).get("scenario", "all").split(",")
    everything = [name for name, needs in SCENARIOS.items() if not needs.on_request]
    return everything if "all" in names else names


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text) else None


def expected_seconds(groups: Sequence[Group]) -> float:
    """How long the guest measures, about; a duration that was given counts on the real clock only,
    as virtual time has no pace: there a million ticks are taken to be a second."""
    total = 0.0
    for group in groups:
        values = group_values(group)
        given = _seconds(values.get("duration", ""))
        hz = _seconds(values.get("hz", "1000")) or 1000.0
        for name in group_scenarios(group):
            needs = SCENARIOS.get(name, UNKNOWN)
            if values.get("clock") == "tsc" and not needs.virtual_only:
                total += given if given is not None else needs.seconds_tsc
            else:
                total += max(needs.seconds_virtual, (given or 0.0) * hz / 1e6)
    return total


def quiet_seconds(expected: float, slow: bool) -> float:
    """How long a guest may say nothing while it does what is expected to take so long."""
    return 30.0 + expected * (20.0 if slow else 4.0)


def timeout_seconds(groups: Sequence[Group], slow: bool) -> float:
    """When a guest is given up, whatever it does."""
    return quiet_seconds(expected_seconds(groups), slow)


def memory_mib(groups: Sequence[Group]) -> int:
    """MiB of RAM that the largest scenario of these groups needs."""
    names = [name for group in groups for name in group_scenarios(group)]
    return max([SCENARIOS.get(name, UNKNOWN).memory_mib for name in names], default=MEMORY_MIB)


def cpu_flags(groups: Sequence[Group]) -> list[str]:
    """CPU flags that the scenarios of these groups need beyond the model's."""
    names = [name for group in groups for name in group_scenarios(group)]
    return sorted({flag for name in names for flag in SCENARIOS.get(name, UNKNOWN).cpu_flags})

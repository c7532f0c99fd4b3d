# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells from a kernel's sources what its timekeeping code has and does. Patched trees are the normal case,
so the version does not count. Assumes kernel style only as far as that a function's
body ends with a brace in the first column."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

TIMEKEEPING = Path("kernel/time/timekeeping.c")
NTP = Path("kernel/time/ntp.c")
HEADERS = (
    Path("include/linux/timekeeper_internal.h"),
    Path("include/linux/clocksource.h"),
    Path("include/linux/timekeeping.h"),
    Path("kernel/time/ntp_internal.h"),
)
VMCLOCK_HOST = Path("kernel/time/vmclock_host.c")
VSYSCALL = Path("kernel/time/vsyscall.c")
GETTIMEOFDAY = Path("lib/vdso/gettimeofday.c")
DATAPAGE = Path("include/vdso/datapage.h")
REFERENCE_HEADER = Path("include/linux/timekeeping_reference.h")
TOKEN = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.DOTALL | re.VERBOSE
)


def without_comments(text: str) -> str:
    """C with comments and string contents blanked, line for line."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        if found[0] == "/":
            return " " + "\n" * found.count("\n")
        return found[0] * 2

    return TOKEN.sub(blank, text)


def body(text: str, function: str) -> str:
    """The body of a function, "" if it is not defined here; of several (#ifdef, #else) the last,
    which is the one without the option. `text` is without comments."""
    found = re.findall(
        rf"^[A-Za-z_][^;{{}}#]*\b{function}\s*\([^;{{}}]*\)\s*\n?\{{(.*?)^\}}",
        text,
        re.DOTALL | re.MULTILINE,
    )
    return found[-1] if found else ""


def members(text: str, struct: str) -> str:
    """What stands between the braces of a struct, "" if it is not defined here. `text` is without comments."""
    found = re.search(rf"\bstruct\s+{struct}\s*\{{(.*?)^\}}", text, re.DOTALL | re.MULTILINE)
    return found.group(1) if found else ""


def has_word(text: str, word: str) -> bool:
    """Whether a C source has a name as a whole word; blank() its comments first."""
    return re.search(rf"\b{word}\b", text) is not None


@dataclass(frozen=True)
class Boundary:
    """From a release of a series of stable releases on, sources have had these switches."""

    first: tuple[int, int, int]
    switches: tuple[str, ...]


# Read from the sources that Debian packages, each lifted and probed: linux-source 6.1.192-2, 6.12.107-1 (none),
# 6.12.118-1, 7.2.12-1, 7.3.4-1; of 6.12, 6.12.117 is the first that was seen with it. Releases between one that was
# seen without and one with are not judged. A series after the last has at least what that has.
RELEASES = (
    Boundary((6, 1, 192), ("CLAWBACK",)),
    Boundary((6, 12, 117), ("CLAWBACK",)),
    Boundary((7, 2, 12), ("CLAWBACK",)),
    Boundary((7, 3, 0), ("REMAINDER", "CLAWBACK", "TAIL", "SKEW")),
)


def release_switches(release: str) -> tuple[str, ...]:
    """The switches that a release (7.3.4, 7.3.0-rc2) is known to have; none where it is not known."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    if not found:
        return ()
    version = (int(found[1]), int(found[2]), int(found[3] or 0))
    if version[:2] > RELEASES[-1].first[:2]:
        return RELEASES[-1].switches
    for boundary in RELEASES:
        if version[:2] == boundary.first[:2] and version >= boundary.first:
            return boundary.switches
    return ()


@dataclass(frozen=True)
class Stage:
    """What the sources have: macros for the wrappers, switches by the names of tk.h. An unknown spelling is
    missed, so the behaviour of the core (tk/stage.c) decides."""

    has: dict[str, bool]
    switches: tuple[str, ...]
    timekeeping_sha256: str
    ntp_sha256: str

    def header(self) -> str:
        lines = [
            "/* Written by runner/lift/lift.py: what this tree has. */",
            *(f"#define LIFT_HAS_{name} {int(value)}" for name, value in self.has.items()),
        ]
        return "\n".join(lines) + "\n"


def digest(path: Path) -> str:
    """The SHA-256 of a file. OSError if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _header(path: Path) -> str:
    """A header without comments, "" if the tree has none."""
    return without_comments(path.read_text(errors="replace")) if path.exists() else ""


def _guarded(function: str) -> bool:
    """Whether a function tests for a cycle_interval of 0."""
    return re.search(r"!\s*\w+->cycle_interval\b|\bcycle_interval\s*==\s*0\b", function) is not None


def _switches(timekeeping: str, ntp: str, has: dict[str, bool]) -> tuple[str, ...]:
    accumulate = body(timekeeping, "logarithmic_accumulation")
    gone = bool(accumulate) and not has_word(accumulate, "xtime_remainder")
    overflow = body(ntp, "second_overflow")
    # The last share is all that is left: an assignment of the whole of time_offset, or a clamp.
    last_share = re.search(r"[^=!<>]=\s*(\w+->)?time_offset\s*;", overflow)
    clamped = re.search(r"\bif\b|\?|\bclamp|\bmin|\bmax", body(ntp, "ntp_offset_chunk"))
    found = {
        "REMAINDER": gone and has_word(timekeeping, "cs_tick_adj"),
        "REMAINDER_V2": gone and not has_word(timekeeping, "cs_tick_adj"),
        "CLAWBACK": has_word(body(timekeeping, "timekeeping_apply_adjustment"), "ntp_error"),
        "TAIL": bool(last_share or clamped),
        "DIVZERO": has["STOPPED_TICK"] or _guarded(body(timekeeping, "timekeeping_adjust")),
        "REFERENCE": has["SET_REFERENCE"],
        "SKEW": has["SKEW_DELTA"],
    }
    return tuple(name for name, value in found.items() if value)


def stage(tree: Path) -> Stage:
    """Reads a tree's sources. OSError if it has none."""
    raw_timekeeping = (tree / TIMEKEEPING).read_bytes()
    raw_ntp = (tree / NTP).read_bytes()
    timekeeping = without_comments(raw_timekeeping.decode(errors="replace"))
    ntp = without_comments(raw_ntp.decode(errors="replace"))
    headers = "".join(_header(tree / header) for header in HEADERS)
    advance = body(timekeeping, "__timekeeping_advance") or body(timekeeping, "timekeeping_advance")
    array = re.search(r"\btk_ntp_data\s*\[[^\]]*\]\s*=", ntp) is not None
    has = {
        "UPDATE_FROM_SHADOW": has_word(timekeeping, "timekeeping_update_from_shadow"),
        "COARSE_NSEC": bool(body(timekeeping, "tk_update_coarse_nsecs")),
        "VDSO_TIME_DATA": has_word(_header(tree / DATAPAGE), "vdso_time_data"),
        "MULTIGRAIN": bool(body(timekeeping, "ktime_get_real_ts64_mg")),
        "CLOCK_TS64": bool(body(timekeeping, "ktime_get_clock_ts64")),
        "FAST_TIMESTAMPS": bool(body(timekeeping, "ktime_get_fast_timestamps")),
        "EXPIRY_TO_CYCLES": bool(body(timekeeping, "ktime_expiry_to_cycles")),
        "SNAPSHOT_ID": bool(body(timekeeping, "ktime_get_snapshot_id")),
        "COUNTERVAL_ID": has_word(members(headers, "system_counterval_t"), "cs_id"),
        "SYS_COUNTER": has_word(members(headers, "system_device_crosststamp"), "sys_counter"),
        "BASE_CLOCK": bool(body(timekeeping, "ktime_real_to_base_clock")),
        "CS_TICK_ADJ": has_word(members(headers, "timekeeper"), "cs_tick_adj"),
        "XTIME_REMAINDER": has_word(members(headers, "timekeeper"), "xtime_remainder"),
        "MAX_RAW_DELTA": has_word(headers, "max_raw_delta"),
        "NTP_ARRAY": array,
        "NTP_STRUCT": has_word(ntp, "tk_ntp_data") and not array,
        "SKEW_DELTA": has_word(ntp, "skew_delta"),
        "TIME_ADJUST_FRAC": has_word(ntp, "time_adjust_frac"),
        "TICK_LENGTH_BASE": has_word(ntp, "tick_length_base"),
        # A guard in timekeeping_adjust() alone does not end the loop that leads there.
        "STOPPED_TICK": _guarded(advance),
        "SET_REFERENCE": bool(body(timekeeping, "timekeeping_set_reference")),
        "AUX": bool(body(timekeeping, "aux_clock_adj")),
        "READ_SNAPSHOT": has_word(headers, "read_snapshot"),
        # Earlier ones clear NTP for a clock source that cannot be enabled, too.
        "REFUSED_SOURCE": not has_word(body(timekeeping, "change_clocksource"), "change"),
        "SYSCORE_DATA": bool(body(timekeeping, "timekeeping_syscore_suspend")),
        "VMCLOCK_HOST": (tree / VMCLOCK_HOST).exists(),
        "REFERENCE_CYCLES": has_word(_header(tree / REFERENCE_HEADER), "cycle_interval"),
    }
    return Stage(
        has=has,
        switches=_switches(timekeeping, ntp, has),
        timekeeping_sha256=hashlib.sha256(raw_timekeeping).hexdigest(),
        ntp_sha256=hashlib.sha256(raw_ntp).hexdigest(),
    )

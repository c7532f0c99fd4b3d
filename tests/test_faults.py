# SPDX-License-Identifier: GPL-2.0-or-later
"""Every claim can fail: a table of which fault makes which claim of which scenario fail, and a proof
that the table has every claim that the sources can make, and no other. Assumes `make fault-tests`."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import ROOT, Ended, make
from liftable import Kernel, lifted
from pagetool import Page, Publisher, run, shared_file
from claims import claims_of_audit, claims_of_scenarios, claims_of_any_run, faults_of_the_test_build

NSEC = 10**9
STARTS = "the core starts"
TAKES_LINE = "the core takes the page's line as its reference"
BY_HAND = "the core takes the line's time and rate by hand"
NEVER_BACK = "time never goes back for a reader"
EVERY_LINE = "every line of the page is taken"
# What claims.c claims where ticks are late or skipped, and of every error on the virtual clock.
STAYS = "it stays within one mult step over the longest time between two ticks"
MEAN = "its mean error stays within that bound too"
GOING = "told time with all that is still due moves by the tick length alone, in every tick"
ACCOUNT = "the time plus the corrections that are still due is on the line, within 5 ps"
LOCKED_RATE = "the locked core drifts less than 1 ppb from the line, or than a short run can tell"
DRIFT = "it does not drift: less than 0.001 ns/s, or than a short run can tell"
FITTED = "each fitted frequency is the one set, as far as whole ns and one mult step tell"
# As short as the claim's own bounds let a run be.
BRIEF = {"smp": ("duration=0.1",), "device": ("duration=0.5",), "years": ("duration=100",),
         "killed": ("disruptions=2",), "publish": ("duration=70",),
         "slew": ("hz=100", "duration=400"), "step": ("duration=8",)}
USUAL = ("duration=10",)
NO_REFERENCE = ("switches=remainder,clawback,tail,divzero,skew",)
LATE = ("late_ns=100000",)


@dataclass(frozen=True)
class Row:
    """`claim` of `scenario` fails in a host process with this fault; no fault: the options do it."""

    scenario: str
    claim: str
    fault: str
    options: tuple[str, ...] = ()
    note: str = ""  # what a note beside the claim says of the cause

    @property
    def name(self) -> str:
        return f"{self.scenario}-{self.fault}-{self.claim[:30]}".replace(" ", "_")


# What bench.c claims in every scenario that starts a core, takes a line, and looks at the page.
STARTING = ("lock", "compare", "slew", "nohz", "late", "step", "freq", "recalibrate", "trace", "smp", "rate", "clocks",
            "regress", "disrupted", "killed", "publish", "notify", "discipline", "years")
FOLLOWING = tuple(name for name in STARTING if name not in ("clocks", "regress"))
# These drive a core by hand, without a line.
DRIVING = ("adjust", "leap", "sleep", "aux", "getters", "vdso", "told", "far", "counter", "midnight", "pps")
WATCHING = tuple(name for name in FOLLOWING if name not in ("rate", "smp", "years"))
READING = (*WATCHING, "clocks", "years")

COMMON = (
    *(Row(name, STARTS, "init-refused", note="init: ") for name in (*STARTING, *DRIVING)),
    *(Row(name, TAKES_LINE, "reference-refused", note="reference: ") for name in FOLLOWING),
    *(Row(name, BY_HAND, "settime-refused", NO_REFERENCE, note="reference: ") for name in FOLLOWING),
    *(Row(name, NEVER_BACK, "reader-back") for name in READING),
    *(Row(name, EVERY_LINE, "page-broken", note="magic") for name in WATCHING),
)

OWN = (
    Row("lock", TAKES_LINE, "page-unknown", note="page: the page says that its clock's status is unknown"),
    Row("lock", "it stays within one mult step over one tick of the line", "error-sign"),
    Row("lock", "it stays within one mult step over one tick of the line", "error-lost"),
    Row("lock", "it stays within one mult step over one tick of the line", "copy-skipped"),
    Row("lock", "it stays within one mult step over one tick of the line", "mult-above"),
    Row("lock", "it stays within one mult step over one tick of the line", "reader-late"),
    Row("lock", "it stays within one mult step over one tick of the line", "tick-dropped"),
    Row("lock", "it stays within one mult step over one tick of the line", "reference-1us"),
    Row("lock", DRIFT, "reference-rate"),
    Row("lock", DRIFT, "error-lost"),
    Row("lock", STAYS, "error-sign", LATE),
    Row("lock", MEAN, "copy-skipped", LATE),
    Row("lock", ACCOUNT, "error-lost"),
    Row("late", STAYS, "tick-dropped"),
    Row("late", STAYS, "reference-1us"),
    Row("late", MEAN, "error-sign"),
    Row("late", ACCOUNT, "copy-skipped"),
    Row("late", DRIFT, "reference-rate"),
    Row("nohz", STAYS, "copy-skipped"),
    Row("nohz", MEAN, "mult-above"),
    Row("nohz", ACCOUNT, "error-lost"),
    Row("nohz", DRIFT, "reference-rate"),
    Row("freq", ACCOUNT, "error-sign"),
    Row("freq", DRIFT, "mult-above"),
    Row("recalibrate", ACCOUNT, "recalibrate-forgets"),
    Row("trace", GOING, "error-lost"),
    Row("smp", "no reading of a second CPU is torn while the first one ticks", "reader-torn"),
    Row("smp", "time goes back for no reader, on whichever CPU", "reader-back"),
    Row("smp", "no reading of any clock is torn, on whichever CPU", "ask-torn"),
    Row("smp", "no reading of any clock is torn, on whichever CPU", "sequence-late", ("duration=60",)),
    Row("smp", "no clock goes back for a reader, nor from one CPU to the other", "ask-back"),
    Row("trace", GOING, "drain-lost"),
    Row("trace", "what it is told moves it by exactly that much", "offset-short"),
    Row("recalibrate", "a tick while cycle_interval is 0 is skipped", "recalibrate-divides",
        note="a tick divided by zero"),
    Row("slew", ACCOUNT, "drain-sign"),
    Row("slew", "time_offset is exactly 0: nothing is left to be slewed", "drain-lost", ("duration=500",)),
    Row("slew", "an offset too small to divide is delivered whole", "drain-lost"),
    Row("slew", "adjtime is delivered, within the share of two ticks", "mult-above"),
    Row("slew", "of adjtime nothing is left to be slewed", "drain-lost"),
    Row("compare", LOCKED_RATE, "reference-rate"),
    Row("compare", LOCKED_RATE, "reference-lost"),
    Row("compare", "left alone, the core runs at the rate of its counter's mult", "tick-length"),
    Row("compare", "the locked core stays on the line, within a mult step over a tick", "reference-1us"),
    Row("slew", "the offset forth is slewed along its exponential, within 1 %", "offset-sign"),
    Row("slew", "the offset back is slewed along its exponential, within 1 %", "drain-sign"),
    Row("slew", "the offset back is slewed along its exponential, within 1 %", "offset-lost"),
    Row("slew", "all of it is delivered forth, and the jitter is as before", "offset-short"),
    Row("slew", "all of it is delivered back, and the jitter is as before", "offset-short"),
    Row("slew", "all of it is delivered back, and the jitter is as before", "drain-lost"),
    Row("step", "a step by settimeofday moves the clock, and not its rate", "settime-refused"),
    Row("step", "a step by settimeofday moves the clock, and not its rate", "settime-rate"),
    Row("step", "the line is regained at the next look at the page", "reference-slewed"),
    Row("step", "after a disruption the core is on the new line at the next look", "reference-stale"),
    Row("step", "every disruption is noticed", "marker-lost"),
    Row("disrupted", "every disruption is noticed", "marker-lost"),
    Row("disrupted", "every disruption ends with a line of its own marker", "page-dies"),
    Row("disrupted", "every disruption ends with a line of its own marker", "void-line"),
    Row("disrupted", "the first reading on the new line is within the error that the line states", "reference-stale"),
    Row("freq", "it stays within one mult step over one tick of the changing line", "reference-stale"),
    Row("recalibrate", "a tick while cycle_interval is 0 is skipped", "recalibrate-lost"),
    Row("recalibrate", "nothing is lost: it strays by no more than one mult step over a pause",
        "recalibrate-forgets"),
    *(Row("adjust", claim, fault) for claim, fault in (
        ("an adjtimex that is refused leaves no trace", "refusal-traced"),
        ("ADJ_SETOFFSET refuses a step to before CLOCK_MONOTONIC's zero or after KTIME_MAX", "step-anywhere"),
        ("a step that is refused leaves no trace", "refusal-traced"),
        ("a frequency is the clock's rate at once, and more than 500 ppm are cut off", "freq-sign"),
        ("adjtimex's tick is the clock's rate at once", "tick-usec-off"),
        ("ADJ_SETOFFSET steps CLOCK_REALTIME by what it says, to the nanosecond", "step-1ns"),
        ("settimeofday sets the time that it says, to the nanosecond", "step-1ns"),
        ("no step moves CLOCK_MONOTONIC", "step-mono"),
        ("a TAI offset of 0 to 100000 s is taken, and no other", "tai-unchecked"),
        ("the error grows by 500 us a second, until the clock is unsynchronised at 16 s", "maxerror-stands"),
        ("a phase changes the frequency as the phase loop says", "loop-gain"),
        ("after 256 s it changes as the frequency loop says as well", "loop-gain"),
        ("STA_FREQHOLD holds the frequency", "loop-gain"),
        ("adjtime is delivered exactly, forth and back", "drain-lost"),
        ("adjtime is delivered at 500 us a second", "drain-lost"),
        ("adjtime and a phase against it are both delivered exactly", "drain-sign"),
        ("what is left of adjtime is read back", "adjtime-unread"))),
    *(Row("leap", claim, fault) for claim, fault in (
        ("an inserted second is 23:59:59 once more, from the tick at midnight on", "leap-lost"),
        ("adjtimex tells an inserted second in every tick of it", "leap-untold"),
        ("a deleted second, 23:59:59, is never read", "leap-lost"),
        ("adjtimex tells a deleted second in every tick of it", "leap-untold"),
        ("CLOCK_MONOTONIC and CLOCK_TAI do not move over a leap second", "leap-moves-tai"),
        ("timers are told of a leap second from its first nanosecond on", "leap-late"),
        ("a leap second that is cancelled late does not happen", "leap-kept"),
        ("a step cancels the leap second that was due", "leap-stays"))),
    *(Row("sleep", claim, fault) for claim, fault in (
        ("the persistent clock's time is added to what counts while the machine sleeps", "sleep-lost"),
        ("so is that of a counter that does not stop", "sleep-lost"),
        ("so is that of the RTC, after the resume", "sleep-lost"),
        ("CLOCK_MONOTONIC and the raw clock go on from where they stopped", "sleep-mono"),
        ("a tick during the suspend changes nothing", "sleep-ticks"),
        ("CLOCK_BOOTTIME less CLOCK_MONOTONIC is the time slept", "sleep-boot"),
        ("the fast readers stand still during the suspend", "sleep-ticks"),
        ("a time slept that cannot be is not added", "sleep-any"),
        ("the errors of a persistent clock of whole seconds do not add up", "sleep-drifts"),
        ("the RTC's driver is told what it may skip", "sleep-needless"))),
    *(Row("aux", claim, fault) for claim, fault in (
        ("an auxiliary clock starts at 0 when it is enabled, and is refused before", "aux-1ns"),
        ("an auxiliary clock is set to the nanosecond", "aux-1ns"),
        ("what is done to an auxiliary clock changes no other clock", "aux-touches-main"),
        ("what is done to the main clock changes no auxiliary clock", "main-touches-aux"),
        ("an auxiliary clock runs at the rate that it was given", "aux-rate"))),
    *(Row("getters", claim, fault) for claim, fault in (
        ("every function reads the same time of its clock", "getter-1ns"),
        ("CLOCK_TAI is CLOCK_REALTIME and the TAI offset, CLOCK_BOOTTIME is CLOCK_MONOTONIC and the time slept",
         "boot-1ns"),
        ("CLOCK_MONOTONIC_RAW is the counter times a constant", "raw-1ns"),
        ("a coarse clock is the time of the latest tick or step", "coarse-1ns"),
        ("the readers of seconds have the coarse clocks' second", "seconds-late"),
        ("the fast readers agree, outside of a tick", "fast-1ns"),
        ("inside of a tick they do not wait, and agree with before it; the vDSO with after", "inside-1ns"),
        ("no clock that must not goes back", "reader-back"),
        ("a device's timestamp is the time of its value of the counter", "cross-1ns"),
        ("a device's timestamp is the time of its value of the counter", "history-off"),
        ("the offsets between clocks are what the clocks differ by", "offset-1ns"),
        ("every copy of the timekeeper is equal to it", "copy-unlike"))),
    *(Row("vdso", claim, fault) for claim, fault in (
        ("user space reads the kernel's time, of every clock", "vdso-1ns"),
        ("so it does of the coarse clocks, and of the second that time() has", "vdso-second"),
        ("gettimeofday() is CLOCK_REALTIME in microseconds", "vdso-usec"),
        ("the resolution is a tick, without high resolution timers", "vdso-fine"),
        ("the time zone gets to user space", "vdso-zone"),
        ("what the page does not have is asked of the kernel", "vdso-answers"),
        ("the page is closed during an update, and at no other time", "vdso-open"))),
    *(Row("told", claim, fault) for claim, fault in (
        ("a tick tells the vDSO and hypervisors once, and timers nothing", "told-twice"),
        ("a tick that is early, and a call that sets no time, tell nobody", "told-always"),
        ("settimeofday tells everybody once", "told-twice"),
        ("so does ADJ_SETOFFSET", "told-twice"),
        ("so does a new TAI offset", "told-twice"),
        ("a new frequency is no step", "told-twice"),
        ("a leap second is told once, in the tick that inserts it", "told-twice"),
        ("another clock source tells the tick device once", "told-twice"),
        ("a suspend stops the tick once, and is no step", "told-twice"),
        ("a resume tells timers once", "told-twice"),
        ("a sleep that the RTC measured tells the boot clock's timers too", "told-twice"))),
    *(Row("device", claim, f"device-{fault}", ("disruptions=1",)) for claim, fault in (
        ("there is a vmclock device with memory (UAPI.13, Discovery via ACPI)", "absent"),
        ("the memory holds all fields (UAPI.13, Structure Fields)", "short"),
        ("the page can be read: seq_count is even (UAPI.13, Calculating time)", "odd"),
        ("seq_count is odd for less than 100 ms (UAPI.13, The vmclock_abi structure)", "stuck"),
        ('the magic is 0x4b4c4356, "VCLK" (UAPI.13, 0x00)', "magic"),
        ("the size holds the fields, and is within the region (UAPI.13, 0x04)", "size"),
        ("the version is 1 (UAPI.13, 0x08)", "version"),
        ("counter_id is the x86 TSC or INVALID (UAPI.13, 0x0a)", "counter"),
        ("time_type is UTC, TAI or monotonic (UAPI.13, 0x0b)", "type"),
        ("clock_status is one that is defined (UAPI.13, Clock Status)", "status"),
        ("the smearing hint is one that is defined (UAPI.13, 0x23)", "smear"),
        ("leap_indicator is one that is defined (UAPI.13, 0x26)", "leap"),
        ("Linux's driver binds to it (ptp_vmclock)", "magic"),
        ("the fields up to time_type do not change (UAPI.13, The vmclock_abi structure)", "constants"),
        ("no field changes while seq_count is even (UAPI.13, 0x0c)", "silent"),
        ("seq_count never goes back (UAPI.13, 0x0c)", "back"),
        ("the time is one between 2020 and 2200 (UAPI.13, 0x48)", "year"),
        ("tai_offset_sec is TAI's to UTC: 10 s in 1972, 37 s in 2017 (UAPI.13, 0x24)", "tai"),
        ("the period is the counter's, within 0.1 % (UAPI.13, 0x30)", "period"),
        ("the period's estimated error is no larger than its maximum (UAPI.13, 0x38)", "estimates"),
        ("the time's estimated error is no larger than its maximum (UAPI.13, 0x58)", "estimates"),
        ("a guest can follow its line (UAPI.13, Calculating time)", "status"),
        ("Linux has a PTP clock of it: TAI, or UTC with its offset (ptp_vmclock)", "monotonic"),
        ("past times stay within their stated error (UAPI.13, Time error calculation)", "jump"),
        ("no update sets the time back (vmclock-abi.h, VMCLOCK_FLAG_TIME_MONOTONIC)", "setback"),
        ("the marker changes when the guest is restored (UAPI.13, 0x10)", "restored"),
        ("the generation counter changes when the guest is restored (UAPI.13, 0x64)", "restored"))),
    *(Row("counter", claim, fault) for claim, fault in (
        ("another counter takes over, and no clock moves", "counter-jumps"),
        ("the clocks go on at the rate of the counter that took over", "counter-rate"),
        ("a counter that wraps at 24, 32, 56 or 64 bits, or passes 2^63, counts on", "counter-unmasked"),
        ("a counter that is a little behind reads as the latest tick", "behind-lost"),
        ("the time of an idle of minutes is read and accumulated to the ns", "idle-lost"),
        ("so is the time of an idle that is too long for 64 bits of cycles times mult", "idle-lost"))),
    *(Row("midnight", claim, fault) for claim, fault in (
        ("a page of UTC: a second is inserted, in each tick as the page says", "leap-lost"),
        ("a page of TAI: a second is inserted, in each tick as the page says", "leap-lost"),
        ("a page of UTC: a second is deleted, in each tick as the page says", "leap-lost"),
        ("a page of TAI: a second is deleted, in each tick as the page says", "leap-lost"),
        ("CLOCK_TAI stays on the page's line, and CLOCK_MONOTONIC counts on", "leap-moves-tai"),
        ("a leap second that the page takes back late does not happen", "leap-kept"),
        ("a step of the line while one is announced does not lose it", "leap-lost"))),
    *(Row("far", claim, fault) for claim, fault in (
        ("no clock is off over 2^31 s, in 2038", "seconds-31-bits"),
        ("nor a second that is read or told over it", "seconds-31-bits"),
        ("no clock is off over 2^32 s, in 2106", "seconds-32-bits"),
        ("nor a second that is read or told over that", "seconds-32-bits"),
        ("no clock is off over the last second that can be set, in 2232", "time-capped"),
        ("no clock is off up to where CLOCK_TAI is 2^63 ns, in 2262", "sleep-lost"))),
    *(Row("pps", claim, fault) for claim, fault in (
        ("without STA_PPSFREQ and STA_PPSTIME pulses are measured, and move nothing", "pps-unasked"),
        ("with STA_PPSFREQ the frequency is what the raw clock measures over 4 s", "pps-freq-sign"),
        ("the clock then runs at the rate of the pulses", "pps-freq-sign"),
        ("each calibration is counted, and after four that agree they last twice as long", "pps-uncounted"),
        ("with STA_PPSTIME the clock comes to the pulses from either side", "pps-mirrored"),
        ("a pulse 400 us late is counted as jitter, and its phase is not taken", "pps-spikes"),
        ("a pulse more than 500 ppm off starts the calibration anew", "pps-any-beat"),
        ("a frequency that changes by 100 ppm is counted as wander", "pps-uncounted"),
        ("an interval twice too long is counted as an error, and sets no frequency", "pps-uncounted"),
        ("pulses that stop are missed in the second after ten more", "pps-stays"))),
    Row("years", "it stays within one mult step, and half a unit of the tick length for each tick", "error-lost"),
    Row("years", "with the corrections that are still due it strays by that half unit alone", "error-lost"),
    Row("years", DRIFT, "reference-rate"),
    Row("years", "every other clock says the same time, the raw one the counter's", "raw-1ns"),
    *(Row("publish", claim, fault) for claim, fault in (
        ("the host's clock can be steered by adjtimex", "adjtimex-refused"),
        ("the exact line does not jump while the clock slews", "drain-sign"),
        ("a line in whole ns jumps by no more than its three terms are cut", "error-lost"),
        ("a guest on the exact line is where its host is going", "reference-stale"),
        ("a guest on the line in whole ns is there within what is cut of it", "reference-stale"))),
    *(Row("killed", claim, fault, ("disruptions=8",)) for claim, fault in (
        ("every publisher that was started is noticed, and the last one followed", "page-dies"),
        ("no line is read torn, whenever its publisher was killed", "device-silent"),
        ("no line of a dead publisher is believed for more than 5 s", "line-believed"),
        ("a dead publisher's line is within its stated error of the next one's", "device-jump"))),
    Row("torn", "no torn line is accepted", "stress-mixed", ("duration=0.05",)),
    Row("torn", "the page changed meanwhile", "stress-still", ("duration=0.05",)),
    Row("regress", "the core takes each frequency", "adjtimex-refused", note="adjtimex: "),
    Row("regress", FITTED, "adjtimex-off"),
    Row("regress", FITTED, "mult-above"),
    Row("regress", "each reading is near its line: a ns, and one mult step over a gap", "reader-back"),
    Row("discipline", "the core is set off the true time", "settime-refused"),
    Row("discipline", "the core takes all that the policy asks of it", "adjtimex-refused", ("policy=phc2sys",)),
    Row("discipline", ACCOUNT, "error-lost"),
    Row("rate", "the rate is measured", "stopwatch-stands"),
    Row("clocks", "the counter runs at its nominal frequency, as far as a second counter can tell", "second-slow"),
)
ROWS = COMMON + OWN
# What the bench claims of a run that does not come to its own claims.
GUARD_ROWS = (Row("lock", "every tick ends", "tick-endless", note="does not end"),)
# And of a lifted core: test_stage.py edits a kernel's tree for the one, expect= is enough for the other.
AS_RELEASED = "the core has the switches that its release has"
AS_EXPECTED = "the core has the switches that are expected of it"


@dataclass(frozen=True)
class GuestRow:
    """The same in the guest, for claims that need the real counter, or a host that judges."""

    scenario: str
    claim: str
    words: tuple[str, ...]


GUEST_ROWS = (
    # Counted instructions and a given line: what fails is the core, not the host that is busy.
    GuestRow("lock", "in the median it is on the line, but for late ticks and the page's own moves",
             ("--icount", "fault=reference-1us", "hz=100", "duration=0.2")),
    GuestRow("lock", "the host finds the core's time within the page's stated maxerror, beside what is still to be"
             " slewed",
             ("--accel", "tcg", "fault=reader-ahead", "hz=100", "duration=0.5")),
    GuestRow("disrupted", "the host finds the core's time within the page's stated maxerror, beside what is still to be"
             " slewed",
             ("--accel", "tcg", "fault=reader-ahead", "hz=100", "duration=0.5")),
    GuestRow("killed", "the host finds the core's time within the page's stated maxerror, beside what is still to be"
             " slewed",
             ("--accel", "tcg", "fault=reader-ahead", "hz=100", "duration=0.5")),
    GuestRow("device", "a notification comes with each update (UAPI.13, Discovery via ACPI)",
             ("--accel", "tcg", "fault=bell-lost", "duration=3")),
    GuestRow("notify", "the core is fed every line by notification alone",
             ("--accel", "tcg", "fault=bell-lost", "hz=100", "duration=5")),
    # No fault but a rate that is a lie: 1000000 kHz, where icount's counter has another.
    GuestRow("clocks", "the counter runs at its nominal frequency, as far as a second counter can tell",
             ("--icount", "counter_hz=900000000", "hz=100", "duration=0.2")),
    # The guest's own way to get over a division by zero.
    GuestRow("recalibrate", "a tick while cycle_interval is 0 is skipped",
             ("--accel", "tcg", "clock=virtual", "fault=recalibrate-divides", "duration=2")),
)


@pytest.fixture(scope="session")
def faulty(built: Path) -> Path:
    """The host process of the test build."""
    return make("fault-tests") / "tickbench-sim-fault"


def claims_failed(report: str) -> set[str]:
    """The sentences of a report's second level that are not ok."""
    return {found.group(1) for found in re.finditer(r"^    not ok \d+ (.*)$", report, re.MULTILINE)}


def run_sim(program: Path, row: Row, fault: str) -> subprocess.CompletedProcess[str]:
    options = (*USUAL, *BRIEF.get(row.scenario, ()), *row.options)
    return subprocess.run([str(program), f"scenario={row.scenario}", *options, *((f"fault={fault}",) if fault else ())],
                          capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("row", ROWS + GUARD_ROWS, ids=lambda row: row.name)
def test_the_fault_makes_the_claim_fail(faulty: Path, row: Row) -> None:
    ended = run_sim(faulty, row, row.fault)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert row.claim in claims_failed(ended.stdout), ended.stdout
    notes = "\n".join(line for line in ended.stdout.splitlines() if line.startswith("    # "))
    assert row.note in notes, ended.stdout


@pytest.mark.parametrize("scenario", READING)
def test_the_test_build_without_a_fault_says_what_the_product_says(built: Path, faulty: Path, scenario: str) -> None:
    """So what fails above fails because of its fault."""
    row = Row(scenario, "", "")
    ended = run_sim(faulty, row, "")
    assert ended.stdout == run_sim(built / "tickbench-sim", row, "").stdout
    assert ended.returncode in (0, 4) and not claims_failed(ended.stdout)


def test_the_second_counter_and_the_stress_pass_where_they_are_sound(faulty: Path) -> None:
    ended = run_sim(faulty, Row("clocks", "", ""), "second-sound")
    assert ended.returncode == 0 and "ok 2 the counter runs" in ended.stdout, ended.stdout


@pytest.mark.parametrize("scenario", FOLLOWING)
def test_a_page_that_is_unknown_for_a_moment_is_waited_for(faulty: Path, scenario: str) -> None:
    """As where a busy host keeps the guest from its answers when the core is handed the line."""
    ended = run_sim(faulty, Row(scenario, "", ""), "page-pauses")
    assert TAKES_LINE in ended.stdout and not claims_failed(ended.stdout), ended.stdout
    assert ended.returncode == 0


def test_a_lifted_core_without_the_switches_that_are_expected_fails_the_claim() -> None:
    program = lifted(Kernel("7.2"), 1000, "tickbench-sim").folder / "tickbench-sim"
    for expected, failed in (("clawback", False), ("clawback,tail", True)):
        ended = subprocess.run([str(program), "core=linux", "scenario=rate", f"expect={expected}"],
                               capture_output=True, text=True, timeout=120)
        assert (AS_EXPECTED in claims_failed(ended.stdout)) is failed, ended.stdout
        assert ("not as expected: tail" in ended.stdout) is failed, ended.stdout


def test_a_tree_without_a_switch_of_its_release_has_a_test_elsewhere() -> None:
    assert rf"not ok \d+ {AS_RELEASED}" in (ROOT / "tests" / "test_stage.py").read_text()


def test_an_unknown_fault_is_refused(faulty: Path, built: Path) -> None:
    assert run_sim(faulty, Row("lock", "", ""), "no-such").returncode == 2
    product = run_sim(built / "tickbench-sim", Row("lock", "", ""), "init-refused")
    assert product.returncode == 2 and "no such parameter" in product.stderr


@dataclass(frozen=True)
class AuditRow:
    """A claim of vmclock-host --check, and pages that make it fail, one after the other while it looks."""

    claim: str
    change: Callable[[Page, int], Page]
    stress: bool = False


def off(page: Page, ns: int) -> Page:
    """The page with its line moved."""
    time = (page.time_sec << 64) + page.time_frac + ns * 2**64 // NSEC
    return page.but(time_sec=time >> 64, time_frac=time % 2**64)


# Each is handed the honest page and the number of the change.
AUDIT_ROWS = (
    AuditRow("the page can be read at the end as at the beginning",
             lambda page, n: page.but(clock_status=4 if n else 2, seq_count=page.seq_count + 2 * n)),
    AuditRow("seq_count never goes back", lambda page, n: page.but(seq_count=page.seq_count + 2 * (n % 2))),
    AuditRow("what a seq_count stands for never changes", lambda page, n: off(page, n % 2)),
    AuditRow("the line keeps to the host's clock within the errors that the page states",
             lambda page, n: off(page, 1_000_000)),
    AuditRow("successive lines agree within the errors that they state",
             lambda page, n: off(page, 1_000_000 * (n % 2)).but(seq_count=page.seq_count + 2 * n)),
    AuditRow("the TAI offset is the system's", lambda page, n: page.but(tai_offset_sec=page.tai_offset_sec + 1)),
    AuditRow("no torn line was accepted", lambda page, n: page.but(
        time_frac=page.time_frac ^ 1, seq_count=page.seq_count + 2 * n), stress=True),
    AuditRow("the page was rewritten meanwhile", lambda page, n: page, stress=True),
)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Path]:
    yield from shared_file("faults-page", tmp_path)


@pytest.mark.parametrize("row", AUDIT_ROWS, ids=lambda row: row.claim[:40].replace(" ", "_"))
def test_the_audit_fails_the_claim(page_programs: Path, page: Path, tmp_path: Path, row: AuditRow) -> None:
    program = page_programs / "vmclock-host"
    (tmp_path / "leaps").write_text("#@ 3960057600\n2272060800 10\n3692217600 37\n")
    leaps = ("--leap-list", str(tmp_path / "leaps"))
    how = ("--stress", "--duration", "0.2") if row.stress else ("--warm-up", "0.5", "--duration", "1", *leaps)
    assert run(program, "--page", page, *how).returncode == 0
    # It ends as unreliable: of before that, what else it says is true.
    honest = Page.read(page).but(clock_status=2)

    def write(number: int) -> None:
        with page.open("r+b") as file:
            file.write(row.change(honest, number).pack())

    write(0)
    audit = subprocess.Popen([str(program), "--check", str(page), "--duration", "1.5", *leaps],
                             stdout=subprocess.PIPE, text=True)
    # Not before it has taken the honest page: half a second after it has mapped it.
    while audit.poll() is None and str(page) not in Path(f"/proc/{audit.pid}/maps").read_text():
        time.sleep(0.01)
    time.sleep(0.5)
    number = 0
    while audit.poll() is None:
        number += 1
        write(number)
        time.sleep(0.05)
    said = audit.communicate(timeout=30)[0]
    assert audit.returncode == 1, said
    assert re.search(rf"^not ok \d+ {re.escape(row.claim)}$", said, re.MULTILINE), said


def test_the_audit_finds_a_publisher_whose_clock_was_set(page_programs: Path, page: Path, tmp_path: Path) -> None:
    """Half a second: the publisher follows its own clock, and the auditor's is another."""
    program = page_programs / "vmclock-host"
    (tmp_path / "added").write_bytes((NSEC // 2).to_bytes(8, "little").ljust(4096, b"\0"))
    env = {"LD_PRELOAD": str(page_programs / "clock-shim.so"), "CLOCK_SHIM": str(tmp_path / "added")}
    with Publisher(program, ["--page", str(page), "--warm-up", "0.5"], env=env) as publisher:
        publisher.wait_for("ready")
        said = run(program, "--check", page, "--duration", "0.5")
    assert said.returncode == 1, said.stdout
    assert "not ok 4 the line keeps to the host's clock within the errors that the page states" in said.stdout


def test_every_claim_of_the_audit_has_an_entry_and_no_entry_is_stale() -> None:
    assert {row.claim for row in AUDIT_ROWS} == claims_of_audit()


@pytest.fixture(scope="session")
def faulty_build(faulty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder whose guest is the test build's."""
    folder = tmp_path_factory.mktemp("faulty")
    for name in ("vmclock-host", "vmclock.aml", "notify.aml", "probe.elf", "tickbench.efi", "scenarios.json"):
        (folder / name).symlink_to(faulty.parent / name)
    (folder / "tickbench.elf").symlink_to(faulty.parent / "tickbench-fault.elf")
    return folder


@pytest.mark.parametrize("row", GUEST_ROWS, ids=lambda row: row.claim[:40].replace(" ", "_"))
def test_the_fault_makes_the_claim_fail_in_the_guest(
        run_qemu: Callable[..., Ended], faulty_build: Path, row: GuestRow) -> None:
    ended = run_qemu("--timeout", "100", "clock=tsc", f"scenario={row.scenario}", *row.words, build=faulty_build)
    assert ended.status == 1, ended.stdout + ended.stderr
    assert row.claim in claims_failed(ended.serial.replace("\r", "")), ended.serial
    # The table that the user sees says it in words, too.
    assert "FAIL" in ended.stdout.upper(), ended.stdout


def test_every_claim_of_every_scenario_has_an_entry_and_no_entry_is_stale() -> None:
    claims = claims_of_scenarios()
    table = {(row.scenario, row.claim) for row in ROWS} | {(row.scenario, row.claim) for row in GUEST_ROWS}
    assert claims - table == set(), "claims without an entry in the fault table"
    assert table - claims == set(), "entries for claims that no source makes"
    assert {row.claim for row in GUARD_ROWS} | {AS_RELEASED, AS_EXPECTED} == claims_of_any_run()


def test_every_fault_of_the_test_build_is_used() -> None:
    used = {row.fault for row in ROWS + GUARD_ROWS} | {
        word.removeprefix("fault=") for row in GUEST_ROWS for word in row.words if word.startswith("fault=")}
    assert used | {"second-sound", "page-pauses"} == faults_of_the_test_build()


def test_the_list_of_claims_has_what_a_run_reports(built: Path) -> None:
    """The list is read from the sources: what a run says must be in it."""
    claims = claims_of_scenarios()
    for switches in ("all", "none"):
        ended = subprocess.run([str(built / "tickbench-sim"), "duration=8", f"switches={switches}"],
                               capture_output=True, text=True, timeout=120)
        scenario, said = "", set()
        for line in ended.stdout.splitlines():
            if line.startswith("    # Subtest: "):
                scenario = line.removeprefix("    # Subtest: ")
            elif (found := re.fullmatch(r"    (?:not )?ok \d+ (.*)", line)) and "# SKIP" not in line:
                said.add((scenario, found.group(1)))
        assert len(said) > 15 and said <= claims, said - claims

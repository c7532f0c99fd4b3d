# SPDX-License-Identifier: GPL-2.0-or-later
"""One boot, from files to a report: the page and its publisher, the events of QEMU, the time limits, and
an error of its own for each way to fail. The limits are owned and changed here alone. Assumes that the
caller has chosen accelerator and image."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from runner import scenarios
from runner.errors import need_built, output_error, CannotRun, Problem
from runner.guest import firmware, qemu, watch
from runner.plan import Image
from runner.report import ktap, progress, report
from runner.guest.accel import Accel
from runner.guest.publisher import Publisher, SharedFolder, check_own_page
from runner.report.report import Document

GUEST_CODES = {0x10: "passed", 0x11: "failed", 0x12: "bailed", 0x14: "skipped", 0x1f: "fault"}
# OVMF prints this and its registers at an exception, and then hangs.
FIRMWARE_FAULT = b"!!!! X64 Exception Type"
FIRMWARE_FAULT_SECONDS = 0.5
SAMPLES_BYTES = 256 << 20  # a run keeps at most 1 MiB of them
FIRST_WORD_SECONDS = {"pvh": 20.0, "uefi": 60.0, "linux": 60.0}
Files = qemu.Boot

LIVE = ("live", "kernel")  # publishers that keep writing the page: by a fit, by the kernel's own rule


@dataclass(frozen=True)
class Options:
    """How to boot, the same for each image."""

    qemu: qemu.Qemu
    accel: Accel
    groups: tuple[tuple[str, ...], ...]
    scenarios: scenarios.Scenarios
    build: Path
    output: Path
    way: str = "pvh"
    publisher: str = "live"  # live, kernel (live, by the kernel's rule), static:..., none
    page: Path | None = None  # the user's own
    timeout: float | None = None
    gdb: bool = False
    extra: tuple[str, ...] = ()
    files: Files | None = None  # boot these, and not the image

    @property
    def live(self) -> bool:
        """The page is one that a publisher keeps writing."""
        return self.publisher in LIVE and not self.page


@dataclass(frozen=True)
class PublisherEnd:
    """A live publisher ended before the guest did."""

    how: str  # "status 3", "signal 9"
    finished: int  # runs whose result had come by then


# What the runner itself claims of each run on the real clock that has a live publisher's page.
PUBLISHER_CLAIM = "the publisher keeps the page until the run ends"
VERDICT_CLAIM = "the host compares the core's time with its own clock"


@dataclass
class Result:
    """Of a boot that got as far as a report."""

    report: ktap.Report
    outcome: watch.Outcome
    samples: Path
    notes: list[str] = field(default_factory=list)
    lost: PublisherEnd | None = None

    def document(self, options: Options, seconds: Sequence[float | None]) -> Document:
        vehicle = report.Vehicle("guest", options.accel.name, options.way,
                                 f"qemu {options.qemu.version}")
        samples = self.samples.name if self.samples.exists() and self.samples.stat().st_size else None
        made = report.document(self.report, vehicle, samples, seconds)
        if options.live:
            for number, run in enumerate(made["runs"]):
                _judge_publisher(run, self.lost if self.lost and number >= self.lost.finished else None)
        return made


def _judge_publisher(run: report.Document, lost: PublisherEnd | None) -> None:
    """Adds a failed claim to a run that needed a live publisher and did not have it. A guest cannot tell:
    the page of a publisher that was killed looks like that of one which is about to write."""
    if run["clock"] != "tsc" or run["skipped"] is not None:
        return
    if lost:
        sentence = f"{PUBLISHER_CLAIM}: it ended ({lost.how})"
    elif run["scenario"] == "lock" and "host_difference_ns" not in run["metrics"]:
        sentence = f"{VERDICT_CLAIM}: it gave no verdict"
    else:
        return
    run["claims"].append({"sentence": sentence, "ok": False, "skipped": None})
    run["ok"] = False


def _copy(source: Path, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(need_built(source), to)
    return to


def boot_files(options: Options, image: Image, scratch: Path) -> qemu.Boot:
    """What QEMU boots from; UEFI's boot volume and variables are made in `scratch`."""
    if options.files:
        return options.files
    if options.way == "pvh":
        return qemu.Boot("pvh", firmware.qboot(), elf=need_built(image.elf))
    code, variables = firmware.ovmf()
    volume = scratch / "volume"
    _copy(image.efi, volume / "EFI" / "BOOT" / "BOOTX64.EFI")
    (volume / "tickbench.cmd").write_text(qemu.append_line(options.groups) + "\n")
    return qemu.Boot("uefi", code, volume=volume,
                     variables=_copy(variables, scratch / "variables.fd"))


@contextmanager
def pages(
    options: Options, folder: SharedFolder, log: Path
) -> Iterator[tuple[qemu.Pages | None, Publisher | None]]:
    """The page that the guest is given, and the publisher if a live one writes it."""
    table = options.build / "vmclock.aml"
    if options.publisher == "none" and not options.page:
        yield None, None
        return
    need_built(table)
    if options.page:
        check_own_page(options.page)
        yield qemu.Pages(options.page, None, table), None
        return
    page, mailbox, pid = (folder.path / name for name in ("page", "mailbox", "qemu.pid"))
    program = options.build / "vmclock-host"
    if options.publisher in LIVE:
        bell = folder.path / "bell" if options.scenarios.notification(options.groups) else None
        words = ["--qemu-pidfile", str(pid), *(["--rule", "kernel"] if options.publisher == "kernel" else []),
                 *(["--notify", str(bell), "--interval", "0.1"] if bell else [])]
        with Publisher(program, page, mailbox, log, words) as publisher:
            yield qemu.Pages(page, mailbox, table, pid, bell), publisher
    else:
        with Publisher(program, page, None, log, ["--static", options.publisher.split(":", 1)[1]]):
            yield qemu.Pages(page, None, table), None


class _Watcher:
    """Consumes the events of one guest: writes the serial log, shows the progress, sets the limits by what
    the guest is about to do, and looks at the publisher and the samples."""

    def __init__(
        self, options: Options, log: IO[bytes], samples: Path, publisher: Publisher | None, show: progress.Show,
    ) -> None:
        self.limits = _limits(options)
        self._options, self._log, self._samples, self._publisher = options, log, samples, publisher
        self._show = show
        self._tail = bytearray()  # the last output: a mark may come in two pieces
        self._serial = bytearray()
        self._sure = 0  # bytes that had come when the publisher was last seen running
        self.lost: PublisherEnd | None = None

    def consume(self, events: Iterator[watch.Event]) -> watch.Outcome:
        """Takes every event, to the last."""
        for event in events:
            if isinstance(event, watch.Output):
                self._output(event.data)
            elif isinstance(event, watch.Idle):
                self._idle()
            else:
                return event.outcome
        raise AssertionError("the events of a guest ended without an outcome")

    def write(self, data: bytes) -> None:
        """Appends to the serial log; CannotRun if it cannot be written."""
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._log.write(rest):]
        except OSError as error:
            raise output_error(error, self._log.name) from error

    def _output(self, data: bytes) -> None:
        self.write(data)
        self._serial += data
        for step in self._show.feed(data):
            self._allow(scenarios.quiet_seconds(step.expected(), self._options.accel.slow))
        self._tail += data
        del self._tail[:-4096]
        if FIRMWARE_FAULT in self._tail:
            self._allow(FIRMWARE_FAULT_SECONDS)

    def _allow(self, seconds: float) -> None:
        """The guest may be silent for so long from now on; under a debugger, without limit."""
        if not self._options.gdb:
            self.limits.quiet = seconds

    def _idle(self) -> None:
        self._show.idle()
        self.look_at_publisher()
        if self._samples.exists() and self._samples.stat().st_size > SAMPLES_BYTES:
            raise CannotRun(Problem.GUEST_LOUD, f"the guest wrote more than {SAMPLES_BYTES} bytes of samples")

    def look_at_publisher(self) -> None:
        """Notes that it ended. CannotRun if no run had begun, because then nothing was measured."""
        how = self._publisher.ended() if self._publisher and not self.lost else ""
        if not how:
            self._sure = len(self._serial)
            return
        if not ktap.parse(self._serial.decode(errors="replace")).runs:
            raise CannotRun(Problem.PUBLISHER, f"the publisher ended ({how}) before the first run began",
                            self._publisher.words() if self._publisher else "")
        sure = ktap.parse(self._serial[:self._sure].decode(errors="replace"))
        self.lost = PublisherEnd(how, len(sure.results))


def run(
    options: Options,
    image: Image,
    show: progress.Show,
    suffix: str = "",
    on_command: Callable[[Sequence[str]], None] = lambda command: None,
) -> Result:
    """Boots, and waits for the end. on_command: called with QEMU's command line before QEMU is started.
    CannotRun for every end without a valid report; a report with failed claims is a result."""
    output = options.output
    serial_log, samples = output / f"serial{suffix}.log", output / f"samples{suffix}.bin"
    try:
        output.mkdir(parents=True, exist_ok=True)
        # Unbuffered: a write that failed on a full disk must not be tried again at the close.
        log = serial_log.open("wb", buffering=0)
    except OSError as error:
        raise output_error(error, output) from error
    with log, ExitStack() as stack:
        shared = stack.enter_context(SharedFolder(output))
        files = boot_files(options, image, shared.path)
        given, publisher = stack.enter_context(
            pages(options, shared, output / f"publisher{suffix}.log"))
        watcher = _Watcher(options, log, samples, publisher, show)

        def command(qmp: int) -> list[str]:
            line = qemu.command(options.qemu, files, options.accel, options.groups, options.scenarios, given, samples,
                                qmp, options.gdb, options.extra)
            on_command(line)
            return line

        with closing(watch.events(command, watcher.limits)) as events:
            outcome = watcher.consume(events)
        if outcome.end is watch.End.TOO_MUCH:
            watcher.write(f"\n[tickbench: cut after {len(outcome.serial)} bytes]\n".encode())
        made = ktap.parse(outcome.serial.decode(errors="replace"))
        check(outcome, made, options)
        watcher.look_at_publisher()
    notes = [shared.note] if shared.note else []
    if watcher.lost:
        notes.append(f"the publisher ended ({watcher.lost.how}) before the guest did")
    return Result(made, outcome, samples, notes, watcher.lost)


def _limits(options: Options) -> watch.Limits:
    if options.gdb:
        return watch.Limits(first=1e9, quiet=1e9, total=1e9)
    total = options.timeout or scenarios.quiet_seconds(
        options.scenarios.seconds(options.groups), options.accel.slow)
    first = FIRST_WORD_SECONDS[options.way] * (3.0 if options.accel.slow else 1.0)
    return watch.Limits(first=min(first, total), quiet=scenarios.quiet_seconds(0, options.accel.slow), total=total)


def last_lines(text: str, count: int = 8) -> str:
    """The last `count` lines that hold anything, cleaned of control characters: what a user is shown of a
    log."""
    return "\n".join([line for line in map(ktap.clean, text.splitlines()) if line][-count:])


def check(outcome: watch.Outcome, made: ktap.Report, options: Options) -> None:
    """Raises CannotRun unless the guest ended with a verdict that its report agrees with."""
    said = last_lines(outcome.serial.decode(errors="replace"))
    words = last_lines(outcome.stderr)
    if outcome.end is watch.End.STATUS:
        _check_code(outcome, made)
        return
    if outcome.end is watch.End.QEMU_FAILED:
        how = f"status {outcome.code}" if outcome.code >= 0 else f"signal {-outcome.code}"
        raise CannotRun(Problem.QEMU_REFUSED, f"QEMU itself failed ({how})", words)
    if outcome.end is watch.End.INTERNAL_ERROR:
        raise CannotRun(Problem.KVM_INTERNAL_ERROR,
                        "QEMU paused on an internal error of the accelerator",
                        "\n".join(outcome.stderr.splitlines()[:3]))
    if outcome.end is watch.End.PAUSED:
        raise CannotRun(Problem.QEMU_PAUSED, f"QEMU went into the state \"{outcome.state}\","
                        " from which the guest does not go on", words)
    if outcome.end is watch.End.TOO_MUCH:
        raise CannotRun(Problem.GUEST_LOUD, f"the guest wrote more than {len(outcome.serial)} bytes"
                        " over serial", last_lines(outcome.serial[-4096:].decode(errors="replace")))
    if outcome.end is watch.End.NO_STATUS:
        raise CannotRun(Problem.GUEST_RESET, "the guest ended without a status", words or said)
    if FIRMWARE_FAULT in outcome.serial:
        raise CannotRun(Problem.GUEST_FAULT, "an exception struck while the firmware was in charge",
                        last_lines(outcome.serial[outcome.serial.rindex(FIRMWARE_FAULT):]
                                   .decode(errors="replace"), 40))
    if not outcome.serial:
        raise CannotRun(Problem.GUEST_SILENT, "the guest said nothing over serial for"
                        f" {outcome.seconds:.1f} s", words)
    sentence = ("the guest was not done" if outcome.end is watch.End.TOO_LONG
                else "the guest stopped talking")
    raise CannotRun(Problem.GUEST_STALLED, f"{sentence} after {outcome.seconds:.1f} s", said)


def _check_code(outcome: watch.Outcome, made: ktap.Report) -> None:
    code = GUEST_CODES.get(outcome.code)
    text = outcome.serial.decode(errors="replace")
    if code == "fault":
        raise CannotRun(Problem.GUEST_FAULT, "the guest took an exception that it did not expect",
                        last_lines(text, 40))
    if code == "bailed" or (made.bail_out is not None and code is not None):
        raise CannotRun(Problem.GUEST_BAILED,
                        f"the guest cannot run this: {made.bail_out or 'it gave no reason'}")
    if code is None:
        raise CannotRun(Problem.GUEST_RESET, f"the guest ended with {outcome.code:#x}, which is no"
                        " status of its own", last_lines(text))
    if made.problems:
        raise CannotRun(Problem.REPORT_BROKEN, "the guest's report is broken",
                        "\n".join(problem.words() for problem in made.problems[:8]))
    agreed = {"passed": made.ok, "failed": not made.ok, "skipped": made.all_skipped}[code]
    if not agreed:
        raise CannotRun(Problem.REPORT_BROKEN,
                        f"the guest's status says \"{code}\", and its report does not")

# SPDX-License-Identifier: GPL-2.0-or-later
"""One boot, from files to a report: page and publisher, QEMU watched to its end, its words parsed,
and every way it can fail told apart. Assumes that the caller has chosen accelerator and image."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner import firmware, ktap, machine, qemu, report, watch
from runner.accel import Accel
from runner.errors import CannotRun, Problem, need_built, output_error
from runner.plan import Image
from runner.publisher import Publisher, SharedFolder
from runner.report import Document

GUEST_CODES = {0x10: "passed", 0x11: "failed", 0x12: "bailed", 0x14: "skipped", 0x1f: "fault"}
# OVMF says this of an exception, then its registers, and then it hangs.
FIRMWARE_FAULT = b"!!!! X64 Exception Type"
FIRMWARE_FAULT_SECONDS = 0.5
FIRST_WORD_SECONDS = {"pvh": 20.0, "uefi": 60.0}


@dataclass(frozen=True)
class Options:
    """How to boot, the same for each image."""

    qemu: qemu.Qemu
    accel: Accel
    groups: tuple[tuple[str, ...], ...]
    build: Path
    output: Path
    way: str = "pvh"
    publisher: str = "live"  # live, static:..., none
    page: Path | None = None  # the user's own
    timeout: float | None = None
    gdb: bool = False
    extra: tuple[str, ...] = ()


@dataclass
class Result:
    """Of a boot that got as far as a report."""

    report: ktap.Report
    outcome: watch.Outcome
    samples: Path
    notes: list[str] = field(default_factory=list)

    def document(self, options: Options, seconds: Sequence[float | None]) -> Document:
        vehicle = report.Vehicle("guest", options.accel.name, options.way,
                                 f"qemu {options.qemu.version}")
        samples = self.samples.name if self.samples.exists() and self.samples.stat().st_size else None
        return report.document(self.report, vehicle, samples, seconds)


def _copy(source: Path, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(need_built(source), to)
    return to


def boot_files(options: Options, image: Image, scratch: Path) -> qemu.Boot:
    """What QEMU boots from; UEFI's boot volume and variables are made in `scratch`."""
    if options.way == "pvh":
        return qemu.Boot("pvh", firmware.qboot(), elf=need_built(image.elf))
    code, variables = firmware.ovmf()
    volume = scratch / "volume"
    _copy(image.efi, volume / "EFI" / "BOOT" / "BOOTX64.EFI")
    (volume / "tickbench.cmd").write_text(qemu.append_line(options.groups) + "\n")
    return qemu.Boot("uefi", code, volume=volume,
                     variables=_copy(variables, scratch / "variables.fd"))


@contextmanager
def pages(options: Options, folder: SharedFolder, log: Path) -> Iterator[qemu.Pages | None]:
    """The page that the guest is given, and whoever writes it."""
    table = options.build / "vmclock.aml"
    if options.publisher == "none" and not options.page:
        yield None
        return
    need_built(table)
    if options.page:
        if not options.page.is_file() or options.page.stat().st_size < machine.PAGE_BYTES:
            raise CannotRun(Problem.PUBLISHER, f"{options.page} is not a file of 2 MiB")
        yield qemu.Pages(options.page, None, table)
        return
    page, mailbox, pid = (folder.path / name for name in ("page", "mailbox", "qemu.pid"))
    program = options.build / "vmclock-host"
    if options.publisher == "live":
        with Publisher(program, page, mailbox, log, ["--qemu-pidfile", str(pid)]):
            yield qemu.Pages(page, mailbox, table, pid)
    else:
        with Publisher(program, page, None, log, ["--static", options.publisher.split(":", 1)[1]]):
            yield qemu.Pages(page, None, table)


def run(
    options: Options,
    image: Image,
    suffix: str = "",
    listen: Callable[[bytes, watch.Limits], None] = lambda data, limits: None,
    idle: Callable[[], None] = lambda: None,
    on_command: Callable[[Sequence[str]], None] = lambda command: None,
) -> Result:
    """Boots and waits. CannotRun for all that is no report; a failed claim is a report."""
    output = options.output
    serial_log, samples = output / f"serial{suffix}.log", output / f"samples{suffix}.bin"
    limits = _limits(options)
    try:
        output.mkdir(parents=True, exist_ok=True)
        # Unbuffered: what a full disk did not take must not be tried again when it is closed.
        log = serial_log.open("wb", buffering=0)
    except OSError as error:
        raise output_error(error, output) from error
    with log, ExitStack() as stack:
        shared = stack.enter_context(SharedFolder(output))
        files = boot_files(options, image, shared.path)
        given = stack.enter_context(pages(options, shared, output / f"publisher{suffix}.log"))

        def command(qmp: int) -> list[str]:
            line = qemu.command(options.qemu, files, options.accel, options.groups, given, samples,
                                qmp, options.gdb, options.extra)
            on_command(line)
            return line

        tail = bytearray()

        def recent(data: bytes) -> bytes:
            """What came last: a mark may come in pieces."""
            tail.extend(data)
            del tail[:-4096]
            return bytes(tail)

        def on_bytes(data: bytes, now: watch.Limits) -> None:
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[log.write(rest):]
            except OSError as error:
                raise output_error(error, serial_log) from error
            listen(data, now)
            if FIRMWARE_FAULT in recent(data):
                now.quiet = FIRMWARE_FAULT_SECONDS

        outcome = watch.watch(command, limits, on_bytes, idle)
    made = ktap.parse(outcome.serial.decode(errors="replace"))
    check(outcome, made, options)
    notes = [shared.note] if shared.note else []
    return Result(made, outcome, samples, notes)


def _limits(options: Options) -> watch.Limits:
    if options.gdb:
        return watch.Limits(first=1e9, quiet=1e9, total=1e9)
    total = options.timeout or machine.timeout_seconds(options.groups, options.accel.slow)
    first = FIRST_WORD_SECONDS[options.way] * (3.0 if options.accel.slow else 1.0)
    return watch.Limits(first=min(first, total), quiet=machine.quiet_seconds(0, options.accel.slow), total=total)


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

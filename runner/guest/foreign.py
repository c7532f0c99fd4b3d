# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest on a hypervisor that the user starts by a command line of his own. Nothing is known of it but that
the guest's serial port is its stdout: there need be no debug exit, no debug console and no monitor. Its report
is over when its plan is fulfilled; then the hypervisor is ended, if it does not end by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from runner import process, scenarios
from runner.errors import CannotRun, Problem, output_error
from runner.guest import boot, watch
from runner.report import ktap, progress, samples

IMAGES = ("{elf}", "{efi}", "{disk}")
DISK_KIB = 8192
FILE = re.compile(r"\{file:([^}]+)\}")
PATIENCE_SECONDS = 3.0  # for a hypervisor that ends after the report does


@dataclass(frozen=True)
class Foreign:
    """The command line, with its places filled; and what the guest is asked to do."""

    command: tuple[str, ...]
    expected_s: float


def filled(words: Sequence[str], places: dict[str, str], folder: Path) -> tuple[str, ...]:
    """The words with the names of `places` replaced. {file:PATH} is the path of a copy of PATH in which they are
    replaced. CannotRun if the image stands nowhere: then the hypervisor boots something else."""
    used: set[str] = set()

    def fill(text: str) -> str:
        for name, value in places.items():
            if name in text:
                used.add(name)
                text = text.replace(name, value)
        return text

    def copied(match: re.Match[str]) -> str:
        source = Path(match[1])
        try:
            text = fill(source.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise CannotRun(Problem.USAGE, f"{source} cannot be read ({error})") from None
        target = folder / f"filled-{source.name}"
        try:
            target.write_text(text)
        except OSError as error:
            raise output_error(error, target) from error
        return str(target)

    made = tuple(FILE.sub(copied, fill(word)) for word in words)
    if not used & set(IMAGES):
        raise CannotRun(Problem.USAGE, "the hypervisor's command line names no image: put {elf} or {efi} where its"
                                       " kernel stands, {disk} where its disk does, or {file:PATH} for a configuration"
                                       " that has them")
    return made


def wants_disk(words: Sequence[str]) -> bool:
    """Whether a word, or a file that one names, has {disk}."""
    files = [match[1] for word in words for match in FILE.finditer(word)]
    return any("{disk}" in word for word in words) or any(
        "{disk}" in Path(file).read_text(errors="replace") for file in files if Path(file).is_file())


def make_disk(efi: Path, line: str, folder: Path) -> Path:
    """A disk without partitions, of one FAT file system that firmware boots: the EFI program and its parameters.
    CannotRun if mtools are missing, or fail."""
    disk, parameters = folder / "tickbench.img", folder / "tickbench.cmd"
    try:
        parameters.write_text(line + "\n")
        with disk.open("wb") as file:
            file.truncate(DISK_KIB << 10)
    except OSError as error:
        raise output_error(error, folder) from error
    at = ["-i", str(disk)]
    for command in (["mformat", *at, "-T", str(DISK_KIB * 2), "-h", "16", "-s", "63", "::"],
                    ["mmd", *at, "::/EFI", "::/EFI/BOOT"], ["mcopy", *at, str(efi), "::/EFI/BOOT/BOOTX64.EFI"],
                    ["mcopy", *at, str(parameters), "::/tickbench.cmd"]):
        try:
            status, said = process.hear(command)
        except OSError as error:
            raise CannotRun(Problem.USAGE, f"{{disk}} needs {command[0]} (./setup.sh run installs it)") from error
        if status:
            raise CannotRun(Problem.PROGRAM_FAILED, f"{command[0]} cannot write {disk}", said)
    return disk


def _complete(serial: bytearray) -> bool:
    """Whether the report is over: its last line is a run's result, or says why there is none."""
    lines = bytes(serial).rpartition(b"\n")[0].rsplit(b"\n", 1)
    if not lines[-1].startswith((b"ok ", b"not ok ", b"Bail out!")):
        return False
    made = ktap.parse(serial.decode(errors="replace"))
    return made.bail_out is not None or (made.plan is not None and len(made.results) >= made.plan > 0)


def run(foreign: Foreign, folder: Path, show: progress.Show) -> ktap.Report:
    """Starts the hypervisor and waits for the guest's report; the serial log and the samples are written to the
    folder. CannotRun if there is no report."""
    limits = watch.Limits(first=60.0, quiet=scenarios.quiet_seconds(foreign.expected_s, False),
                          total=scenarios.quiet_seconds(foreign.expected_s, False) + 60.0)
    serial, complete = bytearray(), False
    outcome: watch.Outcome | None = None
    try:
        with closing(watch.events(lambda qmp: foreign.command, limits)) as events:
            for event in events:
                if isinstance(event, watch.Ended):
                    outcome = event.outcome
                elif isinstance(event, watch.Output):
                    serial += event.data
                    show.feed(event.data)
                    if not complete and b"\n" in event.data and _complete(serial):
                        complete = True
                        limits.quiet = PATIENCE_SECONDS
    except OSError as error:
        raise CannotRun(Problem.USAGE, f"{foreign.command[0]} cannot be started ({error.strerror})") from error
    text = serial.decode(errors="replace")
    try:
        (folder / "serial.log").write_bytes(serial)
        (folder / "samples.bin").write_bytes(samples.from_serial(text))
    except OSError as error:
        raise output_error(error, folder) from error
    made = ktap.parse(text)
    _check(made, outcome, complete, text)
    return made


def _check(made: ktap.Report, outcome: watch.Outcome | None, complete: bool, text: str) -> None:
    said = boot.last_lines(text)
    if not text:
        words = boot.last_lines(outcome.stderr) if outcome else ""
        how = f"; it ended with status {outcome.code}" if outcome and outcome.end in ENDS else ""
        raise CannotRun(Problem.GUEST_SILENT, f"the guest said nothing over serial (its stdout){how}", words)
    if made.bail_out is not None:
        raise CannotRun(Problem.GUEST_BAILED, f"the guest cannot run this: {made.bail_out}")
    if not complete:
        raise CannotRun(Problem.GUEST_STALLED, "the guest's report is not whole", said)
    if made.problems:
        raise CannotRun(Problem.REPORT_BROKEN, "the guest's report is broken",
                        "\n".join(problem.words() for problem in made.problems[:8]))


ENDS = (watch.End.STATUS, watch.End.NO_STATUS, watch.End.QEMU_FAILED)

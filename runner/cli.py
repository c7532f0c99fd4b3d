# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands: run (boot the guest), sim (the host process), show (a report's table). Assumes that
all below it raise CannotRun; here that becomes words and a status."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from runner import options, plan, process, scenarios, simulate
from runner.errors import need_built, output_error, CannotRun, Problem, Status
from runner.guest import accel, boot, firmware, qemu, watch
from runner.report import plot, progress, report, samples, table

RESULTS = ("serial*.log", "samples*.bin", "publisher*.log", "report.json", "error.png")
SIM_BYTES = 4 << 20  # a whole report has some kilobytes
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    # What follows is bounded clean-up: a second Ctrl-C must not tear it.
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


def _unraisable(what: sys.UnraisableHookArgs) -> None:
    """An interrupt that came in a finalizer or a hook, where Python drops it, comes again."""
    if isinstance(what.exc_value, Interrupted):
        number = what.exc_value.number
        signal.signal(signal.SIGALRM, lambda *_: _interrupt(number, None))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
    else:
        sys.__unraisablehook__(what)


@contextlib.contextmanager
def prepared(folder: Path) -> Iterator[None]:
    """An output folder without an earlier run's results, which no other run may use meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise output_error(error, folder) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRun(Problem.OUTPUT_FOLDER, f"another run writes its results to {folder}") from None
        _tidy(folder)
        yield
    finally:
        os.close(lock)


def _tidy(folder: Path) -> None:
    try:
        for pattern in RESULTS:
            for left in folder.glob(pattern):
                left.unlink()
        (folder / "report.json").touch()
        (folder / "report.json").unlink()
    except OSError as error:
        raise output_error(error, folder) from error


def images(
    wanted: plan.Plan, given: options.argparse.Namespace, vehicle: str, console: Console
) -> list[plan.Image]:
    """The programs of each core that is asked for; a kernel's is lifted first."""
    build = given.build
    if not wanted.linux:
        return [plan.Image("native", build / "tickbench.elf", build / "tickbench.efi",
                           build / "tickbench-sim")]
    hz = plan.hz(wanted)
    from runner.lift import lift

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    return lift.images(wanted.linux, hz, vehicle, build, say, not given.periodic)


def apply_core(wanted: plan.Plan, core: str | None) -> plan.Plan:
    """The plan with the core of --core in every group; CannotRun for a word that names none."""
    if core:
        wanted = plan.Plan(plan.with_values(wanted.groups, [f"core={core}"]), wanted.linux)
    return plan.lifted(wanted)


def finish(
    documents: Sequence[report.Document], records: Sequence[samples.Samples], output: Path,
    console: Console, notes: Sequence[str] = (),
) -> Status:
    """Writes report and picture, prints the table and the verdict."""
    whole = report.merge(documents)
    runs = whole["runs"]
    report.write(whole, output / "report.json")
    drawn = plot.draw(records, runs, output / "error.png")
    table.show(runs, console)
    for note in notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    files = ["report.json"] + (["error.png"] if drawn else [])
    files += sorted(path.name for pattern in RESULTS[:3] for path in output.glob(pattern))
    console.print(f"in {output}: {', '.join(files)}", markup=False, soft_wrap=True)
    return table.status(runs)


def _renumbered(records: Sequence[samples.Samples], first: int) -> list[samples.Samples]:
    from dataclasses import replace

    return [replace(record, run=record.run + first) for record in records]


def _loud(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise Interrupted(signal.SIGPIPE) from None


def _choose(given: options.argparse.Namespace, found: qemu.Qemu) -> accel.Accel:
    elf = given.build / "probe.elf"
    needs_probe = given.accel != "tcg" and not given.icount and not accel.kvm_obstacle()
    if needs_probe:
        need_built(elf)
    rom = firmware.qboot() if needs_probe else Path()
    return accel.choose(given.accel, given.icount, found.path, rom, elf)


def run(arguments: Sequence[str]) -> Status:
    """`run-qemu.sh`: boots each image that is asked for, prints the table, writes the results. Its status
    is the worst run's."""
    ours, extra = options.split(arguments)
    given = options.run_parser().parse_intermixed_args(ours)
    wanted = apply_core(plan.Plan(plan.parse(given.words)), given.core)
    output = given.output or given.build / "run"
    console = table.console()
    if given.raw:
        console = Console(stderr=True, highlight=False)
    found = qemu.find(given.qemu)
    with prepared(output):
        return _run(given, wanted, output, found, tuple(extra), console)


def _run(
    given: options.argparse.Namespace, wanted: plan.Plan, output: Path, found: qemu.Qemu,
    extra: tuple[str, ...], console: Console,
) -> Status:
    chosen = _choose(given, found)
    if chosen.why:
        console.print(chosen.why, markup=False, soft_wrap=True)
    publisher = "none" if given.no_page else given.publisher
    if given.icount and publisher == "live":
        publisher = accel.ICOUNT_PAGE
    if publisher not in ("live", "none") and not publisher.startswith("static:"):
        raise CannotRun(Problem.USAGE, f"--publisher {publisher} is not live, static:LINE or none")
    how = boot.Options(found, chosen, wanted.groups, scenarios.read(given.build), given.build, output,
                       given.boot, publisher, given.page, given.timeout, given.gdb, extra)
    documents: list[report.Document] = []
    records: list[samples.Samples] = []
    notes: list[str] = []
    made = images(wanted, given, "guest", console)
    for image in made:
        result, document = _one_boot(how, image, f"-{image.label}" if len(made) > 1 else "",
                                     console, given.raw)
        count = sum(len(each["runs"]) for each in documents)
        records += _renumbered(samples.read(result.samples), count)
        documents.append(document)
        notes += result.notes
        if result.lost and given.bisect:
            raise CannotRun(Problem.PUBLISHER, result.notes[-1])
    if given.raw:
        report.write(report.merge(documents), output / "report.json")
        return table.status(report.merge(documents)["runs"])
    return finish(documents, records, output, console, notes)


def _one_boot(
    how: boot.Options, image: plan.Image, suffix: str, console: Console, raw: bool
) -> tuple[boot.Result, report.Document]:
    def on_command(line: Sequence[str]) -> None:
        if how.gdb:
            console.print("QEMU waits for a debugger:\n  " + shlex.join(
                ["gdb", str(image.elf), "-ex", "target remote :1234"]), markup=False, soft_wrap=True)

    with progress.Show(console, image.label, quiet=raw) as show:
        def listen(data: bytes, limits: watch.Limits) -> None:
            for step in show.feed(data):
                limits.quiet = scenarios.quiet_seconds(step.expected(), how.accel.slow)
            if raw:
                _loud(data)

        result = boot.run(how, image, suffix, listen, show.idle, on_command)
    return result, result.document(how, show.seconds)


def sim(arguments: Sequence[str]) -> Status:
    """`tickbench sim`: the same in the host process."""
    given = options.sim_parser().parse_intermixed_args(list(arguments))
    wanted = apply_core(plan.Plan(plan.parse(given.words, plan.SIM_DEFAULT)), given.core)
    output = given.output or given.build / "sim"
    console = table.console()
    if given.raw:
        console = Console(stderr=True, highlight=False)
    with prepared(output):
        return _sim(given, wanted, output, console)


def _sim(given: options.argparse.Namespace, wanted: plan.Plan, output: Path, console: Console) -> Status:
    documents: list[report.Document] = []
    records: list[samples.Samples] = []
    made = images(wanted, given, "sim", console)
    for image in made:
        suffix = f"-{image.label}" if len(made) > 1 else ""
        data = output / f"samples{suffix}.bin"
        text, status, seconds = _simulate(image, ["--samples", str(data), *plan.words(wanted.groups)], console,
                                          output / f"serial{suffix}.log", given.raw)
        count = sum(len(each["runs"]) for each in documents)
        documents.append(simulate.document(image.sim, text, status, data.name, seconds))
        records += _renumbered(samples.read(data), count)
    if given.raw:
        report.write(report.merge(documents), output / "report.json")
        return table.status(report.merge(documents)["runs"])
    return finish(documents, records, output, console)


def _simulate(
    image: plan.Image, arguments: Sequence[str], console: Console, log: Path, raw: bool
) -> tuple[str, int, list[float | None]]:
    need_built(image.sim)
    text = bytearray()
    try:
        child = process.start([str(image.sim), *arguments], stderr=sys.stderr.buffer)
    except OSError as error:
        raise CannotRun(Problem.PROGRAM_FAILED, f"cannot start {image.sim} ({error})") from error
    try:
        with progress.Show(console, image.label, quiet=raw) as show, log.open("wb") as file:
            assert child.stdout
            while data := os.read(child.stdout.fileno(), 65536):
                text += data
                if len(text) > SIM_BYTES:
                    raise CannotRun(Problem.GUEST_LOUD, f"{image.sim} wrote more than {SIM_BYTES} bytes")
                file.write(data)
                show.feed(data)
                if raw:
                    _loud(data)
        child.wait()
    except OSError as error:
        raise output_error(error, log) from error
    finally:
        process.end(child)
    return text.decode(errors="replace"), child.returncode, show.seconds


def show(arguments: Sequence[str]) -> Status:
    """Prints the table of reports that were written before; status as `run` had it."""
    given = options.show_parser().parse_args(list(arguments))
    runs = report.merge([report.read(path) for path in given.reports])["runs"]
    table.show(runs, table.console())
    return table.status(runs)


def _of(module: str) -> Callable[[Sequence[str]], int]:
    """The main() of a module that is loaded once it is needed."""
    return lambda arguments: importlib.import_module(f"runner.{module}").main(arguments)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": run, "sim": sim, "show": show, "lift": _of("lift.lift"), "ladder": _of("study.ladder"),
    "soak": _of("study.soak"), "bench": _of("study.bench"),
}
USAGE = """usage: tickbench COMMAND [options]

  run     boot the guest in QEMU, measure, print the table
  sim     the same in a host process, on the virtual counter
  show    print the table of reports that were written before
  lift    build a Linux tree's own timekeeping core
  soak    compare the native core with lifted ones over random operations
  ladder  measure what each change of the series is worth
  bench   measure the speed of tickbench itself

`tickbench COMMAND --help` tells each command's options."""


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    before = {each: signal.signal(each, _interrupt) for each in SIGNALS}
    sys.unraisablehook = _unraisable
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def main(arguments: Sequence[str]) -> int:
    status = _status(arguments)
    if "--bisect" in options.split(arguments)[0] and status in (Status.CANNOT_RUN, Status.SKIPPED):
        return Status.BISECT_SKIP
    return status


def _status(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in ("--help", "-h"):
        print(USAGE)
        return Status.PASSED
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        print(USAGE, file=sys.stderr)
        return Status.CANNOT_RUN
    try:
        with _signals():
            return command(arguments[1:])
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from flushing into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except CannotRun as error:
        print(error.words(), file=sys.stderr)
        return Status.CANNOT_RUN
    except Exception:  # a bug of ours: no verdict, and above all not "a claim failed"
        traceback.print_exc()
        return Status.CANNOT_RUN
    except Interrupted as stop:
        if stop.number != signal.SIGPIPE:
            print("\ntickbench: interrupted; all that it started has been stopped", file=sys.stderr)
        return 128 + stop.number

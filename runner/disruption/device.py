# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench device`: judges the vmclock device of any hypervisor. The guest's scenario `device` looks at the page
and claims what its specification says; here it is booted, restored from a snapshot, and its claims are printed."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console

from runner import options, output, plan, scenarios
from runner.disruption.journey import begin
from runner.errors import need_built, CannotRun, Problem
from runner.guest import boot, foreign, launch, qemu
from runner.guest.hosts import Host, PageHead
from runner.guest.machine import Machine, Machines
from runner.report import ktap, progress, report
from runner.report.results import Results

RESTORE = b"device: restore this guest now"
AWAY_SECONDS = 0.3  # how long the guest runs on after it was saved


class StockHost(Host):
    """A context: a place without a publisher, whose QEMU has a vmclock device of its own."""

    def __enter__(self) -> StockHost:
        self._folder.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._folder.__exit__(kind, error, trace)

    def head(self) -> PageHead:
        """Its page has no line to be waited for."""
        return PageHead(0, 0, 2, 0)

    def restored(self, machines: Machines) -> None:
        """QEMU knows."""

    def machine(self, machines: Machines, options: boot.Options, files: qemu.Boot, samples: Path,
                extra: Sequence[str] = ()) -> Machine:
        return machines.start(self.name, lambda qmp: qemu.command(
            options.qemu, files, options.accel, options.groups, options.scenarios, None, samples, qmp, False,
            [*options.extra, *qemu.STOCK, *extra]))


def _parser() -> options.Parser:
    made = options.Parser("device", "Judges a vmclock device against its specification, one TAP line a statement.",
                          "./tickbench device [options] [name=value ...] [-- COMMAND of a hypervisor]")
    add = made.add_argument
    add("words", nargs="*", metavar="name=value", help="an experiment that is run after it, on the same guest")
    add("--accel", choices=("auto", "kvm", "tcg"), default="auto", help="of QEMU: auto takes KVM where it is fast")
    add("--qemu", metavar="PATH", help="the QEMU to use (default: qemu-system-x86_64)")
    add("--stock", action="store_true", help="judge QEMU's own -device vmclock (QEMU 10 or later)")
    add("--page", type=Path, metavar="FILE", help="judge this page file (2 MiB, no link), without a publisher")
    add("--seconds", type=options.seconds, default=5.0, metavar="S",
        help="how long the page is watched (default %(default)s)")
    add("--no-restore", action="store_true", help="do not restore the guest from a snapshot")
    add("--timeout", type=options.seconds, metavar="S", help="end the guest after S seconds")
    add("--json", action="store_true", help="print the report as JSON, and no TAP")
    options.folders(made, "device")
    made.set_defaults(icount=False)
    return made


def main(arguments: Sequence[str]) -> int:
    ours, command = options.split(arguments)
    given = _parser().parse_intermixed_args(ours)
    if command and (given.stock or given.page or given.qemu):
        raise CannotRun(Problem.USAGE, "--qemu, --stock and --page are of tickbench's own QEMU, and a command line of"
                                       " your own follows --")
    if given.stock and given.page:
        raise CannotRun(Problem.USAGE, "--stock has a page of QEMU's, and --page one of yours")
    console, folder = progress.stderr(), given.output or given.build / "device"
    restore = not (command or given.page or given.no_restore)
    groups = _groups(given, restore)
    with output.prepared(folder):
        with progress.Show(console, "device") as show:
            if command:
                document = _foreign(given, command, groups, folder, show)
            else:
                document = _own(given, groups, folder, restore, show, console)
        results = Results()
        results.add(document, folder / "samples.bin")
        status = results.write(folder)
        if given.json:
            results.print_json()
        else:
            print("\n".join(tap(document["runs"][0])))
            if len(document["runs"]) > 1:
                results.show(folder, console)
    return status


def _groups(given: argparse.Namespace, restore: bool) -> tuple[tuple[str, ...], ...]:
    judge = ("scenario=device", "clock=tsc", f"duration={given.seconds:.3f}", f"disruptions={int(restore)}")
    return (judge, *plan.parse(given.words)) if given.words else (judge,)


def _foreign(given: argparse.Namespace, command: Sequence[str], groups: Sequence[Sequence[str]], folder: Path,
             show: progress.Show) -> report.Document:
    """On the user's own hypervisor."""
    # Firecracker adds words of its own, such as pci=off.
    line = qemu.append_line([*groups[:-1], (*groups[-1], "end=1")])
    efi = need_built(given.build / "tickbench.efi").resolve()
    places = {"{elf}": str(need_built(given.build / "tickbench.elf").resolve()), "{efi}": str(efi), "{cmdline}": line}
    if foreign.wants_disk(command):
        places["{disk}"] = str(foreign.make_disk(efi, line, folder).resolve())
    filled = foreign.filled(command, places, folder)
    seconds = scenarios.read(given.build).seconds(groups)
    made = foreign.run(foreign.Foreign(filled, given.timeout or seconds), folder, show)
    return report.document(made, report.Vehicle("guest", None, None, shlex.join(filled)[:200]), "samples.bin",
                           show.seconds)


def _own(given: argparse.Namespace, groups: Sequence[Sequence[str]], folder: Path, restore: bool,
         show: progress.Show, console: Console) -> report.Document:
    """On QEMU, with a page that is the publisher's, QEMU's or the user's."""
    found = qemu.find(given.qemu)
    if given.stock:
        qemu.need_stock(found)
    chosen = launch.choose(given, found, console)
    how = boot.Options(found, chosen, tuple(map(tuple, groups)), scenarios.read(given.build), given.build, folder,
                       publisher="none" if given.page or given.stock else "live", page=given.page,
                       timeout=given.timeout, extra=qemu.STOCK if given.stock and not restore else ())
    elf = need_built(given.build / "tickbench.elf")
    if not restore:
        image = plan.Image("device", elf, given.build / "tickbench.efi", given.build / "tickbench-sim")
        result = boot.run(how, image, show)
        return result.document(how, show.seconds)
    host = StockHost(0, given.build, folder) if given.stock else Host(0, given.build, folder, generation=1, notify=True)
    with begin(how, elf, [host], show, ready=RESTORE) as way:
        way.snapshot(AWAY_SECONDS, host)
        made: ktap.Report = way.finish()[0]
    return report.document(made, report.Vehicle("guest", chosen.name, "pvh", f"qemu {found.version}"), "samples.bin",
                           show.seconds)


def tap(run: dict[str, Any]) -> list[str]:
    """The claims of a run as TAP, version 13."""
    lines = ["TAP version 13", f"1..{len(run['claims'])}"]
    for number, claim in enumerate(run["claims"], 1):
        skip = f" # SKIP {claim['skipped']}" if claim["skipped"] is not None else ""
        lines.append(f"{'ok' if claim['ok'] else 'not ok'} {number} - {claim['sentence']}{skip}")
    lines += [f"# {note}" for note in run["notes"]]
    lines += [f"# {name} {value}" for name, value in run["metrics"].items()]
    return lines

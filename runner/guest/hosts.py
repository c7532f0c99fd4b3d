# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts that a guest moves between: each has its own page, mailbox and publisher, and may believe another
time. All of them are processes on this machine, so that one clock tells when what happened. Assumes
build/vmclock-host, and a guest that boots by PVH."""

from __future__ import annotations

import json
import signal
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from runner.guest import boot, qemu
from runner.guest.machine import Machine, Machines
from runner.guest.publisher import Publisher, SharedFolder

# Markers of two hosts must differ: each host's own start this far apart.
MARKERS = 1 << 32
CAPABILITIES = ({"capability": "x-ignore-shared", "state": True}, {"capability": "events", "state": True})
# magic, seq_count, disruption_marker, clock_status, vm_generation_counter
PAGE_HEAD = struct.Struct("<I8xIQ10xB69xQ")
RESTORED_SECONDS = 60.0
USABLE = (2, 3)  # clock_status: synchronized, freerunning


@dataclass(frozen=True)
class PageHead:
    """What a host's page says at a moment: its state, and not the line."""

    seq_count: int
    marker: int
    status: int
    generation: int

    @property
    def usable(self) -> bool:
        return not self.seq_count & 1 and self.status in USABLE


class Host:
    """A context: a place with a page, a mailbox and a live publisher. clock_error_ns: how far its clock is
    off this machine's."""

    def __init__(self, number: int, build: Path, output: Path, clock_error_ns: int = 0,
                 generation: int | None = None, warm_up: float | None = None, notify: bool = False) -> None:
        self.number, self.name = number, f"host {chr(ord('A') + number)}"
        self.clock_error_ns, self.generation, self._warm_up = clock_error_ns, generation, warm_up
        self._notify = notify
        self._build, self._output = build, output
        self._folder = SharedFolder(output)

    def __enter__(self) -> Host:
        self._folder.__enter__()
        try:
            folder = self._folder.path
            self.pages = self._pages(folder)
            self.publisher = Publisher(self._build / "vmclock-host", self.pages.page, self.pages.mailbox,
                                       self._output / f"publisher-{self.number}.log", self._words())
            self.publisher.__enter__()
        except BaseException:
            self._folder.__exit__(None, None, None)
            raise
        return self

    def _pages(self, folder: Path) -> qemu.Pages:
        return qemu.Pages(folder / "page", folder / "mailbox", self._build / "vmclock.aml", folder / "qemu.pid",
                          folder / "bell" if self._notify else None)

    def _words(self) -> list[str]:
        """The publisher's options."""
        words = ["--qemu-pidfile", str(self.pages.pid), "--json",
                 "--marker", str(self.first_marker), "--clock-error", str(self.clock_error_ns)]
        if self.generation is not None:
            words += ["--generation", str(self.generation)]
        if self.pages.bell:
            words += ["--notify", str(self.pages.bell)]
        if self._warm_up is not None:
            words += ["--warm-up", str(self._warm_up)]
        return words

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.publisher.__exit__(kind, error, trace)
        self._folder.__exit__(kind, error, trace)

    @property
    def first_marker(self) -> int:
        return (self.number + 1) * MARKERS

    @property
    def folder(self) -> Path:
        """In memory, as long as the host is there."""
        return self._folder.path

    def head(self) -> PageHead:
        """The state that the page tells now."""
        with self.pages.page.open("rb") as file:
            _, seq_count, marker, status, generation = PAGE_HEAD.unpack(file.read(PAGE_HEAD.size))
        return PageHead(seq_count, marker, status, generation)

    def marker_moves(self) -> dict[int, float]:
        """When the publisher wrote each marker, as its log tells: seconds of CLOCK_REALTIME. The first one is older
        than every guest: 0."""
        found = {self.first_marker: 0.0}
        for line in self.publisher.log.read_text(errors="replace").splitlines():
            if '"disrupted"' not in line:
                continue
            try:
                event = json.loads(line)
            except ValueError:
                continue  # cut, as the log's end is
            found[event["marker"]] = event["unix_us"] / 1e6
        return found

    def restored(self, machines: Machines) -> None:
        """Tells the publisher that its guest was restored, as a hypervisor would know, and waits until the page
        says so."""
        self.publisher.signal(signal.SIGUSR1)
        machines.wait(lambda: self.head().generation == (self.generation or 0) + 1, RESTORED_SECONDS, 0.001)

    def machine(self, machines: Machines, options: boot.Options, files: qemu.Boot, samples: Path,
                extra: Sequence[str] = ()) -> Machine:
        """A QEMU on this host, on its page."""
        def command(qmp: int) -> list[str]:
            return qemu.command(options.qemu, files, options.accel, options.groups, options.scenarios,
                                self.pages, samples, qmp, False, [*options.extra, *extra])

        machine = machines.start(self.name, command)
        machines.execute(machine, "migrate-set-capabilities", capabilities=list(CAPABILITIES))
        return machine


class StressHost(Host):
    """A context: a place whose publisher rewrites the page as fast as it can, with lines from which a torn read is
    told. It knows nothing of the guest."""

    def _pages(self, folder: Path) -> qemu.Pages:
        return qemu.Pages(folder / "page", None, self._build / "vmclock.aml")

    def _words(self) -> list[str]:
        return ["--stress"]

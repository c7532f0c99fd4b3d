# SPDX-License-Identifier: GPL-2.0-or-later
"""One guest's way over several QEMUs and hosts: how it is moved, stopped and restored, what the host saw of
each disruption, and the one report that it makes of all. The guest runs the scenario `disrupted`, whose
notes tell what the guest saw. Assumes a guest that boots by PVH, and QEMU 7.2 or later."""

from __future__ import annotations

import re
import shlex
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner import scenarios
from runner.errors import CannotRun, Problem, output_error
from runner.guest import boot, firmware, qemu, watch
from runner.guest.hosts import Host
from runner.guest.machine import Machine, Machines
from runner.report import ktap, progress, report
from runner.report.report import Document

LAST_PARAM = b"# param run "  # the guest measures from here on
FOLLOWS = b"takes the page's line"
RESUMED = ("migrate", "stop", "snapshot", "clone")  # by QEMU, whose event tells when
POLL_SECONDS = 0.0005  # how exactly the first line of a host is timed
MIGRATION_SECONDS = 60.0
LINE_SECONDS = 15.0
JOB_SECONDS = 60.0
NOTE = re.compile(r"disruption (\d+) (.*)$")


@dataclass
class Cause:
    """What was done to the guest, as its host saw it. Milliseconds; None: not seen."""

    what: str
    host: str  # where the guest runs afterwards
    at_s: float  # since the guest began to measure, of the host's clock
    away_ms: float | None = None  # the guest did not run for so long
    took_ms: float | None = None  # the whole operation
    line_ms: float | None = None  # from the guest's resumption to the first usable line
    notice_ms: float | None = None  # from the guest's resumption to its look that showed the disruption
    own_ms: float | None = None  # the guest's part of that: since the publisher moved the marker in the page


@dataclass(frozen=True)
class Saw:
    """One disruption as the guest tells it."""

    at_s: float
    unknown_ms: float | None  # None: no line ended it
    first_ns: float
    off_ns: float
    after_ns: float
    stated_ns: int
    to_stated_ms: float | None
    to_1us_ms: float | None
    to_10ns_ms: float | None
    to_1ns_ms: float | None
    marker: int
    generation: int
    noticed_s: float  # UTC, by the new line, of the look that showed it


def _ms(text: str) -> float | None:
    return None if text == "-1" else int(text) / 1000


def seen(notes: Sequence[str]) -> list[Saw]:
    """The disruptions in a run's notes, in order."""
    found = []
    for note in notes:
        if matched := NOTE.match(note):
            values = scenarios.values_of(matched[2].split())
            found.append(Saw(
                at_s=int(values["at_us"]) / 1e6, unknown_ms=_ms(values["unknown_us"]),
                first_ns=int(values["first_ps"]) / 1000, off_ns=int(values["off_ps"]) / 1000,
                after_ns=int(values["after_ps"]) / 1000, stated_ns=int(values["stated_ns"]),
                to_stated_ms=_ms(values["to_stated_us"]), to_1us_ms=_ms(values["to_1us_us"]),
                to_10ns_ms=_ms(values["to_10ns_us"]), to_1ns_ms=_ms(values["to_1ns_us"]),
                marker=int(values["marker"]), generation=int(values["generation"]),
                noticed_s=int(values["noticed_us"]) / 1e6))
    return found


class Journey:
    """A guest under way. Made by begin()."""

    def __init__(self, options: boot.Options, elf: Path, machines: Machines, scratch: Path, name: str,
                 ready: bytes = FOLLOWS) -> None:
        self.options, self.machines, self._ready = options, machines, ready
        self._elf = elf
        self._files = qemu.Boot("pvh", firmware.qboot(), elf=elf)
        self._scratch = scratch
        self.label = self.name = name
        self.causes: list[Cause] = []
        self.notes: list[str] = []  # what the host counted, for the report
        self.stages: list[Machine] = []  # every QEMU that the guest was in, in order
        self._began = 0.0
        self._boots = 0  # where the last boot's output begins, of the last QEMU's
        self._clones: list[Journey] = []
        self.resumptions: list[tuple[Cause, Host, float]] = []  # where and when, of the host's clock

    @property
    def machine(self) -> Machine:
        """The QEMU that the guest is in."""
        return self.stages[-1]

    def _samples(self) -> Path:
        return self._scratch / f"samples.{len(self.machines.all)}"

    def boot(self, host: Host) -> None:
        """Starts the guest, and waits until it follows the page."""
        self.stages.append(host.machine(self.machines, self.options, self._files, self._samples()))
        allowed = boot.FIRST_WORD_SECONDS["pvh"] + scenarios.quiet_seconds(0, self.options.accel.slow)
        self._until(lambda: self._ready in self.machine.serial, allowed, "did not begin to measure")
        self._began = time.time()

    def _until(self, condition: Callable[[], bool], seconds: float, what: str, step: float = 0.02) -> None:
        """Pumps until the condition holds. CannotRun if the guest ends before, or takes too long."""
        machine = self.machine
        if self.machines.wait(lambda: condition() or machine.ended, seconds, step) and condition():
            return
        why = "ended" if machine.ended else what
        raise CannotRun(Problem.GUEST_STALLED, f"the guest on {machine.name} {why}",
                        "\n".join([machine.words(), boot.last_lines(self.serial().decode(errors="replace"))]).strip())

    def run(self, seconds: float) -> None:
        """Lets the guest run for so long, or until it ends."""
        machine = self.machine
        self.machines.wait(lambda: machine.ended, seconds)

    def arrive(self, host: Host, source: str) -> Machine:
        """A QEMU on this host that waits for a guest from `source`: a URI of QEMU's migration."""
        machine = host.machine(self.machines, self.options, self._files, self._samples(), ["-incoming", "defer"])
        self.machines.execute(machine, "migrate-incoming", uri=source)
        return machine

    def resumed(self, host: Host, cause: Cause, at: float) -> None:
        """Times the first usable line of the host for a guest that runs since `at`."""
        self.resumptions.append((cause, host, at))
        self._until(lambda: host.head().usable, LINE_SECONDS, "got no line after it was resumed", POLL_SECONDS)
        cause.line_ms = round((time.time() - at) * 1000, 3)

    def migrate(self, host: Host) -> Cause:
        """Live migration to the host."""
        source, began = self.machine, time.time()
        cause = Cause("migrate", host.name, began - self._began)
        uri = f"unix:{self._scratch}/{len(self.stages)}.migration"
        target = self.arrive(host, uri)
        asked = time.time()
        self.machines.execute(source, "migrate", uri=uri)
        self._wait_for_resume(source, target)
        stop, resume = source.event("STOP"), target.event("RESUME")
        assert resume
        self.stages.append(target)
        cause.took_ms = round((resume.seconds - asked) * 1000, 3)
        cause.away_ms = round((resume.seconds - stop.seconds) * 1000, 3) if stop else None
        self.causes.append(cause)
        self.resumed(host, cause, resume.seconds)
        self.machines.end(source)
        return cause

    def _wait_for_resume(self, source: Machine, target: Machine) -> None:
        def over() -> bool:
            return target.event("RESUME") is not None or target.ended or source.ended or failed()

        def failed() -> bool:
            return source.migrated("failed", "cancelled")

        done = self.machines.wait(over, MIGRATION_SECONDS, 0.001)
        if target.event("RESUME"):
            return
        why = "failed" if done else f"was not done within {MIGRATION_SECONDS:g} s"
        raise CannotRun(Problem.QEMU_REFUSED, f"the migration to {target.name} {why}",
                        "\n".join(filter(None, (source.words(), target.words()))))

    def _paused(self, what: str, host: Host, away: float, change: Callable[[], None]) -> Cause:
        """Stops the guest for `away` seconds, and does `change` before it goes on."""
        cause = Cause(what, host.name, time.time() - self._began)
        known = len(self.machine.events)
        self.machines.execute(self.machine, "stop")
        self.machines.wait(lambda: False, away)
        change()
        self.machines.execute(self.machine, "cont")
        stopped = self.machine.event("STOP", known)
        resumed = next(each for each in reversed(self.machine.events) if each.name == "RESUME")
        assert stopped
        cause.away_ms = round((resumed.seconds - stopped.seconds) * 1000, 3)
        self.causes.append(cause)
        self.resumed(host, cause, resumed.seconds)
        return cause

    def stop(self, away: float, host: Host) -> Cause:
        """QMP's stop, and cont after so many seconds."""
        return self._paused("stop", host, away, lambda: None)

    def _job(self, command: str, **arguments: object) -> None:
        """A job of QEMU's, to its end."""
        name = f"job{len(self.causes)}-{command}"

        def state() -> dict[str, Any]:
            jobs = self.machines.execute(self.machine, "query-jobs")
            return next((job for job in jobs if job["id"] == name), {"status": "null"})

        self.machines.execute(self.machine, command, job_id=name, **arguments)
        if not self.machines.wait(lambda: state()["status"] == "concluded", JOB_SECONDS):
            raise CannotRun(Problem.QEMU_REFUSED, f"QEMU's {command} did not end")
        error = state().get("error")
        self.machines.execute(self.machine, "job-dismiss", id=name)
        if error:
            raise CannotRun(Problem.QEMU_REFUSED, f"QEMU's {command} failed", str(error))

    def snapshot(self, away: float, host: Host) -> Cause:
        """Saves a snapshot, lets the guest run for `away` seconds, and restores it. The disk that keeps it
        is made for it. The host is told."""
        path = str(self._scratch / "snapshot.qcow2")
        Path(path).touch()
        self.machines.execute(self.machine, "blockdev-add", driver="file", filename=path, node_name="file")
        self._job("blockdev-create", options={"driver": "qcow2", "file": "file", "size": 1 << 20})
        self.machines.execute(self.machine, "blockdev-add", driver="qcow2", file="file", node_name="disk")
        self._job("snapshot-save", tag="tickbench", vmstate="disk", devices=["disk"])
        self.run(away)

        def restore() -> None:
            self._job("snapshot-load", tag="tickbench", vmstate="disk", devices=["disk"])
            host.restored(self.machines)

        return self._paused("snapshot", host, 0.0, restore)

    def clone(self, *hosts: Host) -> None:
        """Saves the guest's state, and restores it once on each of the hosts, where both go on at once."""
        path = self._scratch / "clone.state"
        source, began = self.machine, time.time()
        self.machines.execute(source, "stop")
        self.machines.execute(source, "migrate", uri=f"exec:cat > {shlex.quote(str(path))}")
        saved = self.machines.wait(lambda: source.migrated("completed", "failed"), MIGRATION_SECONDS)
        if not saved or self.machines.execute(source, "query-migrate")["status"] != "completed":
            raise CannotRun(Problem.QEMU_REFUSED, "QEMU cannot save the guest's state", source.words())
        self.machines.end(source)
        for host in hosts:
            other = Journey(self.options, self._elf, self.machines, self._scratch, self.name)
            other.label = f"{self.name} on {host.name}"
            other.stages, other._began = [*self.stages], self._began
            target = self.arrive(host, f"exec:cat {shlex.quote(str(path))}")
            self._until_restored(target)
            other.stages.append(target)
            cause = Cause("clone", host.name, began - self._began)
            other.causes.append(cause)
            # A guest that was saved while it was stopped waits for cont.
            self.machines.execute(target, "cont")
            resumed = target.event("RESUME")
            assert resumed
            cause.away_ms = round((resumed.seconds - began) * 1000, 3)
            other.resumed(host, cause, resumed.seconds)
            self._clones.append(other)

    def _until_restored(self, target: Machine) -> None:
        self.machines.wait(lambda: target.migrated("completed", "failed") or target.ended, MIGRATION_SECONDS, 0.001)
        if not target.migrated("completed"):
            raise CannotRun(Problem.QEMU_REFUSED, f"QEMU on {target.name} cannot restore the guest", target.words())

    def guests(self) -> list[Journey]:
        """The guests that there are now: the clones, or the one."""
        return self._clones or [self]

    def reset(self, host: Host) -> Cause:
        """QMP's system_reset: the guest boots again."""
        cause = Cause("reset", host.name, time.time() - self._began)
        self.machines.execute(self.machine, "set-action", reboot="reset")
        self._boots = len(self.machine.serial)
        self.machines.execute(self.machine, "system_reset")
        self._until(lambda: FOLLOWS in self.machine.serial[self._boots:], boot.FIRST_WORD_SECONDS["pvh"],
                    "did not begin to measure again")
        self.causes.append(cause)
        return cause

    def _frozen(self, what: str, host: Host, away: float, freeze: Callable[[int], None]) -> Cause:
        """Sends SIGSTOP and, after so many seconds, SIGCONT by `freeze`."""
        cause = Cause(what, host.name, time.time() - self._began)
        freeze(signal.SIGSTOP)
        try:
            self.machines.wait(lambda: False, away)
        finally:
            freeze(signal.SIGCONT)
        at = time.time()
        cause.away_ms = round(away * 1000, 3)
        self.causes.append(cause)
        self.resumed(host, cause, at)
        return cause

    def suspend(self, away: float, host: Host) -> Cause:
        """Stops QEMU and the publisher together, as a host's suspend does."""
        machine = self.machine

        def both(number: int) -> None:
            machine.child.send_signal(number)
            host.publisher.signal(number)

        return self._frozen("suspend", host, away, both)

    def freeze_publisher(self, away: float, host: Host) -> Cause:
        """Stops the publisher alone."""
        return self._frozen("freeze", host, away, host.publisher.signal)

    def kill_publisher(self, away: float, host: Host) -> Cause:
        """SIGKILL, and another publisher on the same page after so many seconds."""
        cause = Cause("kill", host.name, time.time() - self._began)
        before = host.head()
        host.publisher.signal(signal.SIGKILL)
        self.machines.wait(lambda: False, away)
        host.publisher.restart()
        at = time.time()
        self._until(lambda: host.head().marker != before.marker, LINE_SECONDS, "found no other publisher")
        self.causes.append(cause)
        self.resumed(host, cause, at)
        return cause

    def finish(self) -> tuple[ktap.Report, int]:
        """Waits for the guest's end: its report, and its status. CannotRun if it gives none."""
        total = self.options.timeout or scenarios.quiet_seconds(
            self.options.scenarios.seconds(self.options.groups), self.options.accel.slow)
        machine = self.machine
        ended = self.machines.wait(lambda: machine.ended, total)
        self.machines.end(machine)
        made = ktap.parse(self.serial().decode(errors="replace"))
        said, status = machine.code() if ended else None, machine.child.returncode
        kind = watch.End.TOO_LONG if not ended else watch.End.STATUS if said is not None else watch.End.QEMU_FAILED
        boot.check(watch.Outcome(kind, status if said is None else said, self.serial(), machine.words(),
                                 time.time() - self._began), made, self.options)
        return made, status >> 1

    def serial(self) -> bytes:
        """What the guest has said since its last boot, over all of its QEMUs."""
        return b"".join(bytes(each.serial) for each in self.stages)[self._boots:]

    @property
    def samples(self) -> Path:
        """Where keep() writes them."""
        return self.options.output / f"samples{self._suffix}.bin"

    @property
    def _suffix(self) -> str:
        return f"-{re.sub('[^a-zA-Z]+', '-', self.label)}" if self.label else ""

    def keep(self) -> None:
        """Writes the serial log, and the samples of all of its QEMUs in one file."""
        samples, output = self.samples, self.options.output
        try:
            (output / f"serial{self._suffix}.log").write_bytes(b"".join(bytes(each.serial) for each in self.stages))
            with samples.open("wb") as joined:
                for stage in self.stages:
                    part = self._scratch / f"samples.{self.machines.all.index(stage)}"
                    joined.write(part.read_bytes() if part.exists() else b"")
        except OSError as error:
            raise output_error(error, output) from error


@contextmanager
def begin(
    options: boot.Options, elf: Path, hosts: Sequence[Host], show: progress.Show, name: str = "",
    ready: bytes = FOLLOWS,
) -> Iterator[Journey]:
    """A context: the hosts are there, and the guest runs on the first, and has said `ready`. All that was started is
    ended, and the logs and samples are kept."""
    with ExitStack() as stack:
        for host in hosts:
            stack.enter_context(host)
        scratch = hosts[0].folder
        machines = stack.enter_context(Machines(lambda machine, data: _shown(show, data)))
        journey = Journey(options, elf, machines, scratch, name, ready)
        try:
            journey.boot(hosts[0])
            yield journey
        finally:
            for each in journey.guests():
                each.keep()


def _shown(show: progress.Show, data: bytes) -> None:
    show.feed(data)


def _time_notices(journey: Journey, saws: Sequence[Saw]) -> None:
    """Fills in how long the guest took to notice each disruption, where it is known which it saw of which cause."""
    causes = journey.causes
    if len(saws) != len(causes):
        return
    resumed = {id(cause): (host, at) for cause, host, at in journey.resumptions if cause.what in RESUMED}
    for cause, saw in zip(causes, saws):
        if id(cause) not in resumed:
            continue
        host, at = resumed[id(cause)]
        noticed = saw.noticed_s - host.clock_error_ns / 1e9
        cause.notice_ms = round((noticed - at) * 1000, 3)
        if (moved := host.marker_moves().get(saw.marker)) is not None:
            # A guest that is restored has the new marker before it runs.
            cause.own_ms = round((noticed - max(moved, at)) * 1000, 3)


def noticed_in_a_tick(run: Document) -> bool:
    """Whether the guest noticed each disruption within the longest time that passed between two of its ticks, from
    the marker's move on; by the line, whose error counts."""
    gap_ms = run["metrics"]["tick_gap_max_us"] / 1000
    return all(cause["own_ms"] is None or cause["own_ms"] <= gap_ms + saw["stated_ns"] / 1e6
               for cause, saw in zip(run["disruptions"]["causes"], run["disruptions"]["seen"]))


def document(journey: Journey, made: ktap.Report) -> Document:
    """The report, with each run's disruptions: what was done (`causes`) and what the guest saw (`seen`)."""
    options = journey.options
    vehicle = report.Vehicle("guest", options.accel.name, options.way, f"qemu {options.qemu.version}")
    whole = report.document(made, vehicle, journey.samples.name)
    for run in whole["runs"]:
        _time_notices(journey, seen(run["notes"]))
        run["disruptions"] = {"causes": [asdict(cause) for cause in journey.causes],
                              "seen": [asdict(saw) for saw in seen(run["notes"])]}
        run["notes"] = [note for note in run["notes"] if not NOTE.match(note)]
    return whole

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills, stops and truncates at random, from a seed: the publisher, the readers of its page, the page's
file; and, with --guests, the runner, its QEMU and its publisher while a guest runs. Prints a summary. Exit
status 0: nothing hung, no torn line was accepted, and each process that ended was killed here or said in
words why it ended; 1: not. Assumes a build folder with everything in it, and Linux's /proc."""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A process that takes longer hangs. Each ends in well under a second on an idle machine.
HANG_SECONDS = 120.0
PAGE_BYTES = 2 << 20
STATUSES = {0, 1, 2, 4}  # of run-qemu.sh


@dataclass
class Tally:
    """What happened."""

    actions: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    reads: int = 0
    torn: int = 0
    hangs: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the project's promises held."""
        return not (self.hangs or self.torn or self.unexplained)

    def lines(self) -> list[str]:
        """The summary."""
        counted = sum(self.actions.values())
        return [f"{counted} actions: " + ", ".join(f"{n} {what}" for what, n in sorted(self.actions.items())),
                f"{self.reads} reads, {self.torn} torn lines accepted", f"{len(self.hangs)} hangs",
                *self.hangs, f"{sum(self.deaths.values())} deaths:",
                *(f"{n:6} {what}" for what, n in sorted(self.deaths.items())),
                f"{len(self.unexplained)} deaths without a reason", *self.unexplained]


def last_words(text: str) -> str:
    """A process's last line, with numbers and paths taken out, so that equal reasons count as one."""
    lines = [line for line in text.splitlines() if line.strip()]
    return re.sub(r"\S*/\S*", "FILE", re.sub(r"\d+", "N", lines[-1])).strip() if lines else ""


class Actor:
    """A process of ours that may be killed or stopped, and must end in words if it was not."""

    def __init__(self, tally: Tally, name: str, command: list[str], folder: Path,
                 env: dict[str, str] | None = None) -> None:
        self.tally, self.name, self.killed = tally, name, False
        self.path = folder / f"{name}.log"
        self.log = self.path.open("wb")
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                      stderr=subprocess.STDOUT, cwd=folder, env=env)

    def alive(self) -> bool:
        return self.child.poll() is None

    def signal(self, number: int) -> None:
        if self.alive():
            self.killed |= number in (signal.SIGKILL, signal.SIGTERM)
            self.child.send_signal(number)

    def pause(self, seconds: float) -> None:
        self.signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.signal(signal.SIGCONT)

    def text(self) -> str:
        return self.path.read_text(errors="replace")

    def wait(self) -> str:
        """Waits for its end, counts it, and gives all that it said."""
        try:
            status = self.child.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self.tally.hangs.append(f"{self.name} did not end: {last_words(self.text())}")
            self.child.kill()
            self.child.wait()
            self.killed, status = True, -signal.SIGKILL
        self.log.close()
        said, words = self.text(), last_words(self.text())
        if status < 0 and self.killed:
            self.tally.deaths[f"{self.name}: {signal.Signals(-status).name}, sent from here"] += 1
        elif status < 0 or not words:
            self.tally.unexplained.append(f"{self.name}: status {status}, last words: {words!r}")
        else:
            self.tally.deaths[f"{self.name}: status {status}: {words}"] += 1
        return said


class PageChaos:
    """A publisher that rewrites its page as fast as it can, and readers of that page."""

    def __init__(self, tally: Tally, build: Path, folder: Path, dice: random.Random) -> None:
        self.tally, self.build, self.folder, self.dice = tally, build, folder, dice
        self.page = folder / "page"
        self.publisher: Actor | None = None

    def host(self, name: str, *arguments: str) -> Actor:
        return Actor(self.tally, name, [str(self.build / "vmclock-host"), *arguments], self.folder)

    def ensure(self) -> Actor:
        """A publisher that is there, or was refused in words; then its page is removed, and it has another try."""
        while self.publisher is None:
            started = self.host("publisher", "--page", str(self.page), "--stress", "--die-with-parent")
            until = time.monotonic() + HANG_SECONDS
            while started.alive() and "ready" not in started.text() and time.monotonic() < until:
                time.sleep(0.002)
            if started.alive():
                if "ready" not in started.text():
                    self.tally.hangs.append("publisher was not ready")
                self.publisher = started
            else:
                started.wait()
                self.page.unlink(missing_ok=True)
        return self.publisher

    def gone(self) -> None:
        """Counts the publisher's end."""
        if self.publisher:
            self.publisher.wait()
            self.publisher = None

    def read(self) -> None:
        """A reader looks for torn lines for a moment."""
        self.heard(self.reader().wait())

    def reader(self, duration: str = "0.02") -> Actor:
        return self.host("reader", "--check", str(self.page), "--duration", duration)

    def heard(self, said: str) -> None:
        counts = {name: int(number) for name, number in re.findall(r"# metric (reads|torn) (\d+)", said)}
        self.tally.reads += counts.get("reads", 0)
        self.tally.torn += counts.get("torn", 0)

    def kill(self) -> None:
        self.ensure().signal(signal.SIGKILL)
        self.gone()

    def end(self) -> None:
        self.ensure().signal(signal.SIGTERM)
        self.gone()

    def stop(self) -> None:
        """Readers meet a writer that sleeps, perhaps in mid-update."""
        publisher = self.ensure()
        publisher.signal(signal.SIGSTOP)
        self.read()
        publisher.signal(signal.SIGCONT)

    def truncate(self) -> None:
        """The file shrinks under publisher and reader."""
        publisher, reader = self.ensure(), self.reader("0.05")
        time.sleep(self.dice.random() * 0.04)
        os.truncate(self.page, self.dice.choice([0, 0, 1, 4, 111, 4095, 4096, self.dice.randrange(PAGE_BYTES)]))
        self.heard(reader.wait())
        # A cut below the fields is seen at the next access; one beyond them is not.
        publisher.signal(signal.SIGTERM)
        self.gone()
        self.page.unlink()

    def stop_reader(self) -> None:
        reader = self.reader("0.05")
        time.sleep(self.dice.random() * 0.05)
        reader.pause(self.dice.random() * 0.03)
        self.heard(reader.wait())

    def kill_reader(self) -> None:
        reader = self.reader("0.05")
        time.sleep(self.dice.random() * 0.03)
        reader.signal(signal.SIGKILL)
        self.heard(reader.wait())

    def act(self) -> None:
        """One action, and a look at the page after it."""
        actions: list[tuple[int, Callable[[], None]]] = [
            (5, self.kill), (2, self.end), (4, self.stop), (3, self.truncate), (2, self.stop_reader),
            (1, self.kill_reader)]
        self.ensure()
        (action,) = self.dice.choices([what for _, what in actions], [weight for weight, _ in actions])
        action()
        self.tally.actions[f"page {action.__name__}"] += 1
        self.read_whatever()

    def read_whatever(self) -> None:
        """What was left behind is refused or read whole."""
        if self.page.exists():
            self.read()

    def close(self) -> None:
        if self.publisher:
            self.end()


def children_of(pid: int) -> dict[str, int]:
    """Names and ids of a process's children, and of their children."""
    found: dict[str, int] = {}
    parents: dict[int, list[tuple[int, str]]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, tail = stat.read_text().rsplit(")", 1)
        except OSError:
            continue
        child, name = head.split(" (", 1)
        parents.setdefault(int(tail.split()[1]), []).append((int(child), name))
    ask = [pid]
    while ask:
        for number, name in parents.get(ask.pop(), []):
            found[name] = number
            ask.append(number)
    return found


class GuestChaos:
    """A run of the real thing under TCG, with one thing done to it while it goes on."""

    ACTIONS = ("kill publisher", "kill QEMU", "kill runner", "stop publisher", "stop QEMU", "stop runner",
               "truncate page", "end runner")

    def __init__(self, tally: Tally, build: Path, folder: Path, dice: random.Random) -> None:
        self.tally, self.folder, self.dice = tally, folder, dice
        self.shm = folder / "shm"
        self.shm.mkdir()
        self.env = {**os.environ, "BUILD": str(build), "TICKBENCH_SHM": str(self.shm)}

    def started(self, runner: Actor, output: Path) -> dict[str, int]:
        """Waits until the guest talks; the processes by name."""
        until = time.monotonic() + HANG_SECONDS
        serial = output / "serial.log"
        while runner.alive() and time.monotonic() < until:
            if serial.exists() and b"# Subtest" in serial.read_bytes():
                break
            time.sleep(0.02)
        return children_of(runner.child.pid)

    def signal(self, pid: int | None, number: int) -> None:
        if pid:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def do(self, action: str, runner: Actor, pids: dict[str, int]) -> None:
        verb, whom = action.split()
        qemu = next((pid for name, pid in pids.items() if name.startswith("qemu")), None)
        pid = {"publisher": pids.get("vmclock-host"), "QEMU": qemu, "runner": runner.child.pid}.get(whom)
        if verb == "stop":
            self.signal(pid, signal.SIGSTOP)
            time.sleep(0.1 + self.dice.random() * 0.3)
            self.signal(pid, signal.SIGCONT)
        elif verb == "truncate":
            for page in self.shm.glob("*/page"):
                os.truncate(page, self.dice.choice([0, 100, 4096]))
        elif whom == "runner":
            runner.signal(signal.SIGKILL if verb == "kill" else signal.SIGTERM)
        else:
            self.signal(pid, signal.SIGKILL)

    def act(self, number: int, action: str | None = None) -> None:
        """One run with one action; its verdict must be one, and nothing may stay behind."""
        action = action or self.dice.choice(self.ACTIONS)
        output = self.folder / f"guest{number}"
        runner = Actor(self.tally, "runner", [
            str(ROOT / "run-qemu.sh"), "--accel", "tcg", "--output", str(output), "scenario=lock", "clock=tsc",
            "hz=100", "duration=2"], self.folder, self.env)
        pids = self.started(runner, output)
        time.sleep(self.dice.random())
        self.do(action, runner, pids)
        self.tally.actions[f"guest {action}"] += 1
        said = runner.wait()
        status = runner.child.returncode
        if not runner.killed and status not in STATUSES:
            self.tally.unexplained.append(f"runner after {action}: status {status}: {last_words(said)}")
        if "Traceback" in said:
            self.tally.unexplained.append(f"runner after {action}: {said[-2000:]}")
        self.gone(action, pids)

    def gone(self, action: str, pids: dict[str, int]) -> None:
        """What the runner started ends with it, however it ended."""
        until = time.monotonic() + HANG_SECONDS
        left = {name: pid for name, pid in pids.items()}
        while left and time.monotonic() < until:
            left = {name: pid for name, pid in left.items() if running(pid)}
            time.sleep(0.02)
        for name, pid in left.items():
            self.tally.hangs.append(f"after {action}: {name} is still there")
            self.signal(pid, signal.SIGKILL)


def running(pid: int) -> bool:
    """Whether a process is there, and not only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def chaos(build: Path, seed: int, count: int, guests: int, folder: Path) -> Tally:
    """`count` actions, of which `guests` are with a guest."""
    tally, dice = Tally(), random.Random(seed)
    pages = PageChaos(tally, build, folder, dice)
    try:
        for _ in range(count - guests):
            pages.act()
    finally:
        pages.close()
    runs = GuestChaos(tally, build, folder, dice) if guests else None
    for number in range(guests):
        assert runs
        runs.act(number)
    return tally


def main() -> int:
    """Acts, and prints the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--guests", type=int, help="of these with a guest (default: one in twenty)")
    args = parser.parse_args()
    guests = args.count // 20 if args.guests is None else min(args.guests, args.count)
    with tempfile.TemporaryDirectory(prefix="tickbench-chaos-") as folder:
        tally = chaos(args.build.resolve(), args.seed, args.count, guests, Path(folder))
    print("\n".join([f"seed {args.seed}", *tally.lines()]))
    return 0 if tally.ok else 1


if __name__ == "__main__":
    sys.exit(main())

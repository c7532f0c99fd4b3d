# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands by name, and how each ends: a status, and words for an error. Everything below raises
CannotRun or Interrupted; here they become words and a status."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner import BUILD, options, signals
from runner.errors import CannotRun, Problem, Status


@dataclass(frozen=True)
class Command:
    """A command: the module of its main(), which is loaded once it is needed, and a line of help."""

    module: str
    help: str

    def load(self) -> Callable[[Sequence[str]], int]:
        """Its main(); CannotRun if the interpreter lacks a package."""
        try:
            main: Callable[[Sequence[str]], int] = importlib.import_module(f"runner.{self.module}").main
        except ModuleNotFoundError as missing:
            raise CannotRun(Problem.PACKAGE_MISSING,
                            f"{sys.executable} has no module {missing.name}") from missing
        return main


COMMANDS = {
    "run": Command("commands.run", "boot the guest in QEMU, measure, print the table"),
    "sim": Command("commands.sim", "measure in a host process, on the virtual clock"),
    "show": Command("commands.show", "print the table of reports that were written before"),
    "kunit": Command("commands.kunit", "print claims as KTAP that KUnit's parser reads"),
    "compare": Command("study.compare", "cores and reports beside each other, in figures and a picture"),
    "check": Command("study.check", "judge an edited Linux tree: its claims, and whether it behaves as before"),
    "migrate": Command("disruption.migrate", "migrate a running guest between hosts"),
    "disrupt": Command("disruption.disrupt", "stop, restore, clone and reset a running guest"),
    "device": Command("disruption.device", "judge the vmclock device of any hypervisor"),
    "linux-guest": Command("linux.command", "boot Debian's packaged kernel on the page, and measure its clocks"),
    "lift": Command("lift.lift", "build the timekeeping core of a Linux tree"),
    "ladder": Command("study.ladder", "measure the effect of each change of the series"),
    "soak": Command("study.soak", "compare the native core with lifted ones over random operations"),
    "equal": Command("study.equal", "compare two cores, tick by tick"),
    "mutants": Command("study.mutants", "break a kernel's core, and count what is reported"),
    "coverage": Command("study.coverage", "count the lines of a kernel's core that the default checks run"),
    "matrix": Command("study.matrix", "measure many experiments on many cores, also on other hosts"),
    "discipline": Command("study.discipline", "ways of disciplining a clock, on the same core and noise"),
    "bisect": Command("study.bisect", "find the commit that broke a claim"),
    "series": Command("study.series", "measure what each patch of a series is worth"),
    "bench": Command("study.bench", "measure the speed of tickbench itself"),
}


def usage() -> str:
    """`tickbench --help`."""
    lines = [f"  {name:<12}{command.help}" for name, command in COMMANDS.items()]
    return "\n".join(["usage: tickbench COMMAND [options]", "", *lines, "",
                      "`tickbench COMMAND --help` describes the options of a command, with examples.",
                      "`source <(./tickbench --completion bash)` completes all this in bash.", "",
                      options.STATUSES])


def main(arguments: Sequence[str]) -> int:
    status = _status(arguments)
    if "--bisect" in options.split(arguments)[0] and status in (Status.CANNOT_RUN, Status.SKIPPED):
        return Status.BISECT_SKIP
    return status


def _completion() -> int:
    completion = importlib.import_module("runner.commands.completion")
    print(completion.bash({name: command.load() for name, command in COMMANDS.items()}, BUILD), end="")
    return Status.PASSED


def _status(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in ("--help", "-h"):
        print(usage())
        return Status.PASSED
    if tuple(arguments) == ("--completion", "bash"):
        return _completion()
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        print(usage(), file=sys.stderr)
        return Status.CANNOT_RUN
    try:
        # An interrupt while modules load ends the process: nothing has been started by then.
        run = command.load()
        with signals.raised():
            return run(arguments[1:])
    except BrokenPipeError:
        # Nobody reads stdout any more: the interpreter's flush at exit must not fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except CannotRun as error:
        print(error.words(), file=sys.stderr)
        return Status.CANNOT_RUN
    except Exception:  # a bug of ours: nothing was judged, so above all not "a claim failed"
        traceback.print_exc()
        return Status.CANNOT_RUN
    except signals.Interrupted as stop:
        print("\ntickbench: interrupted; all that it started has been stopped", file=sys.stderr)
        return 128 + stop.number

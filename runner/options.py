# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of each command, with argparse. Assumes nothing of what they are for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from runner import BUILD
from runner.errors import CannotRun, Problem

RUN_HELP = """\
guest parameters are name=value words: core, switches, clock, hz, tick, tickless, scenario, duration,
rate_ppm, offset_ns, seed and more; `build/tickbench-sim --help` tells each one's range. Several
experiments in one boot are joined by a lone +. Without any: lock and compare on the real clock, then
all scenarios on the virtual one.

  ./run-qemu.sh scenario=lock clock=virtual switches=none hz=250
  ./run-qemu.sh clock=tsc duration=5 + clock=virtual scenario=all
  ./run-qemu.sh --boot uefi --accel tcg scenario=lock
  ./run-qemu.sh --core linux:~/src/linux scenario=lock clock=virtual
  ./run-qemu.sh scenario=lock -- -d int -D /tmp/qemu.log

exit status: 0 all passed, 1 a claim failed, 2 could not run (it says why), 4 all was skipped."""


PERIODIC = "lift kernels configured without NO_HZ"


class Parser(argparse.ArgumentParser):
    """Errors are ours, so that every command ends the same way."""

    def error(self, message: str) -> NoReturn:
        raise CannotRun(Problem.USAGE, message)


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is before a lone --, and what is behind it."""
    words = list(arguments)
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1:]


def seconds(text: str) -> float:
    """A time limit: more than nothing, and an end."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def _folders(parser: argparse.ArgumentParser, output: str) -> None:
    parser.add_argument("--build", type=Path, default=BUILD, metavar="FOLDER",
                        help="where the programs are (default: %(default)s)")
    parser.add_argument("--output", type=Path, metavar="FOLDER",
                        help=f"where the results go (default: {output} in the build folder)")


def run_parser() -> Parser:
    """run-qemu.sh's options."""
    parser = Parser(prog="run-qemu.sh", epilog=RUN_HELP, allow_abbrev=False,
                    usage="./run-qemu.sh [options] [name=value ... [+ name=value ...]] [-- QEMU's]",
                    formatter_class=argparse.RawDescriptionHelpFormatter,
                    description="Boots the guest in QEMU, and reports how far its clock strays.")
    add = parser.add_argument
    add("words", nargs="*", metavar="name=value", help="guest parameters, see below")
    add("--accel", choices=("auto", "kvm", "tcg"), default="auto",
        help="auto takes KVM where it is there and fast, else TCG, and says why")
    add("--boot", choices=("pvh", "uefi"), default="pvh", help="by qboot, or by OVMF")
    add("--core", metavar="CORE", help="native, or linux:TREE[,TREE...]: kernels' own cores")
    add("--periodic", action="store_true", help=PERIODIC)
    add("--icount", action="store_true",
        help="count instructions (TCG): virtual time, the same to the cycle in each run")
    add("--qemu", metavar="PATH", help="the QEMU to use (default: qemu-system-x86_64)")
    add("--timeout", type=seconds, metavar="S", help="seconds until the guest is given up")
    add("--gdb", action="store_true", help="start stopped, with a debug server on port 1234")
    add("--bisect", action="store_true",
        help="for git bisect run: status 125, skip, where it could not run or all was skipped")
    add("--raw", action="store_true", help="the serial port as it comes, and no table")
    add("--no-page", action="store_true", help="no vmclock page, no publisher")
    add("--page", type=Path, metavar="FILE", help="a page file of your own (2 MiB, no link), no publisher")
    add("--publisher", default="live", metavar="live|static:LINE|none",
        help="who writes the page; LINE as build/vmclock-host --static takes it")
    _folders(parser, "run")
    return parser


SIM_HELP = """\
experiments are name=value words, joined by a lone +, as for `tickbench run`. Without any: all scenarios.

  ./tickbench sim scenario=lock hz=250 + scenario=slew
  ./tickbench sim --core linux:~/src/linux scenario=lock
  ./tickbench sim switches=none duration=20"""


def sim_parser() -> Parser:
    """`tickbench sim`'s options."""
    parser = Parser(prog="tickbench sim", epilog=SIM_HELP, allow_abbrev=False,
                    formatter_class=argparse.RawDescriptionHelpFormatter,
                    description="Runs the host process build/tickbench-sim, and prints the table.")
    parser.add_argument("words", nargs="*", metavar="name=value", help="experiments, see below")
    parser.add_argument("--core", metavar="CORE", help="native, or linux:TREE[,TREE...]")
    parser.add_argument("--periodic", action="store_true", help=PERIODIC)
    parser.add_argument("--raw", action="store_true", help="its output as it comes, and no table")
    _folders(parser, "sim")
    return parser


def show_parser() -> Parser:
    """`tickbench show`'s arguments."""
    parser = Parser(prog="tickbench show", allow_abbrev=False,
                    description="Prints the table of reports, one below the other.")
    parser.add_argument("reports", nargs="+", type=Path, metavar="report.json")
    return parser

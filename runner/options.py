# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of the commands, with argparse: the parser that all share, with the examples of each, and
the options of run, sim and show."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from runner import BUILD
from runner.errors import CannotRun, Problem

STATUSES = """\
exit status: 0 passed, 1 a claim failed or cores differ, 2 could not run (the reason is on stderr),
3 check, equal: all claims hold, but a core behaves differently, 4 everything was skipped,
125 with --bisect in place of 2 and 4, 128 + N ended by signal N."""

# What `tickbench COMMAND --help` ends with: a note, and examples.
NOTES = {
    "compare": """\
Without arguments: the TSC, a core left alone, kvmclock and a core that follows the page, against vmclock, on
this host. Cores beside reports are measured as the reports were. docs/compare.md defines each figure.""",
    "run": """\
Guest parameters are name=value words: core, switches, clock, hz, tick, tickless, scenario, duration,
rate_ppm, offset_ns, seed and more; `build/tickbench-sim --help` gives the range of each. A lone + joins
several experiments in one boot. The default is lock and compare on the real clock, then all scenarios on
the virtual one. `./run-qemu.sh` is another name of `./tickbench run`.""",
    "sim": """\
Experiments are name=value words, joined by a lone +, as for `tickbench run`. The default is all scenarios.""",
    "device": """\
Without a command line: QEMU, the publisher's page, and a snapshot that is restored. In a COMMAND, {elf} or {efi}
stands for the guest's image and {cmdline} for its parameters; {file:PATH} is a copy of PATH with these replaced.
The guest's serial port (0x3f8) must be COMMAND's stdout. docs/device.md lists the statements.""",
    "lift": """\
A tree is a path, a git revision of one, or a release that Debian packages as linux-source.""",
}
EXAMPLES = {
    "run": ("./tickbench run scenario=lock clock=virtual switches=none hz=250",
            "./tickbench run clock=tsc duration=5 + clock=virtual scenario=all",
            "./tickbench run --boot uefi --accel tcg scenario=lock",
            "./tickbench run --core linux:~/src/linux scenario=lock clock=virtual",
            "./tickbench run scenario=lock -- -d int -D /tmp/qemu.log"),
    "sim": ("./tickbench sim scenario=lock hz=250 + scenario=slew",
            "./tickbench sim --core linux:~/src/linux scenario=lock",
            "./tickbench sim switches=none duration=20"),
    "show": ("./tickbench show build/run/report.json",
             "./tickbench show before/report.json after/report.json"),
    "migrate": ("./tickbench migrate",
                "./tickbench migrate --count 100 --interval 0.2",
                "./tickbench migrate --clock-error 0,300000 --core linux:7.3"),
    "disrupt": ("./tickbench disrupt",
                "./tickbench disrupt stop snapshot clone",
                "./tickbench disrupt --away 10 stop",
                "./tickbench disrupt kill --count 1000"),
    "device": ("./tickbench device",
               "./tickbench device --qemu ~/qemu/build/qemu-system-x86_64 --stock",
               "./tickbench device -- firecracker --no-api --config-file {file:vm.json}",
               "./tickbench device -- cloud-hypervisor --kernel {elf} --cmdline '{cmdline}' --memory size=512M"
               " --serial tty --console off"),
    "linux-guest": ("./tickbench linux-guest",
                    "./tickbench linux-guest --seconds 60 7.2"),
    "lift": ("./tickbench lift ~/src/linux",
             "./tickbench lift --arch x86 --hz 250 ~/src/linux@v7.3",
             "./tickbench lift 7.2,7.3"),
    "kunit": ("./tickbench kunit",
              "./tickbench kunit --linux 7.3 --hz 250 scenario=leap",
              "./tickbench kunit --linux ~/src/linux"),
    "compare": ("./tickbench compare",
                "./tickbench compare native native:-skew scenario=lock,nohz",
                "./tickbench compare 7.2 7.3 ~/src/linux --html compare.html",
                "./tickbench compare --rounds 5 7.2 7.3 clock=tsc scenario=lock duration=10",
                "./tickbench compare before/report.json after/report.json"),
    "ladder": ("./tickbench ladder",
               "./tickbench ladder --linux 7.2,7.3 --seconds 100",
               "./tickbench ladder --linux 6.1,6.12.107,6.12,7.2,7.3 --markdown docs/ladder.md"),
    "soak": ("./tickbench soak 7.3", "./tickbench soak --years 10",
             "./tickbench soak --years 0.01 --hz 250 --start-s 4294000000 7.3",
             "./tickbench soak --ticks 1000000 --seed 7 7.2,7.3",
             "./tickbench soak --hz 250 ~/src/linux@v7.3"),
    "equal": ("./tickbench equal ~/src/linux@HEAD ~/src/linux",
              "./tickbench equal 7.2 7.3",
              "./tickbench equal native native:-clawback",
              "./tickbench equal 7.3 7.3 --cc-b clang",
              "./tickbench equal 7.3 7.3 --cflags-b -fsanitize=undefined"),
    "mutants": ("./tickbench mutants 7.3",
                "./tickbench mutants --function second_overflow 7.3",
                "./tickbench mutants --seed 7 --count 1000 ~/src/linux"),
    "coverage": ("./tickbench coverage 7.3",
                 "./tickbench coverage --markdown docs/coverage.md 7.3"),
    "matrix": ("./tickbench matrix",
               "./tickbench matrix --cores native,7.3,~/src/linux",
               "./tickbench matrix --print",
               "./tickbench matrix mine.toml",
               "./tickbench matrix --sshlogin 8/user@big,: mine.toml"),
    "discipline": ("./tickbench discipline",
                   "./tickbench discipline --noise quiet,white,temperature --core 7.3",
                   "./tickbench discipline --policies reference,phc2sys page_s=16 white_ns=50"),
    "bisect": ("./tickbench bisect --tree ~/linux --bad v7.2 --good v7.3 --first-fixed --claim 'lock.max_abs_ns < 10'",
               "./tickbench bisect --tree ~/linux --bad HEAD --good v7.3 --claim lock --claim 'late.max_abs_ns < 1'",
               "./tickbench bisect --tree ~/linux --bad HEAD --good v7.3 --same-as v7.3",
               "./tickbench bisect --switches --good all --bad none --claim 'slew.drift_ns_per_s < 0.001'"),
    "check": ("./tickbench check ~/src/linux",
              "./tickbench check --hz 250 --ticks 10000000 --seed 7 ~/src/linux",
              "./tickbench check --json 7.3"),
    "series": ("./tickbench series 7.2 v3_patches.mbx",
               "./tickbench series ~/src/linux@v7.2 outgoing/",
               "./tickbench series --alone ~/src/linux@v7.2 v7.2..my-branch",
               "./tickbench series --json 7.2 t.mbox.gz"),
    "bench": ("./tickbench bench",
              "./tickbench bench --linux ~/src/linux",
              "./tickbench bench --linux 7.3 --rows check patches"),
}


PERIODIC = "lift kernels configured without NO_HZ"
SMP = "lift kernels with CONFIG_SMP: with the locks and barriers of a kernel for several CPUs"
PPS = "lift kernels with CONFIG_NTP_PPS: with the discipline by a pulse per second, and periodic (--periodic)"


class _Captured(Exception):
    """Carries a command's parser out of its main()."""

    def __init__(self, parser: Parser) -> None:
        super().__init__()
        self.parser = parser


_capturing = False


class Parser(argparse.ArgumentParser):
    """The parser of a command. An error raises CannotRun, so that every command ends the same way."""

    def __init__(self, command: str, description: str, usage: str | None = None) -> None:
        examples = "examples:\n" + "\n".join(f"  {example}" for example in EXAMPLES[command])
        parts = [NOTES[command]] if command in NOTES else []
        super().__init__(prog=f"tickbench {command}", description=description, usage=usage, allow_abbrev=False,
                         epilog="\n\n".join([*parts, examples, STATUSES]),
                         formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        raise CannotRun(Problem.USAGE, message)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's; but parser_of() ends a command here."""
        if _capturing:
            raise _Captured(self)
        return super().parse_known_args(args, namespace)


def parser_of(main: Callable[[Sequence[str]], int]) -> Parser:
    """The parser of a command: its main() is called, and ends where it parses its arguments, which each does
    first."""
    global _capturing
    _capturing = True
    try:
        main([])
    except _Captured as captured:
        return captured.parser
    finally:
        _capturing = False
    raise AssertionError(f"{main.__module__} parses no arguments")


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words before a lone --, and the words after it."""
    words = list(arguments)
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1:]


def seconds(text: str) -> float:
    """A time limit: positive and finite."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def positive(text: str) -> int:
    """A count: of 0 things there is nothing to do."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def folders(parser: argparse.ArgumentParser, output: str) -> None:
    """--build, and --output with the name of the folder in it where the results are by default."""
    parser.add_argument("--build", type=Path, default=BUILD, metavar="FOLDER",
                        help="where the programs are (default: %(default)s)")
    parser.add_argument("--output", type=Path, metavar="FOLDER",
                        help=f"where the results are written (default: {output} in the build folder)")


def run_parser() -> Parser:
    """The options of `tickbench run`."""
    parser = Parser("run", "Boots the guest in QEMU, and reports how far its clock strays.",
                    "./tickbench run [options] [name=value ... [+ name=value ...]] [-- QEMU's options]")
    add = parser.add_argument
    add("words", nargs="*", metavar="name=value", help="guest parameters, see below")
    add("--accel", choices=("auto", "kvm", "tcg"), default="auto",
        help="auto takes KVM where it is present and fast, else TCG, and prints why")
    add("--boot", choices=("pvh", "uefi"), default="pvh", help="pvh boots by qboot, uefi by OVMF")
    add("--core", metavar="CORE", help="native, or linux:TREE[,TREE...] to lift the cores of kernels")
    add("--periodic", action="store_true", help=PERIODIC)
    add("--smp", action="store_true", help=SMP)
    add("--pps", action="store_true", help=PPS)
    add("--icount", action="store_true",
        help="count instructions (TCG): every run has the same virtual time, to the cycle")
    add("--qemu", metavar="PATH", help="the QEMU to use (default: qemu-system-x86_64)")
    add("--timeout", type=seconds, metavar="S", help="end the guest after S seconds")
    add("--gdb", action="store_true", help="start stopped, with a debug server on port 1234")
    add("--bisect", action="store_true",
        help="for git bisect run: status 125 (skip) if it could not run or all was skipped")
    add("--raw", action="store_true", help="print the output of the serial port as it comes, and no table")
    add("--record-ticks", type=Path, metavar="FILE", help="write how late each tick of the first run on the real clock "
        "came, ns, for ticks=FILE")
    add("--no-page", action="store_true", help="run without a vmclock page and publisher")
    add("--page", type=Path, metavar="FILE", help="use this page file (2 MiB, no link), without a publisher")
    add("--publisher", default="live", metavar="live|kernel|static:LINE|none",
        help="what writes the page; kernel: live, by the rule of the kernel's own /dev/vmclock_host; LINE is as for"
             " build/vmclock-host --static")
    folders(parser, "run")
    return parser


def sim_parser() -> Parser:
    """The options of `tickbench sim`."""
    parser = Parser("sim", "Runs the host process build/tickbench-sim, and prints the table.")
    parser.add_argument("words", nargs="*", metavar="name=value", help="experiments, see below")
    parser.add_argument("--core", metavar="CORE", help="native, or linux:TREE[,TREE...] to lift the cores of kernels")
    parser.add_argument("--periodic", action="store_true", help=PERIODIC)
    parser.add_argument("--smp", action="store_true", help=SMP)
    parser.add_argument("--pps", action="store_true", help=PPS)
    parser.add_argument("--raw", action="store_true", help="print its output as it comes, and no table")
    folders(parser, "sim")
    return parser


def show_parser() -> Parser:
    """The arguments of `tickbench show`."""
    parser = Parser("show", "Prints the table of reports, one below the other.")
    parser.add_argument("reports", nargs="+", type=Path, metavar="report.json")
    return parser

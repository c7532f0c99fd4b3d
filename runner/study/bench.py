# SPDX-License-Identifier: GPL-2.0-or-later
"""Speed, as ratios to something run beside it: ticks and reads of the native core and of lifted ones,
the guest under TCG, the way from QEMU's start to the first line, and from an edit of a kernel's source
to the verdict. Assumes a machine that is otherwise idle, and says medians and what they were taken of.

`make bench` is this: ./tickbench bench [--linux TREE,...]"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner import BUILD, options, process, scenarios, simulate
from runner.errors import need_built, CannotRun, Problem, Status
from runner.guest import firmware, qemu
from runner.lift import kbuild, lift, trees
from runner.guest.accel import TCG_ARGS, Accel
from runner.lift.kbuild import Variant
from runner.study import bench_patches, differ, pairs

ROUNDS = 5  # of a pair
BOOTS = 11
TCG = Accel("tcg", TCG_ARGS)
ROWS = ("rates", "guest", "matrix", "lockstep", "check", "edit", "patches", "far")
EDITED = "kernel/time/timekeeping.c"


@dataclass(frozen=True)
class Rate:
    """Of one core: ticks a second of real time, and nanoseconds for one read of its clock."""

    ticks_per_s: float
    ns_per_read: float


@dataclass(frozen=True)
class Line:
    """One result: what, how much, beside what."""

    what: str
    figure: str
    beside: str = ""


def _sim_rate(program: Path, core: str) -> Rate:
    (run,) = simulate.runs(program, ["scenario=rate", f"core={core}"])
    metrics = run["metrics"]
    return Rate(metrics["ticks_per_s"], metrics["ns_per_read"])


def tsc_hz(elf: Path) -> int:
    """Of this machine: TCG's guest has the host's TSC, and measures its frequency."""
    line = _boot(elf, TCG, [("clock=tsc", "scenario=lock", "duration=0.01")], b"# param counter_hz")[1]
    return int(line.split()[3])


def _speed(ticks_per_s: float, ns_per_read: float, hz: int) -> str:
    return (f"{ticks_per_s / 1e6:.1f} million ticks/s; a read takes {ns_per_read:.1f} ns,"
            f" {ns_per_read * hz / 1e9:.0f} cycles")


def sim_rates(native: Path, lifted: Sequence[tuple[str, Path]], hz: int) -> list[Line]:
    """Native beside each kernel's core, in turn, so that a drifting machine meets both. hz: the TSC's."""
    alone = [_sim_rate(native, "native") for _ in range(ROUNDS)]
    rate = statistics.median(each.ticks_per_s for each in alone)
    read = statistics.median(each.ns_per_read for each in alone)
    lines = [Line("native, host process", _speed(rate, read, hz),
                  f"median of {ROUNDS}")]
    for label, program in lifted:
        pairs = [(_sim_rate(native, "native"), _sim_rate(program, "linux")) for _ in range(ROUNDS)]
        rate = statistics.median(theirs.ticks_per_s for _, theirs in pairs)
        read = statistics.median(theirs.ns_per_read for _, theirs in pairs)
        ratio = statistics.median(ours.ticks_per_s / theirs.ticks_per_s for ours, theirs in pairs)
        lines.append(Line(f"{label}, host process",
                          _speed(rate, read, hz),
                          f"native is {ratio:.1f} times as fast, pair by pair"))
    return lines


# On time, on the counter of the figures: nothing but ticks and the comparison of the states.
LOCKSTEP_TICKS = 3_000_000
LOCKSTEP = ("init 2596146000 64 1700000000 0", f"ticks {LOCKSTEP_TICKS} 0 0 1")


def lockstep(word: str, build: Path) -> Line:
    """A kernel's core beside itself in one process, as equal has it, beside native and this core, as soak has it."""
    both, one = (pairs.of(first, word, Variant("um", 1000, True), build) for first in (word, "native"))

    def rate(pair: pairs.Pair) -> float:
        return LOCKSTEP_TICKS / _timed(lambda: differ.compare_script(pair.program, LOCKSTEP))

    rates = [(rate(both), rate(one)) for _ in range(ROUNDS)]
    speed = statistics.median(each for each, _ in rates)
    ratio = statistics.median(each / beside for each, beside in rates)
    return Line(f"{both.b.label}: two lifted cores in lockstep", f"{speed / 1e6:.1f} million ticks/s",
                f"{ratio:.2f} times native and lifted, pair by pair")


def _boot(elf: Path, accel: Accel, groups: Sequence[scenarios.Group], until: bytes) -> tuple[float, bytes]:
    """Seconds from QEMU's start to a line that holds `until`, and the line; the guest is ended then."""
    command = qemu.command(qemu.find(None), qemu.Boot("pvh", firmware.qboot(), need_built(elf)), accel, groups,
                           scenarios.read(elf.parent), None, None)
    began = time.monotonic()
    child = process.start(command)
    try:
        assert child.stdout
        for line in child.stdout:
            if until in line:
                return time.monotonic() - began, line
    finally:
        process.end(child)
    raise CannotRun(Problem.GUEST_SILENT, f"the guest never said \"{until.decode()}\"")


def guest(elf: Path) -> list[Line]:
    """The guest's lines: ms from QEMU's start to the first KTAP line, and million ticks a second under
    TCG. CannotRun if it says nothing."""
    times = [_boot(elf, TCG, [("scenario=lock", "duration=0.001")], b"KTAP version")[0] for _ in range(BOOTS)]
    boot_ms = statistics.median(times) * 1e3
    started = []
    for _ in range(BOOTS):
        began = time.monotonic()
        subprocess.run([qemu.find(None).path, "--version"], stdout=subprocess.DEVNULL)
        started.append(time.monotonic() - began)
    rates = [float(_boot(elf, TCG, [("scenario=rate",)], b"# metric ticks_per_s")[1].split()[3])
             for _ in range(3)]
    return [
        Line("QEMU's start to the first KTAP line, TCG", f"{boot_ms:.0f} ms",
             f"median of {BOOTS}; qemu --version takes {statistics.median(started) * 1e3:.0f} ms of it"),
        Line("native, guest under TCG", f"{statistics.median(rates) / 1e6:.1f} million ticks/s", "median of 3"),
    ]


def _timed(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def _copy_of(tree: Path, to: Path) -> Path:
    """The tree by links, with the file that is edited a file of its own: the user's stays as it is."""
    shutil.rmtree(to, ignore_errors=True)
    to.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["cp", "-as", str(tree.resolve()), str(to)], capture_output=True, text=True)
    if done.returncode:
        raise CannotRun(Problem.LIFT_TREE, f"{tree} cannot be linked into {to}", done.stderr)
    (to / EDITED).unlink()
    shutil.copy(tree / EDITED, to / EDITED)
    return to


def _verdict(tree: Path, build: Path) -> None:
    """As `make run LINUX=... SCENARIO=lock CLOCK=virtual` is."""
    subprocess.run([str(lift.ROOM / "run-qemu.sh"), "--build", str(build), "--output", str(build / "bench/run"),
                    "--accel", "tcg", "--core", f"linux:{tree}", "scenario=lock", "clock=virtual"],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _checked(tree: Path, build: Path) -> None:
    """As `tickbench check` is, with what the shell and the interpreter cost."""
    done = subprocess.run([str(lift.ROOM / "tickbench"), "check", "--build", str(build), str(tree)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == Status.CANNOT_RUN:
        raise CannotRun(Problem.LIFT, f"{tree} cannot be checked", done.stderr)


def _forget(build: Path, label: str) -> None:
    """What was kept of the copies of a tree, and all that was prepared and compiled."""
    for old in [*(build / "lift").glob(f"copy-of-{label}-*"), build / "lift/kbuild", build / "lift/units"]:
        shutil.rmtree(old, ignore_errors=True)


def checks(word: str, build: Path) -> list[Line]:
    """A tree's lines of `tickbench check`: seconds from nothing, from an edit, and for a neighbouring revision."""
    tree = trees.resolve(word, (build / "lift").resolve())
    copy = _copy_of(tree.path, build / "bench/tree" / f"copy-of-{tree.label}")
    _forget(build, tree.label)
    nothing = _timed(lambda: _checked(copy, build))
    number = iter(range(1, 100))

    def edit() -> None:
        with (copy / EDITED).open("a") as source:
            source.write(f"static int __maybe_unused edit_{next(number)};\n")

    def edited() -> tuple[float, float]:
        edit()
        return _timed(lambda: _checked(copy, build)), bench_patches.compile_seconds(build)

    rounds = [edited() for _ in range(3)]
    once = statistics.median(whole for whole, _ in rounds)
    ratio = statistics.median(whole / unit for whole, unit in rounds)
    # A neighbour: another folder with the same tree but for one edit.
    other = _copy_of(copy, build / "bench/neighbour" / f"copy-of-{tree.label}")
    with (other / EDITED).open("a") as source:
        source.write("static int __maybe_unused neighbour;\n")
    beside = _timed(lambda: _checked(other, build))
    return [
        Line(f"{tree.label}: edit to verdict of check", f"{once:.1f} s",
             f"{ratio:.1f} times its unit's compilation by the saved command, pair by pair; median of 3"),
        Line(f"{tree.label}: nothing to verdict of check", f"{nothing:.1f} s", f"{nothing / once:.1f} edits"),
        Line(f"{tree.label}: a neighbouring tree to verdict of check", f"{beside:.1f} s",
             f"{beside / once:.1f} edits, {nothing / beside:.1f} times as fast as from nothing"),
    ]


# series and bisect over the patches that two packaged kernels differ by, and over whole kernels.
PATCHES = (("series of 8 patches", bench_patches.series), ("bisect among neighbours", bench_patches.bisect))
FAR = (("bisect far apart", bench_patches.bisect_far),)


def patch_lines(build: Path, measures: Sequence[tuple[str, Callable[[Path, Path], bench_patches.Steps]]]) -> list[Line]:
    """The whole command and a step of each."""
    lines = []
    for what, measure in measures:
        found = measure(build, build / "bench")
        lines.append(Line(f"{what}: from nothing to the end", f"{found.whole_s:.1f} s",
                          f"{found.whole_s / found.compile_s:.0f} times its unit's compilation"))
        lines.append(Line(f"{what}: a step", f"{found.step_s:.1f} s", f"{found.step_s / found.compile_s:.1f} times its "
                          f"unit's compilation by the saved command, {found.compile_s:.1f} s; at most "
                          f"{max(found.steps_s):.1f} s, of {len(found.steps_s)}"))
    return lines


def _bootable(tree: Path, folder: Path) -> float | None:
    """Seconds for the smallest bootable kernel of the same configuration; None: the tree is not whole."""
    if not (tree / "usr/Makefile").is_file() or not (tree / "fs/Makefile").is_file():
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "wanted.config").write_text(kbuild.fragment(Variant("x86", 1000, True)))
    make = ["make", "-s", f"-j{os.cpu_count() or 1}", "-C", str(tree), f"O={folder.resolve()}"]

    def build() -> None:
        for goal in ([f"KCONFIG_ALLCONFIG={folder.resolve() / 'wanted.config'}", "allnoconfig"], ["bzImage"]):
            done = subprocess.run([*make, *goal], env=kbuild.environment(), stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True)
            if done.returncode:
                raise CannotRun(Problem.LIFT, f"{tree}: no bzImage of it", done.stderr)

    return _timed(build)


def edits(word: str, build: Path) -> list[Line]:
    """A tree's lines: seconds from an edit, and from nothing, to the guest's verdict, and for its own
    bzImage."""
    scratch = build / "bench"
    tree = trees.resolve(word, (build / "lift").resolve())
    copy = _copy_of(tree.path, scratch / "tree" / f"copy-of-{tree.label}")
    for old in (build / "lift").glob(f"copy-of-{tree.label}-*"):
        shutil.rmtree(old)
    nothing = _timed(lambda: _verdict(copy, build))

    def edit_and_look() -> None:
        with (copy / EDITED).open("a") as source:
            source.write("/* An edit. */\n")
        _verdict(copy, build)

    edit = statistics.median(_timed(edit_and_look) for _ in range(3))
    lines = [Line(f"{tree.label}: edit of timekeeping.c to verdict, guest", f"{edit:.1f} s", "median of 3"),
             Line(f"{tree.label}: nothing to verdict, guest", f"{nothing:.1f} s", f"{nothing / edit:.1f} edits")]
    whole = _bootable(tree.path, scratch / "bzImage")
    if whole is None:
        lines.append(Line(f"{tree.label}: the tree's own bzImage", "-",
                          "not the whole tree is here: name one with LINUX=PATH"))
    else:
        lines.append(Line(f"{tree.label}: the tree's own bzImage", f"{whole:.0f} s",
                          f"{whole / nothing:.1f} times nothing to verdict, {whole / edit:.0f} times an edit's"))
    return lines


def whole_matrix(words: Sequence[str], build: Path) -> list[Line]:
    """The default matrix on the native core and these kernels, beside its cells run one by one."""
    from runner.study import cells, matrix, parallel

    wanted = cells.read(None, ["native", *words])
    native = matrix.native_program(build)
    planned = matrix.plan(wanted, matrix.programs(wanted, build, lambda said: None), native)
    scratch = build / "bench"
    scratch.mkdir(parents=True, exist_ok=True)
    results = matrix.Results(scratch, again=True)

    def measure() -> None:
        missing = matrix.measure(planned.tasks(), results, parallel.Hosts(), scratch)
        if missing:
            raise CannotRun(Problem.MATRIX_CELLS, "some cells could not be measured", missing)

    def one_by_one() -> None:
        for cell in wanted.cells:
            task = planned.of_cell[cell]
            subprocess.run([str(task.program.path), *task.arguments], stdout=subprocess.DEVNULL)

    whole, alone = _timed(measure), _timed(one_by_one)
    return [Line(f"matrix of {len(wanted.cells)} cells", f"{whole:.1f} s",
                 f"{whole / alone:.2f} of its cells one by one, {alone:.1f} s; it runs {len(planned.tasks())}"
                 f" experiments, with those of native at each kernel's stage")]


def main(arguments: Sequence[str]) -> int:
    from rich.table import Table

    from runner.report.table import console

    parser = options.Parser("bench", "Measures the speed of tickbench on this machine.")
    parser.add_argument("--linux", default="", help="kernels beside the native core, joined by commas")
    parser.add_argument("--rows", nargs="+", choices=ROWS, metavar="ROW",
                        help=f"measure only these, of {', '.join(ROWS)}; those after matrix need --linux")
    parser.add_argument("--build", type=Path, default=BUILD, help="(default %(default)s)")
    given = parser.parse_args(arguments)
    table = Table(title="tickbench's speed on this machine")
    for title in ("what", "figure", "beside"):
        table.add_column(title, overflow="fold")
    words, build = trees.words(given.linux), given.build
    elf = build / "tickbench.elf"
    measures: dict[str, Callable[[], list[Line]]] = {
        "rates": lambda: sim_rates(build / "tickbench-sim", lift.simulators(words, build), tsc_hz(elf)),
        "guest": lambda: guest(elf),
        "matrix": lambda: whole_matrix(words, build),
        "lockstep": lambda: [lockstep(word, build) for word in words],
        "check": lambda: [line for word in words for line in checks(word, build)],
        "edit": lambda: [line for word in words for line in edits(word, build)],
        "patches": lambda: patch_lines(build, PATCHES) if words else [],
        "far": lambda: patch_lines(build, FAR) if words else []}
    lines = [line for name in given.rows or ROWS for line in measures[name]()]
    for line in lines:
        table.add_row(line.what, line.figure, line.beside)
    console().print(table)
    return Status.PASSED

# SPDX-License-Identifier: GPL-2.0-or-later
"""Lifts a kernel's own timekeeping core: finds the tree, has kbuild show how it compiles the two
files, compiles our wrapper units around them the same way, and links the programs. After an edit of the two files
or of a header nothing but the units that read it is compiled.

On its own: ./tickbench lift LINUX --arch um --hz 1000"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner import BUILD, options
from runner.errors import output_error, CannotRun, Problem, Status
from runner.lift import compilers, detect, kbuild, prepared, trees
from runner.lift.digests import Digests
from runner.lift.headers import Maker
from runner.lift.kbuild import Variant
from runner.lift.link import Linker
from runner.lift.prepared import Prepared
from runner.lift.units import ROOM, VDSO_HEADERS, Crossed, Place, compile_units
from runner.plan import Image

PROGRAMS = {"um": ("tickbench-sim",), "x86": ("tickbench.elf", "tickbench.efi")}


@dataclass(frozen=True)
class Lifted:
    """A lifted core: its tree, its target and its folder."""

    tree: trees.Tree
    variant: Variant
    folder: Path  # holds linux.o and the programs
    stage: detect.Stage
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: str = ""  # the compiler's

    def timing(self) -> str:
        parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
        return f"{self.tree.label} lifted for {self.variant.name}: {parts}"


class _Stopwatch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds a lock on the folder, so that one process at a time lifts into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise output_error(error, folder) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    """Writes a file unless it has this text already, so that make sees no change."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _c_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def identity(tree: trees.Tree, variant: Variant, stage: detect.Stage) -> str:
    """The text of lift_identity.h."""
    def mask(names: Iterable[str]) -> str:
        return " | ".join(f"TK_{name}" for name in names) or "0"

    revision = _c_string(tree.revision) if tree.revision else "NULL"
    return "\n".join([
        "/* Written by runner/lift/lift.py: what was lifted. */",
        '#include "tk/tk.h"',
        f"#define LIFT_KERNEL {_c_string(tree.kernel)}",
        f"#define LIFT_REVISION {revision}",
        f"#define LIFT_TIMEKEEPING_SHA256 {_c_string(stage.timekeeping_sha256)}",
        f"#define LIFT_NTP_SHA256 {_c_string(stage.ntp_sha256)}",
        f"#define LIFT_TREE {_c_string(tree.label)}",
        f"#define LIFT_SWITCHES ({mask(stage.switches)})",
        f"#define LIFT_RELEASE ({mask(detect.release_switches(tree.kernel))})",
        f"#define LIFT_HZ {variant.hz}",
        f"#define LIFT_PPS {int(variant.pps)}",
    ]) + "\n"


def _timeconst(tree: Path, hz: int) -> str:
    """include/generated/timeconst.h for another HZ than kbuild's, by the tree's own script."""
    script = tree / "kernel/time/timeconst.bc"
    done = subprocess.run(["bc", "-q", str(script)], input=f"{hz}\n", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise CannotRun(Problem.LIFT, f"{script} failed", done.stdout)
    return done.stdout


def _flags(tree: trees.Tree, variant: Variant, folder: Path) -> tuple[list[str], list[str]]:
    """The wrappers' flags before and after kbuild's own."""
    first = ["-I", str(VDSO_HEADERS)]
    extra = ["-include", str(VDSO_HEADERS / "options.h"), "-I", str(folder), "-I", str(ROOM)]
    if variant.hz == variant.configured_hz:
        return first, extra
    constants = folder / "include/generated/timeconst.h"
    # bc takes a while, and the constants depend on HZ and on the tree's script alone.
    script = f"/* {variant.hz} {detect.digest(tree.path / 'kernel/time/timeconst.bc')} */\n"
    if not constants.exists() or not constants.read_text().startswith(script):
        _write(constants, script + _timeconst(tree.path, variant.hz))
    _write(folder / "hz.h", f"#undef CONFIG_HZ\n#define CONFIG_HZ {variant.hz}\n")
    return [*first, "-I", str(folder / "include")], [*extra, "-include", str(folder / "hz.h")]


def lift(word: str, variant: Variant, build: Path, programs: Sequence[str] | None = None,
         meanwhile: Callable[[], None] | None = None, maker: Maker | None = None) -> Lifted:
    """Lifts the tree that a word names; programs are those of its arch unless told otherwise. meanwhile is called
    while the compiler runs, at least once, if the lift gets so far. maker: of headers for the next edit."""
    if variant.hz not in kbuild.HZ_CHOICES:
        choices = ", ".join(str(hz) for hz in kbuild.HZ_CHOICES)
        raise CannotRun(Problem.USAGE,
                        f"a lifted core cannot run at HZ={variant.hz}, only at {choices}")
    missing = kbuild.missing_tools()
    if missing:
        raise CannotRun(Problem.LIFT_TOOL, f"lifting a kernel needs {', '.join(missing)}")
    compilers.check(variant.toolchain)
    watch = _Stopwatch()
    # make's dependency files name objects as make was told to: relative to its folder if possible.
    if not build.is_absolute() and Path.cwd() != ROOM:
        build = build.resolve()
    lifts = build / "lift"
    try:
        with watch("tree"):
            with alone(lifts):
                tree = trees.resolve(word, lifts.resolve())
        with alone(lifts / tree.folder):
            try:
                return _lift(tree, variant, build, programs, watch, meanwhile, maker)
            except Crossed:
                trees.complete(tree)
                return _lift(tree, variant, build, programs, watch, meanwhile, maker)
    except OSError as error:
        raise output_error(error, error.filename or build) from error


def _prepare(tree: trees.Tree, variant: Variant, lifts: Path, digests: Digests) -> Prepared:
    """What kbuild prepares, found or made."""
    found = prepared.find(lifts, tree.path, variant, digests)
    if not found:
        trees.complete(tree)
        found = prepared.make(lifts, tree.path, variant, digests)
    digests.save()
    # One name for it, for those who run its commands.
    link = lifts / tree.folder / "kbuild" / variant.kbuild_name
    if not link.is_symlink() or link.resolve() != found.out:
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)
        link.unlink(missing_ok=True)
        link.symlink_to(found.out)
    return found


def _lift(tree: trees.Tree, variant: Variant, build: Path, programs: Sequence[str] | None,
          watch: _Stopwatch, meanwhile: Callable[[], None] | None, maker: Maker | None) -> Lifted:
    lifts = (build / "lift").resolve()
    folder = build / "lift" / tree.folder / variant.name
    digests = Digests(tree.path, lifts / tree.folder / "digests.json")
    with watch("kbuild"):
        ready = _prepare(tree, variant, lifts, digests)
    wanted = PROGRAMS[variant.arch] if programs is None else programs
    linker = Linker(build, folder, tuple(wanted) or ("linux.o",), tree.label)
    place = Place(ready, folder.resolve(), lifts / "units" / variant.name, digests, variant.toolchain)
    stage = detect.stage(tree.path)

    def make(meanwhile: Callable[[], None] | None) -> str:
        """The compiler's warnings."""
        with watch("compile"), ready.entry.locked(fcntl.LOCK_SH):
            _write(folder / "lift_has.h", stage.header())
            _write(folder / "lift_identity.h", identity(tree, variant, stage))
            said = compile_units(place, tree.label, *_flags(tree, variant, folder.resolve()), linker.objects(),
                                 meanwhile, maker)
            digests.save()
        with watch("link"):
            linker.link()
        return said

    try:
        warnings = make(meanwhile)
    except CannotRun as error:
        if not stage.has["VMCLOCK_HOST"]:
            raise
        # Nothing else depends on that file. What else is amiss is said by the second attempt.
        stage = replace(stage, has=stage.has | {"VMCLOCK_HOST": False})
        warnings = make(None) + without_vmclock_host(tree, error)
    return Lifted(tree, variant, folder, stage, watch.seconds, warnings)


def without_vmclock_host(tree: trees.Tree, error: CannotRun) -> str:
    """Why the scenario `publish` goes without a file that the tree has."""
    missing = sorted(set(re.findall(r"undefined reference to [`']([^`']+)'", error.detail)))
    found = re.search(r"error: (.+)", error.detail)
    why = f"needs {', '.join(missing)}" if missing else f"does not compile ({found[1] if found else error.sentence})"
    return f"{tree.label} has {detect.VMCLOCK_HOST.name}, which {why}: publish uses tickbench's own rule\n"


def images(words: Sequence[str], hz: int, vehicle: str, build: Path, say: Callable[[str], None],
           tickless: bool = True, smp: bool = False, pps: bool = False) -> list[Image]:
    """The programs of each tree's core, for one vehicle (guest or sim). Labels are fit for file names
    and differ; a tree that two words name is there once."""
    variant = Variant("um" if vehicle == "sim" else "x86", hz, tickless, smp=smp, pps=pps)
    found: dict[str, Lifted] = {}
    for word in words:
        done = lift(word, variant, build)
        if done.warnings:
            say(done.warnings.rstrip("\n"))
        say(done.timing())
        found[done.tree.folder] = done
    plain = [re.sub(r"[^A-Za-z0-9._+@~-]", "_", done.tree.label) for done in found.values()]
    return [
        Image(label if plain.count(label) == 1 else done.tree.folder, done.folder / "tickbench.elf",
              done.folder / "tickbench.efi", done.folder / "tickbench-sim")
        for label, done in zip(plain, found.values())
    ]


def simulators(words: Sequence[str], build: Path) -> list[tuple[str, Path]]:
    """Each kernel's core in a host process, at HZ 1000: what to call it, and the program."""
    done = [lift(word, Variant("um", 1000, True), build) for word in words]
    return [(each.tree.name(), each.folder / "tickbench-sim") for each in done]


def parser() -> options.Parser:
    """The options."""
    made = options.Parser("lift", "Builds the timekeeping core of a Linux tree, and links the programs with it.")
    made.add_argument("linux", help="PATH, PATH@REV or a release (7.3); several joined by commas")
    made.add_argument("--arch", choices=sorted(kbuild.KBUILD_ARCH), default="um",
                      help="um: for the host process; x86: for the guest (default %(default)s)")
    made.add_argument("--hz", type=int, default=1000, help="(default %(default)s)")
    made.add_argument("--periodic", action="store_true", help="configure without NO_HZ")
    made.add_argument("--smp", action="store_true", help=options.SMP)
    made.add_argument("--pps", action="store_true", help=options.PPS)
    made.add_argument("--build", type=Path, default=BUILD, help="(default %(default)s)")
    made.add_argument("--object", action="store_true", help="link no program, only linux.o")
    return made


def asked(given: options.argparse.Namespace) -> Variant:
    """The variant that the options ask for."""
    return Variant(given.arch, given.hz, not given.periodic, smp=given.smp, pps=given.pps)


def main(arguments: Sequence[str]) -> int:
    given = parser().parse_args(arguments)
    variant = asked(given)
    for word in trees.words(given.linux):
        done = lift(word, variant, given.build, () if given.object else None)
        sys.stderr.write(done.warnings)
        print(done.timing())
        print(f"kernel {done.tree.kernel}, revision {done.tree.revision or 'unknown'}, "
              f"switches as its source spells them: {','.join(done.stage.switches).lower() or 'none'}")
        print(f"timekeeping.c sha256 {done.stage.timekeeping_sha256}")
        print(f"ntp.c sha256 {done.stage.ntp_sha256}")
        print(f"in {done.folder}")
    return Status.PASSED

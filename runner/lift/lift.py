# SPDX-License-Identifier: GPL-2.0-or-later
"""Lifts a kernel's own timekeeping core: finds the tree, has kbuild show how it compiles the two
files, compiles our wrapper units around them the same way, and links the programs. Assumes the
Makefile's rules in tk/linux/build.mk for all that is not the kernel's.

On its own: ./tickbench lift LINUX --arch um --hz 1000"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner import BUILD, options, process
from runner.errors import output_error, CannotRun, Problem, Status
from runner.lift import compilers, detect, kbuild, trees
from runner.plan import Image
from runner.lift.kbuild import Variant

ROOM = Path(__file__).resolve().parent.parent.parent
SOURCES = {"timekeeping": detect.TIMEKEEPING, "ntp": detect.NTP}
# Our units: whose saved command compiles each, and the kernel's files that it includes, by macro.
WRAPPERS = {
    "timekeeping": ("timekeeping", {"LIFT_TIMEKEEPING": detect.TIMEKEEPING}),
    "ntp": ("ntp", {"LIFT_NTP": detect.NTP}),
    "vdso": ("timekeeping", {"LIFT_VSYSCALL": detect.VSYSCALL, "LIFT_GETTIMEOFDAY": detect.GETTIMEOFDAY}),
}
VDSO_HEADERS = ROOM / "tk/linux/vdso"
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
    ]) + "\n"


def _timeconst(tree: Path, hz: int) -> str:
    """include/generated/timeconst.h for another HZ than kbuild's, by the tree's own script."""
    script = tree / "kernel/time/timeconst.bc"
    done = subprocess.run(["bc", "-q", str(script)], input=f"{hz}\n", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise CannotRun(Problem.LIFT, f"{script} failed", done.stdout)
    return done.stdout


def _dependencies_newer(object_file: Path, folder: Path) -> bool:
    """Whether a file that an object depends on is newer than the object."""
    try:
        made = object_file.stat().st_mtime_ns
        listed = object_file.with_suffix(".dep").read_text().replace("\\\n", " ").split()[1:]
        return any((folder / name).stat().st_mtime_ns >= made for name in listed)
    except OSError:
        return True


def _compile(tree: trees.Tree, variant: Variant, stage: detect.Stage, folder: Path, kbuild_folder: Path) -> str:
    """Our units around the kernel's, at the same time; the compiler's warnings."""
    extra = ["-include", str(VDSO_HEADERS / "options.h"), "-I", str(folder), "-I", str(ROOM)]
    first = ["-I", str(VDSO_HEADERS)]
    if variant.hz != variant.configured_hz:
        _write(folder / "include/generated/timeconst.h", _timeconst(tree.path, variant.hz))
        _write(folder / "hz.h", f"#undef CONFIG_HZ\n#define CONFIG_HZ {variant.hz}\n")
        first += ["-I", str(folder / "include")]
        extra += ["-include", str(folder / "hz.h")]
    children = []
    for unit, (saved, sources) in WRAPPERS.items():
        target = folder / f"wrap_{unit}.o"
        compiler, *flags = compilers.adapt(variant.toolchain, kbuild.command(kbuild_folder, saved), kbuild_folder)
        full = [
            compiler, *first, *flags, *extra, f"-Wp,-MMD,{target.with_suffix('.dep')}",
            *(f'-D{macro}="{tree.path / source}"' for macro, source in sources.items()),
            "-c", "-o", str(target), str(ROOM / f"tk/linux/wrap_{unit}.c"),
        ]
        sha256 = hashlib.sha256(b"".join((tree.path / source).read_bytes() for source in sources.values()))
        recorded = folder / f"wrap_{unit}.command"
        # A file that was put back may be older than what was made of its edited form.
        text = "\n".join([*full, sha256.hexdigest(), ""])
        if recorded.exists() and recorded.read_text() == text and not _dependencies_newer(
                target, kbuild_folder):
            continue
        target.unlink(missing_ok=True)
        recorded.write_text(text)
        children.append(subprocess.Popen(
            full, cwd=kbuild_folder, env=kbuild.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"))
    words = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        if re.search(r"^\S*/tk/linux/wrap_\w+\.c:[0-9:]+ (fatal )?error:", "".join(words), re.MULTILINE):
            raise CannotRun(Problem.LIFT_SEAM, f"{tree.label} is not as tk/linux expects a kernel",
                            "".join(words))
        raise CannotRun(Problem.LIFT_EDIT, f"{tree.label} does not compile", "".join(words))
    return "".join(words)


def _link(build: Path, targets: Sequence[Path], tree: trees.Tree) -> None:
    status, said = process.hear(
        ["make", "-s", "--no-print-directory", f"-j{os.cpu_count() or 1}", "-C", str(ROOM),
         f"BUILD={build}", *(str(target) for target in targets)], env=kbuild.environment())
    if status == 0:
        return
    if "undefined reference to" in said:
        raise CannotRun(Problem.LIFT_SYMBOL,
                        f"{tree.label} wants a symbol that the lift does not supply", said)
    raise CannotRun(Problem.LIFT, f"{tree.label} does not link", said)


def lift(word: str, variant: Variant, build: Path, programs: Sequence[str] | None = None) -> Lifted:
    """Lifts the tree that a word names; programs are those of its arch unless told otherwise."""
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
            return _lift(tree, variant, build, programs, watch)
    except OSError as error:
        raise output_error(error, error.filename or build) from error


def _lift(tree: trees.Tree, variant: Variant, build: Path, programs: Sequence[str] | None,
          watch: _Stopwatch) -> Lifted:
    base = build / "lift" / tree.folder
    folder = base / variant.name
    kbuild_folder = (base / "kbuild" / variant.kbuild_name).resolve()
    with watch("kbuild"):
        kbuild.build(tree.path, kbuild_folder, variant)
    with watch("compile"):
        stage = detect.stage(tree.path)
        _write(folder / "lift_has.h", stage.header())
        _write(folder / "lift_identity.h", identity(tree, variant, stage))
        warnings = _compile(tree, variant, stage, folder.resolve(), kbuild_folder)
    with watch("link"):
        wanted = PROGRAMS[variant.arch] if programs is None else programs
        _link(build, [folder / name for name in wanted] or [folder / "linux.o"], tree)
    return Lifted(tree, variant, folder, stage, watch.seconds, warnings)


def images(words: Sequence[str], hz: int, vehicle: str, build: Path, say: Callable[[str], None],
           tickless: bool = True) -> list[Image]:
    """The programs of each tree's core, for one vehicle (guest or sim). Labels are fit for file names
    and differ; a tree that two words name is there once."""
    variant = Variant("um" if vehicle == "sim" else "x86", hz, tickless)
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


def main(arguments: Sequence[str]) -> int:
    parser = options.Parser("lift", "Builds the timekeeping core of a Linux tree, and links the programs with it.")
    parser.add_argument("linux", help="PATH, PATH@REV or a release (7.3); several joined by commas")
    parser.add_argument("--arch", choices=sorted(kbuild.KBUILD_ARCH), default="um",
                        help="um: for the host process; x86: for the guest (default %(default)s)")
    parser.add_argument("--hz", type=int, default=1000, help="(default %(default)s)")
    parser.add_argument("--periodic", action="store_true", help="configure without NO_HZ")
    parser.add_argument("--build", type=Path, default=BUILD, help="(default %(default)s)")
    parser.add_argument("--object", action="store_true", help="link no program, only linux.o")
    given = parser.parse_args(arguments)
    for word in trees.words(given.linux):
        done = lift(word, Variant(given.arch, given.hz, not given.periodic), given.build,
                    () if given.object else None)
        sys.stderr.write(done.warnings)
        print(done.timing())
        print(f"kernel {done.tree.kernel}, revision {done.tree.revision or 'unknown'}, "
              f"switches as its source spells them: {','.join(done.stage.switches).lower() or 'none'}")
        print(f"timekeeping.c sha256 {done.stage.timekeeping_sha256}")
        print(f"ntp.c sha256 {done.stage.ntp_sha256}")
        print(f"in {done.folder}")
    return Status.PASSED

# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel tree's own build system, asked for two objects: configures a tree beside itself (O=),
has kernel/time/timekeeping.o and ntp.o made, and reads back the commands that made them. Assumes a
tree that was not built in place (runner/lift/linkfarm.py makes one of one that was)."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from runner import process
from runner.errors import CannotRun, Problem
from runner.lift.compilers import Toolchain

UNITS = ("timekeeping", "ntp")
TOOLS = ("make", "gcc", "ld", "objcopy", "nm", "flex", "bison", "bc")
KBUILD_ARCH = {"um": "um", "x86": "x86_64"}
HZ_CHOICES = (100, 250, 300, 1000)
UM_HZ = 100  # has no choice there
# What, besides the Kconfig files, decides how a unit is compiled.
MAKEFILES = (
    "Makefile", "Kbuild", "kernel/Makefile", "kernel/time/Makefile", "arch/x86/Makefile",
    "arch/x86/Makefile.um", "arch/um/Makefile", "arch/um/Makefile-x86_64", "scripts/Kbuild.include",
    "scripts/Makefile.build", "scripts/Makefile.lib", "scripts/Makefile.compiler",
    "scripts/Makefile.extrawarn", "scripts/Makefile.warn",
)
# From a make that called us, or from a user's shell: not for the kernel's make.
FOREIGN = (
    "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MAKEFILES", "ARCH", "SUBARCH",
    "CROSS_COMPILE", "LLVM", "O", "V", "W", "C", "M", "CC", "LD", "KCFLAGS", "KCPPFLAGS",
    "KBUILD_OUTPUT", "KBUILD_EXTMOD", "KCONFIG_CONFIG", "KCONFIG_ALLCONFIG", "LOCALVERSION",
)


@dataclass(frozen=True)
class Variant:
    """The target that a core is compiled for."""

    arch: str  # um: a host process; x86: the guest
    hz: int
    tickless: bool
    toolchain: Toolchain = Toolchain()  # of our units; kbuild uses the tree's own

    @property
    def configured_hz(self) -> int:
        return UM_HZ if self.arch == "um" else self.hz

    @property
    def name(self) -> str:
        return f"{self.arch}-{self.hz}" + ("" if self.tickless else "-periodic") + self.toolchain.suffix

    @property
    def kbuild_name(self) -> str:
        return Variant(self.arch, self.configured_hz, self.tickless).name


def missing_tools(tools: tuple[str, ...] = TOOLS) -> list[str]:
    """The programs that kbuild needs and that are not on PATH."""
    return [tool for tool in tools if not shutil.which(tool)]


def environment() -> dict[str, str]:
    """The environment of this process without the variables that change a kernel's build: make's own, ARCH,
    CROSS_COMPILE and others."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return kept | {"LC_ALL": "C"}


def fragment(variant: Variant) -> str:
    """The options in which the configuration differs from allnoconfig."""
    lines = [
        "CONFIG_64BIT=y",
        "CONFIG_EXPERT=y",
        "CONFIG_PRINTK=y",
        "CONFIG_POSIX_TIMERS=y",
        "CONFIG_POSIX_AUX_CLOCKS=y",
        "# CONFIG_SMP is not set",
        "# CONFIG_BUG is not set",
        "# CONFIG_CPU_MITIGATIONS is not set",
        "CONFIG_NO_HZ_IDLE=y" if variant.tickless else "CONFIG_HZ_PERIODIC=y",
    ]
    if variant.arch == "x86":
        lines.append(f"CONFIG_HZ_{variant.hz}=y")
    return "\n".join(lines) + "\n"


def _make(tree: Path, folder: Path, arch: str, *arguments: str) -> tuple[int, str]:
    return process.hear(
        ["make", "-s", "--no-print-directory", f"-j{os.cpu_count() or 1}", "-C", str(tree),
         f"O={folder}", f"ARCH={KBUILD_ARCH[arch]}", *arguments],
        env=environment(),
    )


def _inputs(tree: Path, folder: Path) -> dict[str, int]:
    """Modification times of the files that decide how a unit is compiled."""
    listed = (folder / "include/config/auto.conf.cmd").read_text(errors="replace")
    kconfig = re.search(r"^deps_config := \\\n((?:\t.*\n)+)", listed, re.MULTILINE)
    names = list(MAKEFILES)
    if kconfig:
        names += [line.strip(" \t\\") for line in kconfig.group(1).splitlines()]
    return {
        name: (tree / name).stat().st_mtime_ns for name in names if name and (tree / name).exists()
    }


def _stamp(tree: Path, folder: Path, variant: Variant) -> str:
    compiler = shutil.which("gcc") or ""
    compiler_time = os.stat(compiler).st_mtime_ns if compiler else 0
    return json.dumps([str(tree), fragment(variant), compiler_time, _inputs(tree, folder)])


def _current(tree: Path, folder: Path, variant: Variant) -> bool:
    try:
        for unit in UNITS:
            command(folder, unit)
        return (folder / "stamp").read_text() == _stamp(tree, folder, variant)
    except OSError:
        return False


def _start_over_for_another(tree: Path, folder: Path) -> None:
    """Removes what kbuild made if the tree has moved: its files contain the tree's path."""
    place = folder / "tree-path"
    if not place.exists() or place.read_text() != str(tree):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        place.write_text(str(tree))


def build(tree: Path, folder: Path, variant: Variant) -> bool:
    """Has the tree compile its two units into folder; False if nothing in how they are compiled has
    changed since the last time (the sources may have: the commands still stand)."""
    if _current(tree, folder, variant):
        return False
    _start_over_for_another(tree, folder)
    (folder / "stamp").unlink(missing_ok=True)
    wanted = folder / "wanted.config"
    wanted.write_text(fragment(variant))
    status, said = _make(tree, folder, variant.arch, f"KCONFIG_ALLCONFIG={wanted}", "allnoconfig")
    if status:
        raise CannotRun(Problem.LIFT, f"{tree} cannot be configured", said)
    _check_config(tree, folder, variant)
    status, said = _make(tree, folder, variant.arch, *(f"kernel/time/{unit}.o" for unit in UNITS))
    if status and re.search(r"\b(gelf|libelf)\.h\b", said):
        raise CannotRun(Problem.LIFT_TOOL, "lifting for the guest needs libelf's headers", said)
    if status:
        edit = re.search(r"^\S*kernel/time/\S+: (fatal )?error:", said, re.MULTILINE)
        problem = Problem.LIFT_EDIT if edit else Problem.LIFT
        raise CannotRun(problem, f"{tree} does not compile", said)
    (folder / "stamp").write_text(_stamp(tree, folder, variant))
    return True


def _check_config(tree: Path, folder: Path, variant: Variant) -> None:
    """allnoconfig silently drops what it does not know."""
    config = (folder / ".config").read_text(errors="replace").splitlines()
    for line in ("CONFIG_64BIT=y", f"CONFIG_HZ={variant.configured_hz}"):
        if line not in config:
            raise CannotRun(Problem.LIFT_TREE, f"{tree} cannot be configured with {line}")
    if "CONFIG_SMP=y" in config:
        raise CannotRun(Problem.LIFT_TREE, f"{tree} cannot be configured without SMP")


def command(folder: Path, unit: str) -> list[str]:
    """The compiler and its flags for a unit, as kbuild ran them (in folder), without what names the
    unit's own files."""
    saved = (folder / f"kernel/time/.{unit}.o.cmd").read_text(errors="replace")
    match = re.match(r"(?:saved)?cmd_\S+ := (.*)", saved)
    words = shlex.split(match.group(1).replace("$(pound)", "#").replace("$$", "$")) if match else []
    if "-c" not in words:
        raise CannotRun(Problem.LIFT,
                        f"kbuild saved no command for kernel/time/{unit}.o in {folder}")
    return [word for word in words[: words.index("-c")] if not word.startswith("-Wp,-M")]


def sources(folder: Path, tree: Path) -> list[str]:
    """The files of the tree that its units were compiled from, headers too, relative to the tree."""
    found: set[str] = set()
    for unit in UNITS:
        saved = (folder / f"kernel/time/.{unit}.o.cmd").read_text(errors="replace")
        for word in saved.split():
            path = Path(os.path.normpath(folder / word.rstrip("\\")))
            if path.is_relative_to(tree) and not path.is_relative_to(folder) and path.is_file():
                found.add(str(path.relative_to(tree)))
    return sorted(found)

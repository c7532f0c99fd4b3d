# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel tree's own build system, asked how it compiles two units: configures a tree beside itself (O=),
has it prepare what they include, and reads back the saved commands. Assumes a tree that was not built in place
(runner/lift/linkfarm.py makes one of one that was)."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Sequence
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
    smp: bool = False  # CONFIG_SMP
    pps: bool = False  # CONFIG_NTP_PPS: a kernel that has it is periodic, whatever tickless says

    def __post_init__(self) -> None:
        if self.pps:
            object.__setattr__(self, "tickless", False)

    @property
    def configured_hz(self) -> int:
        return UM_HZ if self.arch == "um" else self.hz

    @property
    def name(self) -> str:
        return (f"{self.arch}-{self.hz}" + ("" if self.tickless else "-periodic") + ("-smp" if self.smp else "")
                + ("-pps" if self.pps else "") + self.toolchain.suffix)

    @property
    def options(self) -> list[str]:
        """Those of `tickbench lift` that ask for it, for the tree's own compiler."""
        chosen = {"--periodic": not self.tickless and not self.pps, "--smp": self.smp, "--pps": self.pps}
        return ["--arch", self.arch, "--hz", str(self.hz), *(name for name, asked in chosen.items() if asked)]

    @property
    def kbuild_name(self) -> str:
        return Variant(self.arch, self.configured_hz, self.tickless, smp=self.smp, pps=self.pps).name


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
        "CONFIG_SMP=y" if variant.smp else "# CONFIG_SMP is not set",
        "# CONFIG_BUG is not set",
        "# CONFIG_CPU_MITIGATIONS is not set",
        "CONFIG_NO_HZ_IDLE=y" if variant.tickless else "CONFIG_HZ_PERIODIC=y",
    ]
    if variant.pps:
        lines += ["CONFIG_PPS=y", "CONFIG_NTP_PPS=y"]
    if variant.arch == "x86":
        lines.append(f"CONFIG_HZ_{variant.hz}=y")
    return "\n".join(lines) + "\n"


def quick() -> list[str]:
    """Variables for a kernel's make that change nothing of what it prepares for C: its own programs, such as conf, run
    for a moment, and -O0 compiles them fastest; each of its makes and Kconfig ask for Rust, which is not used; and
    the system's Python starts faster than one that a version manager chooses."""
    python = Path("/usr/bin/python3")
    return ["HOSTCFLAGS=-O0", "RUSTC=false", *([f"PYTHON3={python}"] if python.exists() else [])]


def _make(tree: Path, folder: Path, arch: str, *arguments: str) -> tuple[int, str]:
    return process.hear(
        ["make", "-s", "--no-print-directory", f"-j{os.cpu_count() or 1}", "-C", str(tree),
         f"O={folder}", f"ARCH={KBUILD_ARCH[arch]}", *quick(), *arguments],
        env=environment(),
    )


def compiler(name: str = "gcc") -> str:
    """Which compiler a name (kbuild's own, unless told otherwise) means: its path, modification time and size."""
    path = shutil.which(name)
    if not path:
        return ""
    stat = os.stat(path)
    return f"{path} {stat.st_mtime_ns} {stat.st_size}"


def make(tree: Path, folder: Path, variant: Variant) -> None:
    """Has the tree configure itself and prepare what its units include, in folder, and save how it preprocesses
    the two units: the same flags as it compiles them with. What is there already is brought up to date."""
    wanted = folder / "wanted.config"
    wanted.write_text(fragment(variant))
    status, said = _make(tree, folder, variant.arch, f"KCONFIG_ALLCONFIG={wanted}", "allnoconfig")
    if status:
        raise CannotRun(Problem.LIFT, f"{tree} cannot be configured", said)
    _check_config(tree, folder, variant)
    # objtool, a third of what is compiled, looks at objects, of which none is made here.
    status, said = _make(tree, folder, variant.arch, "CONFIG_OBJTOOL=", *(f"kernel/time/{unit}.i" for unit in UNITS))
    if status and re.search(r"\b(gelf|libelf)\.h\b", said):
        raise CannotRun(Problem.LIFT_TOOL, "lifting for the guest needs libelf's headers", said)
    if status:
        edit = re.search(r"^\S*kernel/time/\S+: (fatal )?error:", said, re.MULTILINE)
        problem = Problem.LIFT_EDIT if edit else Problem.LIFT
        raise CannotRun(problem, f"{tree} does not compile", said)


def _check_config(tree: Path, folder: Path, variant: Variant) -> None:
    """allnoconfig silently drops what it does not know."""
    config = (folder / ".config").read_text(errors="replace").splitlines()
    for line in ("CONFIG_64BIT=y", f"CONFIG_HZ={variant.configured_hz}"):
        if line not in config:
            raise CannotRun(Problem.LIFT_TREE, f"{tree} cannot be configured with {line}")
    if variant.smp and "CONFIG_SMP=y" not in config:
        raise CannotRun(Problem.LIFT_TREE, f"{tree} cannot be configured with SMP"
                        + (": for a host process, only newer kernels can; the guest can with each"
                           if variant.arch == "um" else ""))
    if not variant.smp and "CONFIG_SMP=y" in config:
        raise CannotRun(Problem.LIFT_TREE, f"{tree} cannot be configured without SMP")
    if variant.pps and "CONFIG_NTP_PPS=y" not in config:
        raise CannotRun(Problem.LIFT_TREE, f"{tree} cannot be configured with NTP_PPS: lift it without --pps")


def saved_command(path: Path) -> list[str]:
    """The command that kbuild saved in a .cmd file, as words; none if it has none."""
    try:
        saved = path.read_text(errors="replace")
    except OSError:
        return []
    match = re.match(r"(?:saved)?cmd_\S+ := (.*)", saved)
    return shlex.split(match.group(1).replace("$(pound)", "#").replace("$$", "$")) if match else []


def saved_dependencies(path: Path) -> list[str]:
    """The files that a .cmd file says its target was made of; those that belong to options are left out."""
    try:
        saved = path.read_text(errors="replace")
    except OSError:
        return []
    source = re.findall(r"^source_\S+ := (\S+)", saved, re.MULTILINE)
    listed = re.search(r"^deps_\S+ := \\\n((?:.*\\\n)*)", saved, re.MULTILINE)
    words = re.sub(r"\$\(wildcard [^)]*\)", " ", listed.group(1)).replace("\\\n", " ").split() if listed else []
    return source + words


def moved(command: Sequence[str], before: Path, after: Path) -> list[str]:
    """A command for a tree as a command for the same tree at another place."""
    at = re.compile(re.escape(str(before)) + r"(?=[/=\"]|$)")
    return [at.sub(lambda _: str(after), word) for word in command]


def command(folder: Path, unit: str) -> list[str]:
    """The compiler and its flags for a unit, as kbuild ran them (in folder), without what names the
    unit's own files."""
    words = saved_command(folder / f"kernel/time/.{unit}.i.cmd")
    if "-o" not in words:
        raise CannotRun(Problem.LIFT,
                        f"kbuild saved no command for kernel/time/{unit}.i in {folder}")
    return [word for word in words[: words.index("-o")] if word != "-E" and not word.startswith("-Wp,-M")]


def sources(folder: Path, tree: Path) -> list[str]:
    """The files of the tree that its units are compiled from, headers too, relative to the tree. folder is where
    kbuild prepared them, perhaps for a neighbouring tree."""
    first = (folder / "source").resolve()
    found: set[str] = set()
    for unit in UNITS:
        for word in saved_dependencies(folder / f"kernel/time/.{unit}.i.cmd"):
            path = Path(os.path.normpath(folder / word))
            name = path.relative_to(first) if path.is_relative_to(first) else None
            if name and not path.is_relative_to(folder) and (tree / name).is_file():
                found.add(str(name))
    return sorted(found)

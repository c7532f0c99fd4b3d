# SPDX-License-Identifier: GPL-2.0-or-later
"""The first file system of a Linux guest: busybox, a script that is its first process, the module ptp_vmclock, the
program that measures, and the daemons with their libraries. busybox itself packs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from runner import process
from runner.errors import CannotRun, Problem, output_error
from runner.linux.packages import DAEMONS, Kernel, modules

MODULE = "ptp_vmclock"
LOADER = "ld-linux-x86-64.so.2"  # each library needs it, or one that does
# What the first process does. The kernel's messages stop before the report begins.
INIT = """\
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
	[ -e "$module" ] && /bin/busybox insmod "$module"
done
/bin/busybox dmesg -n 1
{measure}
/bin/busybox poweroff -f
"""


def make(kernel: Kernel, program: Path, words: Sequence[str], daemons: Sequence[str], folder: Path) -> Path:
    """Writes initramfs.cpio to the folder: one that runs the program with these words, and has these daemons.
    CannotRun if a package lacks a file, or the folder does not take it."""
    root, packed = folder / "initramfs", folder / "initramfs.cpio"
    try:
        shutil.rmtree(root, ignore_errors=True)
        for each in ("bin", "sbin", "dev", "proc", "sys", "etc", "modules", "var/run", "lib64", "lib/x86_64-linux-gnu"):
            (root / each).mkdir(parents=True)
        _fill(kernel, program, words, daemons, root)
        _pack(root, packed)
        shutil.rmtree(root)
    except OSError as error:
        raise output_error(error, folder) from error
    return packed


def _needed(binary: Path) -> list[str]:
    """The libraries that a program or a library is linked to."""
    status, said = process.hear(["readelf", "-d", str(binary)], None, os.environ | {"LC_ALL": "C"})
    if status:
        raise CannotRun(Problem.PROGRAM_FAILED, f"readelf cannot read {binary}", said)
    return re.findall(r"\(NEEDED\).*\[(.+)\]", said)


def _add_libraries(kernel: Kernel, binary: Path, root: Path) -> None:
    """What the binary is linked to, and what that is linked to."""
    for library in _needed(binary):
        target = root / "lib/x86_64-linux-gnu" / library
        if not target.exists():
            shutil.copy(kernel.find(f"x86_64-linux-gnu/{library}"), target)
            _add_libraries(kernel, target, root)


def _fill(kernel: Kernel, program: Path, words: Sequence[str], daemons: Sequence[str], root: Path) -> None:
    shutil.copy(kernel.find("*bin/busybox"), root / "bin/busybox")
    for each in daemons:
        name = DAEMONS[each].program
        shutil.copy(kernel.find(f"*bin/{name}"), root / "sbin" / name)
        _add_libraries(kernel, root / "sbin" / name, root)
    (root / "lib64" / LOADER).symlink_to(f"/lib/x86_64-linux-gnu/{LOADER}")
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    for number, data in enumerate(modules(kernel, MODULE)):
        (root / "modules" / f"{number}.ko").write_bytes(data)
    shutil.copy(program, root / "bin" / program.name)
    init = root / "init"
    init.write_text(INIT.format(measure=" ".join([f"/bin/{program.name}", *words])))
    init.chmod(0o755)


def _pack(root: Path, packed: Path) -> None:
    """In cpio's format newc, with owner root."""
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    with packed.open("wb") as file:
        done = subprocess.run([str(root / "bin/busybox"), "cpio", "-o", "-H", "newc", "-R", "0:0"], cwd=root,
                              input="\n".join(names) + "\n", stdout=file, stderr=subprocess.PIPE, text=True,
                              env=os.environ | {"LC_ALL": "C"})
    if done.returncode:
        raise CannotRun(Problem.PROGRAM_FAILED, "busybox cannot pack the initramfs", done.stderr)

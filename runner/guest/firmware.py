# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the firmware images are that QEMU boots from: qboot for PVH, OVMF for UEFI. Assumes Debian's
places, and beside them the folder that TICKBENCH_FIRMWARE names, which goes first."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from runner.errors import CannotRun, Problem

FOLDERS = ("/usr/share/qemu", "/usr/share/seabios", "/usr/share/OVMF", "/usr/share/ovmf",
           "/usr/share/edk2/x64", "/usr/share/qboot")
# Code and variables go together: a 2 MiB one does not run with a 4 MiB one's.
OVMF_PAIRS = (("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"), ("OVMF_CODE.fd", "OVMF_VARS.fd"))


def folders() -> list[Path]:
    """Where firmware is looked for: TICKBENCH_FIRMWARE alone if it is set, else the distributions' folders."""
    own = os.environ.get("TICKBENCH_FIRMWARE")
    return [Path(own)] if own else [Path(folder) for folder in FOLDERS]


def _find(name: str, where: Iterable[Path]) -> Path | None:
    return next((folder / name for folder in where if (folder / name).is_file()), None)


def qboot() -> Path:
    """The path of qboot.rom; CannotRun if there is none."""
    found = _find("qboot.rom", folders())
    if not found:
        raise CannotRun(Problem.FIRMWARE_MISSING,
                        "there is no qboot.rom (Debian: qemu-system-data), which PVH boots by")
    return found


def ovmf() -> tuple[Path, Path]:
    """OVMF's code and its variables' template."""
    for code_name, vars_name in OVMF_PAIRS:
        code, variables = _find(code_name, folders()), _find(vars_name, folders())
        if code and variables:
            return code, variables
    raise CannotRun(Problem.FIRMWARE_MISSING,
                    "there is no OVMF_CODE_4M.fd (Debian: ovmf), which UEFI boots by")

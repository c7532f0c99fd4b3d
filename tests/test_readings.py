# SPDX-License-Identifier: GPL-2.0-or-later
"""The readings of a core beside its state: a break of what user space reads is reported by the comparison, with
the clock's name. A unit is compiled around a broken copy of one file of the kernel; the tree is not changed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import build_path
from liftable import NEWEST, lifted
from runner.lift import kbuild
from runner.study import workshop

VSYSCALL, GETTIMEOFDAY = "LIFT_VSYSCALL", "LIFT_GETTIMEOFDAY"


def built_with(name: str, macro: str, before: str, after: str) -> Path:
    """tickbench-diff of the newest kernel, with one text of one of the vDSO's files replaced."""
    done = lifted(NEWEST, 1000, workshop.DIFF)
    folder = done.folder.parent / f"broken-{name.replace(' ', '-')}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(done.folder, folder, ignore=shutil.ignore_patterns("tickbench*", "linux.o"))
    recorded = (done.folder / "wrap_vdso.command").read_text().splitlines()
    words = recorded[:recorded.index("-c")]
    at = next(n for n, word in enumerate(words) if word.startswith(f"-D{macro}="))
    path = Path(words[at].split('"')[1])
    text = path.read_text()
    assert text.count(before) >= 1, f"{path} has no {before}"
    broken = folder / path.name
    broken.write_text(text.replace(before, after, 1))
    words[at] = f'-D{macro}="{broken.resolve()}"'
    words = [word for word in words if not word.startswith("-Wp,-M")]
    where = (done.folder.parent / "kbuild" / "um-100").resolve()
    subprocess.run([*words, "-iquote", str(path.parent), "-c", "-o", str((folder / "wrap_vdso.o").resolve()),
                    str(workshop.ROOM / "tk/linux/wrap_vdso.c")],
                   cwd=where, env=kbuild.environment(), check=True, timeout=60)
    subprocess.run(["make", "-s", "-C", str(workshop.ROOM), f"BUILD={build_path()}",
                    str(folder.resolve() / workshop.DIFF)], check=True, timeout=60, env=kbuild.environment())
    return folder / workshop.DIFF


# What is dropped or changed, and the names in the report.
BREAKS = {
    "TAI without its offset": (VSYSCALL, "tk->xtime_sec + (s64)tk->tai_offset", "tk->xtime_sec", "(TAI)"),
    "coarse of the fine clock": (
        VSYSCALL, "vdso_ts->nsec\t= tk->coarse_nsec", "vdso_ts->nsec\t= tk->coarse_nsec + 1", "(REALTIME_COARSE)"),
    "raw read as monotonic": (
        GETTIMEOFDAY, "vc = &vc[CS_RAW];\n\telse if (msk", "vc = &vc[0];\n\telse if (msk", "(MONOTONIC_RAW)"),
    "a page left closed": (VSYSCALL, "vdso_write_end(vdata);", ";", "sequence"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_of_what_user_space_reads_is_named(name: str) -> None:
    macro, before, after, said = BREAKS[name]
    program = built_with(name, macro, before, after)
    done = subprocess.run([str(program), "--random", "1", "100000"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stdout + done.stderr
    named = re.findall(r"^  (\S.*?) +-?\d+ +-?\d+$", done.stdout, re.MULTILINE)
    assert any(said in each and "DSO" in each for each in named), done.stdout

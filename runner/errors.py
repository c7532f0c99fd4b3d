# SPDX-License-Identifier: GPL-2.0-or-later
"""Exit statuses, and the errors that lead to them. cli.py alone prints an error: all other modules raise."""

from __future__ import annotations

import enum
from pathlib import Path


class Status(enum.IntEnum):
    """The exit statuses of the commands."""

    PASSED = 0
    FAILED = 1  # a claim does not hold
    CANNOT_RUN = 2
    DIFFERS = 3  # all claims hold, but a core behaves differently (check, equal)
    SKIPPED = 4  # everything was skipped
    BISECT_SKIP = 125  # for git bisect run: this revision cannot be judged


class Problem(enum.Enum):
    """Why something could not run. The value is the advice to the user."""

    USAGE = "see `tickbench COMMAND --help`"
    NOT_BUILT = "run `make` first"
    PACKAGE_MISSING = "run ./setup.sh run, or name another interpreter with PYTHON="
    QEMU_MISSING = "install it with ./setup.sh run, or name one with --qemu PATH"
    QEMU_OLD = "tickbench needs QEMU 7.2 or later: name another with --qemu PATH"
    QEMU_REFUSED = "the lines above are QEMU's own"
    FIRMWARE_MISSING = "install it with ./setup.sh run, or name its folder in TICKBENCH_FIRMWARE"
    ACCEL_MISSING = "use --accel auto or --accel tcg"
    KVM_INTERNAL_ERROR = "this KVM cannot run the guest: use --accel tcg"
    GUEST_SILENT = "debug it with --gdb, or allow more time with --timeout"
    GUEST_STALLED = "its last lines are in serial.log; allow more time with --timeout, or debug it with --gdb"
    GUEST_LOUD = "what it wrote until then is in serial.log"
    QEMU_PAUSED = "something outside stopped it, for instance a migration by its monitor: run it again"
    GUEST_FAULT = "the register dump is above and in serial.log"
    GUEST_RESET = "the guest reset itself or was powered off from outside: debug it with --gdb"
    GUEST_BAILED = "see ./run-qemu.sh --help for the parameters"
    REPORT_BROKEN = "the whole report is in serial.log"
    PUBLISHER = "run without a page (--no-page), or with one that you name (--page FILE)"
    OUTPUT_FOLDER = "name another with --output FOLDER, or BUILD=FOLDER for make"
    OUTPUT_FULL = "free some space, or name another folder with --output FOLDER"
    CORE_WORD = "name a core: native, native:-clawback, native:none, a kernel tree (PATH, PATH@REV) or a release (7.3)"
    LIFT = "the lines above are the compiler's or linker's own"
    LIFT_TREE = "name a kernel tree (PATH), a revision of one (PATH@REV), or a release (7.3)"
    LIFT_EDIT = "the lines above are the compiler's own; mend the tree and run this again"
    LIFT_SEAM = "the tree has other names there than tickbench's functions use: adapt those functions"
    LIFT_SYMBOL = "if its answer does not matter, add a line NOTHING(name) to tk/linux/shim.c"
    LIFT_TOOL = "install it with ./setup.sh lift"
    COMPILER = "install it (clang: ./setup.sh clang), or name another"
    LIFT_RELEASE = "name a tree that you have (LINUX=PATH) where Debian's packages are out of reach"
    PARALLEL_MISSING = "install it with ./setup.sh matrix"
    MATRIX = "`./tickbench matrix --print` shows a matrix as TOML, and docs/matrix.md describes it"
    MATRIX_CELLS = "run this again: what was measured is kept"
    BAD_CLAIM = "docs/report.md lists the metrics, and `tickbench-sim --list` the scenarios"
    BISECT_SKIPPED = "name a narrower range, or mend what the revisions lack"
    PATCHES = "name an mbox, a folder of patches, or REV..REV of a git tree (TREE@REV..REV)"
    GIT = "the lines above are git's own"
    PROGRAM_FAILED = "its own words are above"
    COMPARE = "see `tickbench compare --help`, and docs/compare.md"
    COMPARE_SAMPLES = "copy the samples beside the report, or measure again"
    BAD_REPORT = "docs/report.md has the schema"
    BAD_RECORD = "docs/discipline.md says what a record is"


class CannotRun(Exception):
    """Ends a command with status 2. `detail` is printed unchanged before the sentence."""

    def __init__(self, problem: Problem, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.problem = problem
        self.sentence = sentence
        self.detail = detail

    def words(self) -> str:
        """The detail, and a line that says what is wrong and what to do."""
        detail = self.detail.rstrip("\n")
        line = f"tickbench: {self.sentence}: {self.problem.value}"
        return f"{detail}\n{line}" if detail else line


def need_built(path: Path) -> Path:
    """The path; CannotRun if this program of the project was not built."""
    if not path.exists():
        raise CannotRun(Problem.NOT_BUILT, f"there is no {path}")
    return path


def output_error(error: OSError, path: object) -> CannotRun:
    """The error for an output file that could not be written."""
    import errno

    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    kind = Problem.OUTPUT_FULL if full else Problem.OUTPUT_FOLDER
    return CannotRun(kind, f"cannot write {path} ({error.strerror or error})")

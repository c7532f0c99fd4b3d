# SPDX-License-Identifier: GPL-2.0-or-later
"""A short run of each libFuzzer target in fuzz/, under ASan and UBSan, from its seeds and from what it
once failed on. `make fuzz` runs them for longer. Assumes clang with its runtime libraries."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, SECONDS, make, need

TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in (ROOT / "fuzz").glob("fuzz_*.c"))
RUNS = 4000  # inputs, so that the run is the same on a busy machine


@pytest.fixture(scope="session")
def programs() -> Path:
    need("clang", "clang libclang-rt-dev")
    return make("fuzz-programs") / "fuzz"


def fuzz(programs: Path, target: str, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(programs / target), "-seed=1", "-timeout=60", f"-artifact_prefix={tmp_path}/", *arguments],
        capture_output=True, text=True, errors="replace", timeout=SECONDS)


def test_every_parser_of_foreign_bytes_has_a_target() -> None:
    assert TARGETS == ["acpi", "aml", "ktap", "mailbox", "page", "params"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_parser_stands_a_short_fuzzing(target: str, programs: Path, tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.mkdir()
    folders = [found, programs / "seeds" / target, ROOT / "fuzz" / "corpus" / target]
    assert any(folders[1].iterdir()), "there are no seeds"
    ended = fuzz(programs, target, tmp_path, f"-runs={RUNS}", *(str(folder) for folder in folders
                                                                if folder.is_dir()))
    assert ended.returncode == 0, ended.stderr[-4000:]
    # New inputs were kept: the program is instrumented, and went beyond its seeds.
    assert f"#{RUNS}\tDONE" in ended.stderr and any(found.iterdir())


def test_a_root_that_lists_one_table_4000_times_is_walked_in_bounded_work(programs: Path, tmp_path: Path) -> None:
    """The walk used to take the square of the list's length in steps."""
    ended = fuzz(programs, "acpi", tmp_path, str(programs / "seeds" / "acpi" / "crowded"))
    assert ended.returncode == 0 and "walk takes too long" not in ended.stderr, ended.stderr[-4000:]

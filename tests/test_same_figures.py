# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison of two records of figures: one digit that differs is named. Assumes the host process."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from conftest import ROOT
from same_figures import differing, figures, simulated

EXPERIMENT = {"scenario": "lock", "duration": "2"}


def test_the_same_program_gives_the_same_figures(built: Path) -> None:
    first, second = (simulated(built / "tickbench-sim", EXPERIMENT, "native") for _ in range(2))
    assert first["lock 1.max_abs_ns"] and first["lock 1.claim 1"] == "ok"
    assert first == second


def test_one_digit_that_differs_is_named(built: Path, tmp_path: Path) -> None:
    found = simulated(built / "tickbench-sim", EXPERIMENT, "native")
    changed = {**found, "lock 1.rms_ns": found["lock 1.rms_ns"][:-1] + "x"}
    assert differing({"lock": found}, {"lock": changed}) == [
        f"lock: lock 1.rms_ns: {found['lock 1.rms_ns']} before, {changed['lock 1.rms_ns']} after"]
    for name, record in (("a", found), ("b", changed)):
        (tmp_path / name).write_text(json.dumps({"lock": record}))
    for other, status in (("a", 0), ("b", 1)):
        ended = subprocess.run([str(ROOT / "tests/same_figures.py"), "compare", "a", other], cwd=tmp_path,
                               capture_output=True, text=True)
        assert ended.returncode == status, ended.stdout + ended.stderr


def test_a_failed_and_a_skipped_claim_are_figures() -> None:
    report = "    # Subtest: slew\n    not ok 1 it arrives\n    ok 2 it stays # SKIP no page\n"
    assert figures(report) == {"slew 1.claim 1": "not ok", "slew 1.claim 2": "ok skipped"}

# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench kunit`: KTAP that KUnit's own parser reads without an error, of the native core and of a
kernel's. Assumes Debian's source package of that kernel, whose parser it unpacks."""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, SECONDS, build_path, plain_environment
from liftable import NEWEST, lifted
from runner.lift import debian
from runner.report import kunit

CLAIM = {"sentence": "it holds", "ok": True, "skipped": None, "todo": None}
RUN: dict[str, Any] = {"core": "native", "kernel": None, "hz": 100, "scenario": "lock", "ok": True, "skipped": None,
                       "notes": [], "claims": [CLAIM]}


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ROOT / "tickbench"), "kunit", *arguments], cwd=ROOT, capture_output=True, text=True,
                          timeout=SECONDS, env=plain_environment())


@pytest.fixture(scope="session")
def parser() -> Path:
    """KUnit's kunit.py, out of the package that the lift has fetched; unpacked once for all workers."""
    lifted(NEWEST, 1000)
    package = next(iter(sorted((debian.cache() / "deb").glob(f"{NEWEST.word}*.deb"))), None)
    if package is None:
        pytest.skip(f"Debian's package of {NEWEST.word} is not in the cache")
    folder = build_path().resolve() / "kunit" / package.stem
    folder.mkdir(parents=True, exist_ok=True)
    script = (f"set -o pipefail; dpkg-deb --fsys-tarfile '{package}'"
              " | tar -xO --wildcards '*/linux-source-*.tar.*' | xz -dc"
              f" | tar -x -C '{folder}' --strip-components 1 --wildcards '*/tools/testing/kunit/*.py'")
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            subprocess.run(["bash", "-c", script], check=True, timeout=SECONDS)
            (folder / "done").touch()
    return folder / "tools/testing/kunit/kunit.py"


def parsed(parser: Path, text: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, str(parser), "parse"], input=text, capture_output=True, text=True,
                          timeout=SECONDS)
    return done.returncode, done.stdout


def test_kunits_parser_reads_the_native_cores_claims(built: Path, parser: Path) -> None:
    done = command("--build", str(built), "scenario=adjust,leap,sleep,aux")
    assert done.returncode == 0, done.stderr
    status, said = parsed(parser, done.stdout)
    assert status == 0 and "[ERROR]" not in said, said
    claims = len(re.findall(r"^    ok ", done.stdout, re.MULTILINE))
    assert f"Ran {claims} tests: passed: {claims}" in said and claims > 40


def test_kunits_parser_sees_a_claim_that_fails_and_one_that_is_known(built: Path, parser: Path) -> None:
    text = "\n".join(kunit.lines([
        {**RUN, "ok": False, "notes": ["missing: it"], "claims": [CLAIM, {**CLAIM, "ok": False}]},
        {**RUN, "skipped": "no page", "ok": None, "claims": [{**CLAIM, "skipped": "no page"}]},
        {**RUN, "claims": [{**CLAIM, "ok": False, "todo": "no release has it"}]}]))
    status, said = parsed(parser, text)
    assert status == 1 and "[ERROR]" not in said, said
    assert "Ran 4 tests: passed: 1, failed: 1, skipped: 2" in said, said
    assert "known not to hold: no release has it" in said


def test_a_kernels_core_is_a_suite_of_its_own_name(built: Path) -> None:
    lifted(NEWEST, 1000)
    done = command("--build", str(built), "--linux", NEWEST.word, "scenario=leap,aux")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^    # Subtest: linux-7\.3\.\d+ HZ=1000 leap$", done.stdout, re.MULTILINE), done.stdout
    assert "1..2" in done.stdout.splitlines() and "not ok" not in done.stdout


def test_a_claim_that_fails_is_the_status(built: Path) -> None:
    assert command("--build", str(built), "scenario=adjust", "switches=none").returncode == 1
    refused = command("--build", str(built), "scenario=nothing")
    assert refused.returncode == 2 and "no such scenario" in refused.stderr


def test_each_run_has_its_plan_before_its_results() -> None:
    assert json.dumps(list(kunit.lines([RUN]))) == json.dumps([
        "KTAP version 1", "1..1", "    KTAP version 1", "    # Subtest: native HZ=100 lock", "    1..1",
        "    ok 1 it holds", "ok 1 native HZ=100 lock"])

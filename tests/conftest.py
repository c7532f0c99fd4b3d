# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of all tests: the build folder, run-qemu.sh, and skips that name what is missing. Assumes the
repository's root as rootdir, and /usr/bin/python3 with Debian's pytest."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

pytest_plugins = ["fakes", "liftable", "publishing"]
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
# Generous, for a busy machine: it only ends a test that hangs.
SECONDS = 120.0
# Hypothesis judges answers, not how long they took: a busy machine is no failure.
hypothesis_settings.register_profile("tickbench", deadline=None,
                                     suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("tickbench")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: measures real time, so no other test may run beside it")


# Making what these fixtures give takes seconds, and each worker would make its own: one worker runs all tests of each.
COSTLY = ("pristine", "scratch", "v7_3", "v7_2")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        found = [name for name in COSTLY if name in getattr(item, "fixturenames", ())]
        if found:
            # Those of a checkout and of a build folder share both; the others are a module's own.
            name = "checkout" if found[0] in COSTLY[:2] else f"{item.path.stem}-{found[0]}"
            item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(autouse=True)
def quiet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Among the workers of pytest -n, a test marked alone waits until the others end, and they wait for it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    shared = tmp_path_factory.getbasetemp().parent
    alone = request.node.get_closest_marker("alone") is not None
    with (shared / "turnstile").open("w") as turnstile, (shared / "machine").open("w") as machine:
        # Whoever waits for the machine holds the turnstile, so that no one overtakes.
        fcntl.flock(turnstile, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(turnstile, fcntl.LOCK_UN)
        yield


@dataclass(frozen=True)
class Ended:
    """A program that has been run."""

    status: int
    stdout: str
    stderr: str
    output: Path

    @property
    def serial(self) -> str:
        return (self.output / "serial.log").read_text(errors="replace")


def build_path() -> Path:
    return Path(os.environ.get("BUILD") or ROOT / "build")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


def make(goal: str) -> Path:
    """The build folder with a goal of the Makefile in it; built once for all workers."""
    build = build_path()
    build.mkdir(parents=True, exist_ok=True)
    # As the user's make names it: its dependency files name objects as make was told to.
    word = build.relative_to(ROOT) if build.is_relative_to(ROOT) else build
    if goal.startswith(f"{build}/"):
        goal = f"{word}{goal[len(str(build)):]}"
    with (build / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # All workers may be waiting for it: it takes every CPU.
        made = subprocess.run(["make", f"-j{os.cpu_count() or 1}", "-C", str(ROOT), f"BUILD={word}", goal],
                              capture_output=True, text=True, env=plain_environment())
    if made.returncode:
        pytest.fail(f"make {goal} failed:\n{made.stdout[-2000:]}{made.stderr[-4000:]}", pytrace=False)
    return build


@pytest.fixture(scope="session")
def built() -> Path:
    """The build folder, with everything in it."""
    return make("all")


@pytest.fixture(scope="session")
def page_programs() -> Path:
    """The build folder with the publisher, and the page's code behind a pipe, under the sanitizers."""
    return make("page-tests")


def plain_environment() -> dict[str, str]:
    """This process's environment, without the variables of a make that started it."""
    return {name: value for name, value in os.environ.items()
            if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")}


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in text:
            found.append(text)
    return found


def need(program: str, package: str) -> str:
    """The path of a program, or a skip that names what is missing."""
    found = shutil.which(program)
    if not found:
        pytest.skip(f"there is no {program} (Debian: {package})")
    return found


def need_kvm() -> None:
    from runner.guest.accel import kvm_obstacle

    obstacle = kvm_obstacle()
    if obstacle:
        pytest.skip(obstacle)


@pytest.fixture
def run_qemu(tmp_path: Path) -> Iterator[Callable[..., Ended]]:
    """Calls run-qemu.sh with arguments, and ends it and all its children should the test fail."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, build: Path | None = None, timeout: float = SECONDS,
            env: dict[str, str] | None = None) -> Ended:
        output = tmp_path / f"out{len(started)}"
        child = subprocess.Popen(
            [str(ROOT / "run-qemu.sh"), "--output", str(output), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace",
            env={**plain_environment(), "BUILD": str(build or build_path()), **(env or {})})
        started.append(child)
        stdout, stderr = child.communicate(timeout=timeout)
        return Ended(child.returncode, stdout, stderr, output)

    yield run
    for child in started:
        if child.poll() is None:
            # SIGTERM, so that it ends what it started.
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()

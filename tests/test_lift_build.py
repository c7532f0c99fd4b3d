# SPDX-License-Identifier: GPL-2.0-or-later
"""How a lifted core is built: what is compiled, what is kept, what is noticed, and which sentence ends a
lift that cannot be done."""

from __future__ import annotations

import fcntl
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from conftest import ROOT, plain_environment, processes_of
from liftable import AFTER, BEFORE, UM, lift_command, refused, replace, simulate
from runner import process
from runner.errors import CannotRun, Problem
from runner.lift import detect, kbuild, lift, link
from runner.lift.kbuild import Variant


def test_after_an_edit_only_its_unit_is_compiled(
    checkout: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = ("tickbench-sim", "tickbench-diff", "core_b.o")
    first = lift.lift(str(checkout), UM, scratch, programs)
    units = {name: (first.folder / f"wrap_{name}.o").stat().st_mtime_ns for name in ("timekeeping", "ntp")}
    replace(checkout / detect.TIMEKEEPING, BEFORE, AFTER)
    # The commands that make said are enough: it is not called again, which takes longer than they do.
    monkeypatch.delattr(link.Linker, "_make")
    meanwhile: list[str] = []
    done = lift.lift(str(checkout), UM, scratch, programs, lambda: meanwhile.append("while the compiler runs"))
    assert meanwhile == ["while the compiler runs"]
    simulate(done.folder, "scenario=lock", "duration=1")
    assert (done.folder / "wrap_timekeeping.o").stat().st_mtime_ns > units["timekeeping"]
    assert (done.folder / "wrap_ntp.o").stat().st_mtime_ns == units["ntp"]
    assert re.search(r"kbuild [0-9.]+ s, compile [0-9.]+ s, link [0-9.]+ s$", done.timing())


def test_the_commands_that_make_says_serve_other_folders() -> None:
    """Of two cores, of which one's folder begins as the other's does; a word of make's own is no command."""
    said = """link.mk:40: update target '/b/lift/x/um/core_b.o' due to: /b/lift/x/um/linux.o
objcopy --redefine-sym tk_linux=tk_b /b/lift/x/um/linux.o /b/lift/x/um/core_b.o.$$
Makefile:9: target '/b/other.o' does not exist
cc -c other.c
link.mk:60: update target '/b/pair/p/diff' due to: /b/lift/x/um-periodic/core_a.o
@cc -o /b/pair/p/diff '/b/lift/x/um-periodic/core_a.o' /b/lift/x/um/core_b.o
"""
    places = {link.HERE: Path("/b/pair/p"), link.CORE_A: Path("/b/lift/x/um-periodic"),
              link.CORE_B: Path("/b/lift/x/um")}
    assert link._traced(said, places) == [
        link.Step("@b@/core_b.o", ("objcopy --redefine-sym tk_linux=tk_b @b@/linux.o @b@/core_b.o.$$",)),
        link.Step("@folder@/diff", ("cc -o @folder@/diff '@a@/core_a.o' @b@/core_b.o",))]


@pytest.mark.parametrize("arch", ["um", "x86"])
def test_a_core_built_in_an_empty_folder_is_not_built_again(checkout: Path, tmp_path: Path, arch: str) -> None:
    variant = Variant(arch, 1000, True)
    done = lift.lift(str(checkout), variant, tmp_path, ["linux.o"])
    made = (done.folder / "linux.o").stat().st_mtime_ns
    lift.lift(str(checkout), variant, tmp_path, ["linux.o"])
    assert (done.folder / "linux.o").stat().st_mtime_ns == made


def test_one_make_at_a_time_makes_what_lifts_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sequence[str]] = []

    def hear(command: Sequence[str], **_: object) -> tuple[int, str]:
        asked.append(command)
        return 1, "not made"

    def make() -> None:
        with pytest.raises(CannotRun, match="does not link"):
            link.Linker(tmp_path, tmp_path / "lift/a/um-1000", ["core_a.o"], "a").link()

    monkeypatch.setattr(process, "hear", hear)
    (tmp_path / "lift").mkdir()
    with (tmp_path / "lift" / link.MAKE_LOCK).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        waits = threading.Thread(target=make)
        waits.start()
        waits.join(0.2)
        before = len(asked)
    waits.join()
    assert (before, len(asked)) == (0, 1), "make ran beside another one, or not at all"


def test_an_unchanged_tree_is_not_built_again(checkout: Path, scratch: Path) -> None:
    first = lift.lift(str(checkout), UM, scratch)
    made = (first.folder / "linux.o").stat().st_mtime_ns
    assert (lift.lift(str(checkout), UM, scratch).folder / "linux.o").stat().st_mtime_ns == made


def test_a_header_that_changed_is_noticed(checkout: Path, scratch: Path) -> None:
    first = lift.lift(str(checkout), UM, scratch)
    made = (first.folder / "wrap_timekeeping.o").stat().st_mtime_ns
    with (checkout / "include/linux/timekeeper_internal.h").open("a") as header:
        header.write("/* changed */\n")
    again = lift.lift(str(checkout), UM, scratch)
    assert (again.folder / "wrap_timekeeping.o").stat().st_mtime_ns > made


def test_a_compile_error_ends_with_the_compilers_own_words(
    checkout: Path, scratch: Path, tmp_path: Path
) -> None:
    lift.lift(str(checkout), UM, scratch)
    source = checkout / detect.TIMEKEEPING
    with source.open("a") as file:
        file.write("int broken(void) { return nowhere; }\n")
    line = len(source.read_text().splitlines())
    error = refused(checkout, scratch)
    assert error.problem is Problem.LIFT_EDIT
    assert re.search(rf"^{re.escape(str(source))}:{line}:\d+: error: .nowhere. undeclared",
                     error.detail, re.MULTILINE)
    # The same in an empty build folder, where kbuild is the first to compile it.
    error = refused(checkout, tmp_path)
    assert error.problem is Problem.LIFT_EDIT
    assert "nowhere" in error.detail


def test_a_symbol_the_core_newly_needs_is_named_by_the_linker(checkout: Path, scratch: Path) -> None:
    with (checkout / detect.TIMEKEEPING).open("a") as file:
        file.write("extern int brand_new(void);\nint uses_it(void);\n"
                   "int uses_it(void) { return brand_new(); }\n")
    error = refused(checkout, scratch)
    assert error.problem is Problem.LIFT_SYMBOL
    assert "undefined reference to `brand_new'" in error.detail
    assert "tk/linux/shim.c" in error.words()


def test_a_tree_without_a_name_that_the_lift_needs_is_told_from_a_wrong_edit(
    checkout: Path, scratch: Path
) -> None:
    replace(checkout / detect.TIMEKEEPING, "timekeeping_cycles_to_ns", "timekeeping_cycles_to_ps")
    error = refused(checkout, scratch)
    assert error.problem is Problem.LIFT_SEAM
    assert "timekeeping_cycles_to_ns" in error.detail


def test_kbuild_is_not_kept_waiting_by_rust_and_by_a_version_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A make of our own says what it was told, and finds no Rust."""
    (tmp_path / "Makefile").write_text(
        "rust := $(shell $(RUSTC) --version 2>/dev/null)\nall:\n\t@echo '[$(rust)]' $(PYTHON3) $(HOSTCFLAGS)\n")
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else ""
    monkeypatch.setenv("RUSTC", "echo")
    monkeypatch.setenv("PYTHON3", "elsewhere")
    status, said = kbuild._make(tmp_path, tmp_path, "um", "all")
    assert (status, said.split()) == (0, ["[]", *([python] if python else ["elsewhere"]), "-O0"])


def test_an_hz_that_kernels_do_not_have_is_refused(tmp_path: Path) -> None:
    error = refused("7.3", tmp_path, Variant("um", 777, True))
    assert error.problem is Problem.USAGE
    assert "100, 250, 300, 1000" in error.sentence


def test_a_missing_tool_is_named(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in (*kbuild.TOOLS, "sh", "git"):
        found = shutil.which(name)
        if found and name != "bison":
            (tools / name).symlink_to(found)
    done = lift_command("7.3", "--build", str(tmp_path / "build"), PATH=str(tools))
    assert done.returncode == 2
    assert done.stderr == ("tickbench: lifting a kernel needs bison: install it with "
                           "./setup.sh lift\n")


def test_an_unwritable_build_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "build").touch()
    error = refused("7.3", tmp_path / "build")
    assert error.problem is Problem.OUTPUT_FOLDER


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_lift_leaves_no_process_behind(
    checkout: Path, tmp_path: Path, number: int, status: int
) -> None:
    build = tmp_path / "build"
    child = subprocess.Popen([str(ROOT / "tickbench"), "lift", str(checkout), "--build", str(build)],
                             cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=plain_environment())
    try:
        deadline = time.monotonic() + 60
        # tickbench, make, and what make has started.
        while len(processes_of(build)) < 3:
            assert time.monotonic() < deadline and child.poll() is None
            time.sleep(0.02)
        child.send_signal(number)
        _, words = child.communicate(timeout=100)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == status
    assert "Traceback" not in words
    deadline = time.monotonic() + 60
    while processes_of(build):
        assert time.monotonic() < deadline, processes_of(build)
        time.sleep(0.05)

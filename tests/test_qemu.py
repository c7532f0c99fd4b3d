# SPDX-License-Identifier: GPL-2.0-or-later
"""Which QEMU and which firmware the runner takes, and the command line that it gives to QEMU."""

from __future__ import annotations

from pathlib import Path

import pytest

import fakes
from fakes import GOOD, RunQemu
from runner.errors import Problem
from runner.guest import qemu


def test_no_qemu(tmp_path: Path, run_fake: RunQemu) -> None:
    ended = run_fake(None)
    assert ended.status == 2
    assert Problem.QEMU_MISSING.value in ended.stderr


@pytest.mark.parametrize("version", ["5.2.0", "7.1.99"])
def test_an_old_qemu_is_refused(tmp_path: Path, run_fake: RunQemu, version: str) -> None:
    fakes.qemu(tmp_path, "exit 33", f"QEMU emulator version {version}")
    ended = run_fake(None)
    assert ended.status == 2
    assert version in ended.stderr and Problem.QEMU_OLD.value in ended.stderr


@pytest.mark.parametrize("way", ["pvh", "uefi"])
def test_missing_firmware(tmp_path: Path, run_fake: RunQemu, way: str) -> None:
    (tmp_path / "empty").mkdir()
    ended = run_fake("exit 33", "--boot", way, env={"TICKBENCH_FIRMWARE": str(tmp_path / "empty")})
    assert ended.status == 2
    assert {"pvh": "qboot.rom", "uefi": "OVMF_CODE"}[way] in ended.stderr
    assert Problem.FIRMWARE_MISSING.value in ended.stderr


@pytest.mark.parametrize("name", ["tickbench.elf", "vmclock.aml", "vmclock-host"])
def test_what_is_not_built_is_named(tmp_path: Path, fake_build: Path, run_fake: RunQemu, name: str) -> None:
    (fake_build / name).unlink()
    ended = run_fake("exit 33")
    assert ended.status == 2
    assert name in ended.stderr and Problem.NOT_BUILT.value in ended.stderr


def test_arguments_reach_guest_and_qemu(tmp_path: Path, run_fake: RunQemu) -> None:
    ended = run_fake(fakes.serial(tmp_path, GOOD, 33), "scenario=lock", "hz=250", "+",
                     "clock=virtual", "--", "-d", "int")
    assert ended.status == 0, ended.stderr
    args = (tmp_path / "qemu.args").read_text().splitlines()
    assert args[args.index("-append") + 1] == "scenario=lock hz=250 + clock=virtual"
    assert args[-2:] == ["-d", "int"]


def test_ram_is_the_first_of_the_memory_blocks(tmp_path: Path, run_fake: RunQemu) -> None:
    """QEMU 10 and 11 abort a live migration under TCG (tlb_reset_dirty_range_all) where another one is."""
    run_fake(fakes.serial(tmp_path, GOOD, 33), "scenario=lock")
    args = (tmp_path / "qemu.args").read_text().splitlines()
    backends = [word for word in args if word.startswith("memory-backend-")]
    size = args[args.index("-m") + 1].split(",")[0]
    assert backends[0] == f"memory-backend-ram,id=pc.ram,size={size}"
    assert "q35,memory-backend=pc.ram" in args and len(backends) == 3


@pytest.mark.parametrize("version, option", [
    ("7.2.22", "-mon"), ("10.0", "-mon"), ("11.0.9", "-mon"), ("11.1", "-object"), ("12.0.1", "-object")])
def test_the_monitor_is_asked_for_as_this_qemu_wants_it(version: str, option: str) -> None:
    assert qemu.monitor(version)[0] == option


def test_the_debugger_is_announced_and_qemu_waits_for_it(tmp_path: Path, run_fake: RunQemu) -> None:
    ended = run_fake(fakes.serial(tmp_path, GOOD, 33), "--gdb")
    assert "target remote :1234" in ended.stdout
    assert {"-s", "-S"} <= set((tmp_path / "qemu.args").read_text().splitlines())


def test_a_comma_in_a_path_is_one_path() -> None:
    assert qemu.quote("/a,b") == "/a,,b"


@pytest.mark.parametrize(("text", "version"), [
    ("QEMU emulator version 7.2.22 (Debian 1:7.2)", (7, 2, 22)),
    ("QEMU emulator version 10.0", (10, 0)), ("something else", None)])
def test_qemus_version_is_read(text: str, version: tuple[int, ...] | None) -> None:
    assert qemu.parse_version(text) == version

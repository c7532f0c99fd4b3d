# SPDX-License-Identifier: GPL-2.0-or-later
"""The AML reader (arch/x86/aml.c), in a host process under ASan and UBSan, on tables that iasl made
of the snippets below, whole and damaged. Assumes gcc and iasl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import need

DWORD = """DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadOnly,
    0, 0xFEBFF000, 0xFEBFFFFF, 0, 0x1000)"""
QWORD = """QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadOnly,
    0, 0x200000000, 0x200000FFF, 0, 0x1000)"""
FIXED = "Memory32Fixed (ReadOnly, 0xFED80000, 0x1000)"
FOUND, NO_DEVICE, NOT_PRESENT, NO_CRS, BAD_CRS, NO_MEMORY, BAD_MEMORY = range(7)


def device(*terms: str, name: str = "VCLK") -> str:
    return f"Device ({name}) {{ " + "\n".join(terms) + " }"


def crs(*items: str) -> str:
    return "Name (_CRS, ResourceTemplate () { " + "\n".join(items) + " })"


def hid(text: str) -> str:
    return f'Name (_HID, "{text}")'


def sb(*terms: str) -> str:
    return "Scope (\\_SB) { " + "\n".join(terms) + " }"


CID = 'Name (_CID, "VMCLOCK")'


@dataclass(frozen=True)
class Case:
    name: str
    asl: str
    error: int
    base: int = 0
    size: int = 0


CASES = [
    Case("hid-and-fixed", sb(device(hid("VMCLOCK"), crs(FIXED))), FOUND, 0xFED80000, 0x1000),
    Case("cid-and-dword", sb(device(hid("AMZNC10C"), CID, crs(DWORD))), FOUND, 0xFEBFF000, 0x1000),
    Case("cid-and-qword", sb(device(hid("AMZNC10C"), CID, crs(QWORD))), FOUND, 0x200000000, 0x1000),
    Case("cid-in-a-package",
         sb(device('Name (_HID, EisaId ("PNP0C02"))',
                   'Name (_CID, Package () { EisaId ("PNP0C01"), "VMCLOCK" })', crs(QWORD))),
         FOUND, 0x200000000, 0x1000),
    Case("crs-before-the-ids", sb(device(crs(QWORD), "Name (_STA, 0x0F)", CID)),
         FOUND, 0x200000000, 0x1000),
    Case("granularity-all-ones",  # as QEMU 10's own device has it
         sb(device(hid("AMZNC10C"), CID, "Name (_STA, 0x0F)",
                   crs("""QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable,
                       ReadOnly, 0xFFFFFFFFFFFFFFFF, 0xFEFFB000, 0xFEFFBFFF, 0, 0x1000)"""))),
         FOUND, 0xFEFFB000, 0x1000),
    Case("nested-in-scopes-and-devices",
         sb(device("Name (_ADR, Zero)", device(hid("OTHR0001"), crs(FIXED), name="INNR"),
                   "Scope (INNR) { " + device(CID, crs(QWORD)) + " }", name="PCI0")),
         FOUND, 0x200000000, 0x1000),
    Case("an-inner-device-is-not-the-outer-one",
         sb(device(hid("OUTR0001"), device(CID, name="INNR"), crs(FIXED))), NO_CRS),
    Case("behind-methods-and-fields",
         sb("OperationRegion (REGN, SystemIO, 0x5B82, 0x14)",
            "Field (REGN, ByteAcc, NoLock, Preserve) { FLD0, 8, FLD1, 8 }",
            'Method (DEV_, 1) { If (Arg0) { Return ("VMCLOCK") } Return (Buffer () { 0x5B, 0x82 }) }',
            device(CID, crs(QWORD))), FOUND, 0x200000000, 0x1000),
    Case("memory-after-other-resources",
         sb(device(CID, crs("IO (Decode16, 0x70, 0x70, 1, 2)", "IRQNoFlags () { 8 }",
                            """WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                                0, 0, 0xFF, 0, 0x100)""", QWORD))), FOUND, 0x200000000, 0x1000),
    Case("translated", sb(device(CID, crs(QWORD.replace("0, 0x1000)", "0x100000000, 0x1000)")))),
         FOUND, 0x300000000, 0x1000),
    Case("a-method-that-returns-a-template",
         sb(device(CID, "Method (_CRS, 0) { Return (ResourceTemplate () { " + QWORD + " }) }")),
         FOUND, 0x200000000, 0x1000),
    Case("a-method-that-returns-a-named-template",
         sb(device(CID, "Name (RBUF, ResourceTemplate () { " + QWORD + " })",
                   "Method (_CRS, 0) { Return (RBUF) }")), FOUND, 0x200000000, 0x1000),
    Case("the-second-of-two-has-the-memory",
         sb(device(CID, name="VCL0"), device(CID, crs(FIXED), name="VCL1")),
         FOUND, 0xFED80000, 0x1000),
    Case("no-such-device", sb(device(hid("VMCLOCKS"), crs(QWORD)), 'Name (VMCL, "VMCLOCK")'),
         NO_DEVICE),
    Case("not-present", sb(device(CID, "Name (_STA, Zero)", crs(QWORD))), NOT_PRESENT),
    Case("no-crs", sb(device(CID)), NO_CRS),
    Case("no-memory", sb(device(CID, crs("IO (Decode16, 0x70, 0x70, 1, 2)"))), NO_MEMORY),
    Case("a-window-that-is-no-memory",
         sb(device(CID, crs("""DWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
             0, 0x1000, 0x1FFF, 0, 0x1000)"""))), NO_MEMORY),
    Case("empty-memory", sb(device(CID, crs("Memory32Fixed (ReadOnly, 0xFED80000, 0)"))), BAD_MEMORY),
    Case("not-a-template", sb(device(CID, "Name (_CRS, Buffer () { 0x8A, 0x2B, 0, 0 })")), BAD_CRS),
    Case("without-its-end", sb(device(CID, "Name (_CRS, Buffer () { 0x47, 1, 0, 0, 0, 0, 1, 1 })")),
         BAD_CRS),
]


@pytest.fixture(scope="session")
def check(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    program = tmp_path_factory.mktemp("aml") / "aml_tool"
    subprocess.run(
        [need("gcc", "gcc"), "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wshadow",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I", str(root),
         "-o", str(program), str(root / "tests/aml_tool.c"), str(root / "arch/x86/aml.c")],
        check=True)
    return program


def compiled(asl: str, folder: Path, name: str = "SSDT") -> Path:
    source = folder / "table.asl"
    source.write_text(f'DefinitionBlock ("", "{name}", 2, "TKBNCH", "TEST", 1) {{\n{asl}\n}}\n')
    # It shall also compile an _HID that is no PCI or PNP one, what QEMU says for granularity, and
    # (-f) a device without _HID, which iasl takes for an error since 2024.
    made = subprocess.run([need("iasl", "acpica-tools"), "-f", "-vw", "6035", "-vw", "6047",
                           "-p", str(folder / "table"), str(source)],
                          capture_output=True, text=True)
    assert (folder / "table.aml").exists(), made.stdout + made.stderr
    return folder / "table.aml"


def run(check: Path, *args: object) -> str:
    ended = subprocess.run([str(check), *map(str, args)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_finds_the_memory_or_says_why_not(case: Case, check: Path, tmp_path: Path) -> None:
    table = compiled(case.asl, tmp_path)
    answer = run(check, "find", table, "VMCLOCK")
    error, base, size = answer.split(":")[0].split()
    assert (int(error), int(base, 0), int(size, 0)) == (case.error, case.base, case.size), answer


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads_nothing_outside_a_truncated_or_damaged_table(
    case: Case, check: Path, tmp_path: Path
) -> None:
    table = compiled(case.asl, tmp_path)
    found, lengths = map(int, run(check, "truncate", table, "VMCLOCK").split(" of "))
    assert lengths == table.stat().st_size + 1
    # A package that its table cuts off is not believed: only the whole table can be found in, or
    # one that lost no more than what follows the device.
    assert found == 0 if case.error else 0 < found < lengths
    assert run(check, "damage", table, "VMCLOCK", 1, 5000) == "5000 searched\n"


def test_both_pages_are_found_in_the_table_that_qemu_is_given(check: Path, built: Path) -> None:
    table = built / "vmclock.aml"
    assert run(check, "find", table, "VMCLOCK").startswith("0 0x200000000 0x1000:")
    assert run(check, "find", table, "TBMB0001").startswith("0 0x200200000 0x1000:")


def test_an_interrupt_is_read_from_a_devices_resources(check: Path, tmp_path: Path, built: Path) -> None:
    """Its number, level or edge, low or high, and the port that acknowledges it; and what has none."""
    own = run(check, "interrupt", built / "notify.aml", "ACPI0013")
    assert own.startswith("0 5 0 0 0x2a0:")
    assert run(check, "find", built / "notify.aml", "ACPI0013").startswith(f"{NO_MEMORY} ")
    level = "Interrupt (ResourceConsumer, Level, ActiveLow, Shared) { 23, 24 }"
    table = compiled(sb(device(hid("ACPI0013"), crs(FIXED, level))), tmp_path)
    assert run(check, "interrupt", table, "ACPI0013").startswith("0 23 1 1 0:")
    table = compiled(sb(device(hid("ACPI0013"), crs(FIXED))), tmp_path)
    assert "names no interrupt" in run(check, "interrupt", table, "ACPI0013")
    assert "no ACPI device has that id" in run(check, "interrupt", table, "ACPI0014")


def test_soft_off_value_is_read_from_its_package(check: Path, tmp_path: Path) -> None:
    table = compiled("Name (\\_S5, Package () { 0x05, 0x07, Zero, Zero })", tmp_path, "DSDT")
    assert run(check, "soft-off", table) == "5 7\n"
    table = compiled("Name (\\_S3, Package () { One, One, Zero, Zero })", tmp_path, "DSDT")
    assert run(check, "soft-off", table) == "none\n"


def test_a_table_made_to_take_long_is_given_up_in_bounded_time(check: Path) -> None:
    # Each of these methods sends the reader through all of them: 50000 of them, 2.5 10^9 times.
    assert run(check, "crowd", 50000) == "the ACPI table takes too long to search\n"
    assert run(check, "crowd", 10) == "no ACPI device has that id\n"

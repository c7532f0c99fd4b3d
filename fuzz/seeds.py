#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the fuzz targets' first inputs: sound pages, mailboxes, tables, command lines and reports, one
folder a target. The layouts are those that each fuzz/fuzz_TARGET.c states at its head."""

from __future__ import annotations

import argparse
import struct
from dataclasses import dataclass
from pathlib import Path

WINDOW = 0x10000000  # FUZZ_ACPI_BASE
SCAN, REPAIR = 1, 2
CREATOR = b"TKBNCHFUZZSEED" + bytes(14)


@dataclass(frozen=True)
class Page:
    """A vmclock page; the defaults are a sound one of a 2.6 GHz counter."""

    counter_id: int = 1
    time_type: int = 1
    flags: int = 0x7F
    status: int = 2
    shift: int = 31
    period: int = (1 << 95) // 2_600_000_000
    sequence: int = 2
    seconds: int = 1_764_000_000

    def pack(self) -> bytes:
        """The page's fields, little endian, without the room behind them."""
        return struct.pack("<IIHBBIQQ2xBBhBBQQQQQQQQQ", 0x4B4C4356, 4096, 1, self.counter_id,
                           self.time_type, self.sequence, 7, self.flags, self.status, 0, 37, 0,
                           self.shift, 1 << 40, self.period, 1 << 20, 1 << 24, self.seconds, 1 << 63,
                           100, 300, 3)


def pages() -> dict[str, bytes]:
    """A counter of eight bytes, then the page."""
    now, room = ((1 << 40) + 12345).to_bytes(8, "little"), bytes(4096 - 112)
    kinds = {"whole": Page(), "utc": Page(time_type=0), "no-counter": Page(counter_id=0xFF),
             "initializing": Page(status=1), "unreliable": Page(status=4), "odd": Page(sequence=3),
             "far": Page(seconds=(1 << 62) - 1), "slow": Page(shift=9, period=(1 << 73) // 1000)}
    return {name: now + page.pack() + room for name, page in kinds.items()}


def mailboxes() -> dict[str, bytes]:
    """Magic and version, then steps of guest and publisher."""
    head = (0x584F424B43495454).to_bytes(8, "little") + b"\x01"
    serve = b"\x00" + struct.pack("<QQ", 5, 1 << 40)
    post = b"\x01" + struct.pack("<QqQ", 1 << 40, 1_764_000_000, 1 << 63) + b"\x01" + struct.pack("<Q", 1)
    ask = b"\x02\x01" + struct.pack("<QQ", 1 << 41, 12345)
    return {"served": head + serve, "posted": head + post, "asked": head + ask * 3,
            "mixed": head + ask + serve + post + ask,
            "silent": head + b"\x02\x00" + struct.pack("<QQ", 0, 9)}


def table(signature: bytes, body: bytes) -> bytes:
    """An ACPI table; its checksum is left to the harness."""
    return struct.pack("<4sIBB", signature, 36 + len(body), 2, 0) + CREATOR[:26] + body


def firmware(aml: bytes, width: int) -> bytes:
    """Root pointer, root table and what it lists, as they lie in the window."""
    fadt = bytearray(244 - 36)
    hpet = bytes(4) + struct.pack("<BBBBQ", 0, 64, 0, 0, 0xFED00000) + bytes(4)
    madt = bytes(8) + struct.pack("<BBBBII", 1, 12, 0, 0, WINDOW + 0x8000, 0) + bytes((0, 8, 0, 0, 1, 0, 0, 0))
    dsdt = table(b"DSDT", b"\x08_S5_\x12\x06\x04\x0a\x05\x0a\x07\x00\x00")
    struct.pack_into("<I", fadt, 40 - 36, WINDOW + 0x400)
    struct.pack_into("<III", fadt, 64 - 36, 0x604, 0, 0)
    struct.pack_into("<I", fadt, 76 - 36, 0x608)
    fadt[91 - 36] = 4
    placed = {0x400: dsdt, 0x500: table(b"FACP", bytes(fadt)), 0x700: table(b"HPET", hpet),
              0x800: table(b"APIC", madt), 0x1000: aml}
    listed = b"".join(struct.pack("<Q" if width == 8 else "<I", WINDOW + at) for at in placed if at > 0x400)
    placed[0x100] = table(b"XSDT" if width == 8 else b"RSDT", listed)
    placed[0] = struct.pack("<8sB6sBIIQB3x", b"RSD PTR ", 0, b"TKBNCH", 2 if width == 8 else 0,
                            0 if width == 8 else WINDOW + 0x100, 36, WINDOW + 0x100 if width == 8 else 0, 0)
    memory = bytearray(max(at + len(what) for at, what in placed.items()))
    for at, what in placed.items():
        memory[at:at + len(what)] = what
    return bytes(memory)


def crowd() -> bytes:
    """A root table that lists one and the same empty table 4000 times."""
    listed = struct.pack("<Q", WINDOW + 0x40) * 4000
    root = struct.pack("<8sB6sBIIQB3x", b"RSD PTR ", 0, b"TKBNCH", 2, 0, 36, WINDOW + 0x100, 0)
    return (root + bytes(0x40 - len(root)) + table(b"SSDT", b"").ljust(0xC0, b"\0") + table(b"XSDT", listed))


def tables(aml: bytes) -> dict[str, bytes]:
    """Flags, then the window."""
    return {"xsdt": bytes([REPAIR]) + firmware(aml, 8), "rsdt": bytes([REPAIR]) + firmware(aml, 4),
            "damaged": bytes([0]) + firmware(aml, 8), "crowded": bytes([REPAIR]) + crowd(),
            "scanned": bytes([SCAN | REPAIR, 9]) + firmware(aml, 4)}


LINES = ["", "scenario=lock", "scenario=lock,slew clock=tsc hz=100 duration=0.5 -- scenario=step core=linux",
         "fault=ud hang=1 scenario=torn seed=0xffffffffffffffff tickless=1 samples=0",
         "switches=remainder,clawback,tail rate_ppm=-499.999999 counter_hz=3579545 counter_bits=24",
         "late_ns=1000000000 offset_ns=-400000000 step_ns=500000000 tick=oneshot -- -- hz=24",
         "hz=00000000000000000000000000000000000000000000000000000000000000000000000000100", "=", "hz", "hz="]


def reports() -> dict[str, bytes]:
    """A plan, then calls."""
    def said(text: str) -> bytes:
        return bytes([len(text)]) + bytes(ord(letter) - 32 for letter in text)

    plan, subtest = struct.pack("<I", 1), b"\x05"
    claim, failed = b"\x00\x01" + said("it holds"), b"\x00\x00" + said("it does not")
    skip = b"\x01" + said("it stays") + said("no page")
    metric = b"\x02\x06\x03" + struct.pack("<QQ", 0, 12345678) + said("ns")
    edge = b"\x02\x12\x12" + struct.pack("<QQ", 1 << 63, 0) + said("ns")
    note = b"\x04" + said("note") + struct.pack("<QBQ", 1 << 63, 31, 255)
    return {"passes": plan + subtest + metric + claim + subtest, "fails": plan + subtest + failed + claim + subtest,
            "skipped": plan + subtest + skip + subtest, "numbers": plan + edge + note + b"\x03" + said("x y")}


def main() -> None:
    """Writes every seed below the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aml", type=Path, required=True, help="an SSDT that iasl made")
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    aml = args.aml.read_bytes()
    made = {"page": pages(), "mailbox": mailboxes(), "aml": {"vmclock": aml}, "acpi": tables(aml),
            "params": {f"line{number}": line.encode() for number, line in enumerate(LINES)},
            "ktap": reports()}
    for target, seeds in made.items():
        folder = args.folder / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, seed in seeds.items():
            (folder / name).write_bytes(seed)


if __name__ == "__main__":
    main()

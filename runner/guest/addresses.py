# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the page and the mailbox lie in the guest's memory, as the ACPI table says that QEMU is given.
Assumes a table of ours, with one memory window for each of the two."""

from __future__ import annotations

import re

# Without a table of ours: VCLK_BASE and TBMB_BASE in vmclock/build.mk.
PAGE_ADDRESS = 0x200000000
MAILBOX_ADDRESS = 0x200200000
PAGE_BYTES = 2 << 20
# A QWordMemory descriptor (ACPI 6.5, section 6.4.3.5.1): tag, length, three bytes of flags, granularity.
QWORD = re.compile(rb"\x8a\x2b\x00.{3}.{8}(?P<base>.{8})", re.DOTALL)


def addresses(table: bytes) -> tuple[int, int]:
    """Where an SSDT of ours puts the page and the mailbox; the defaults for one that has no such windows."""
    found = [int.from_bytes(window["base"], "little") for window in QWORD.finditer(table)]
    return (found[0], found[1]) if len(found) == 2 else (PAGE_ADDRESS, MAILBOX_ADDRESS)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The screen's font is taken from a console font of either PSF version."""

from __future__ import annotations

import importlib.util
import struct
from types import ModuleType

import pytest

from conftest import ROOT

GLYPHS = {chr(code): bytes([code] * 16) for code in range(0x20, 0x7F)}


@pytest.fixture(scope="module")
def font() -> ModuleType:
    spec = importlib.util.spec_from_file_location("font", ROOT / "arch" / "x86" / "font.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def version_1() -> bytes:
    glyphs = b"".join(GLYPHS.values()).ljust(256 * 16, b"\0")
    table = b"".join(character.encode("utf-16-le") + b"\xff\xff" for character in GLYPHS)
    return b"\x36\x04\x02\x10" + glyphs + table + b"\xff\xff" * (256 - len(GLYPHS))


def version_2() -> bytes:
    head = b"\x72\xb5\x4a\x86" + struct.pack("<7I", 0, 32, 1, len(GLYPHS), 16, 16, 8)
    return head + b"".join(GLYPHS.values()) + b"".join(character.encode() + b"\xff" for character in GLYPHS)


@pytest.mark.parametrize("psf", [version_1(), version_2()], ids=["1", "2"])
def test_printable_ascii_is_taken_in_its_order(psf: bytes, font: ModuleType) -> None:
    assert font.made(psf) == b"".join(GLYPHS.values())


def test_a_font_of_another_size_or_kind_is_refused(font: ModuleType) -> None:
    for psf in (b"PNG", version_1()[:3] + b"\x08" + version_1()[4:], version_2()[:24] + b"\x08" + version_2()[25:]):
        with pytest.raises(ValueError):
            font.made(psf)

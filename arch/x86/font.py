#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the screen's font at build time from a console font (PSF, version 1 or 2, 8 by 16 pixels): the
glyphs of printable ASCII, a byte a line, the leftmost pixel in the highest bit. The default is GNU
Unifont's, from Debian's psf-unifont. Assumes that the font has a table of Unicode values."""

from __future__ import annotations

import argparse
import gzip
import struct
from pathlib import Path

UNIFONT = Path("/usr/share/consolefonts/Unifont-APL8x16.psf.gz")
WIDTH, HEIGHT = 8, 16
FIRST, LAST = 0x20, 0x7E


def glyphs_of(font: bytes) -> dict[str, bytes]:
    """The glyph of each single character that a font's Unicode table lists. ValueError: not such a font."""
    if font[:2] == b"\x36\x04":
        start, size, width, count = 4, font[3], 8, 512 if font[2] & 1 else 256
        words = [bytes(part) for part in _entries(font[start + count * size:], 2, b"\xff\xff")]
        # A sequence of several characters begins with 0xfffe; what stands before it are single ones.
        texts = [word.decode("utf-16-le").split("\ufffe")[0] for word in words]
    elif font[:4] == b"\x72\xb5\x4a\x86":
        start, _, count, size, height, width = struct.unpack_from("<6I", font, 8)
        size = size if height == HEIGHT else 0
        texts = [word.split(b"\xfe")[0].decode() for word in font[start + count * size:].split(b"\xff")]
    else:
        raise ValueError("not a PSF font")
    if (width, size) != (WIDTH, HEIGHT):
        raise ValueError(f"not a font of {WIDTH} by {HEIGHT} pixels")
    return {character: font[start + number * size:start + (number + 1) * size]
            for number, text in enumerate(texts[:count]) for character in text}


def _entries(table: bytes, width: int, end: bytes) -> list[bytearray]:
    """A table's entries, each ended by `end`, all in units of `width` bytes."""
    entries = [bytearray()]
    for at in range(0, len(table), width):
        unit = table[at:at + width]
        if unit == end:
            entries.append(bytearray())
        else:
            entries[-1] += unit
    return entries


def made(font: bytes) -> bytes:
    """The glyphs from FIRST to LAST, one behind the other. KeyError: one is missing."""
    glyphs = glyphs_of(font)
    return b"".join(glyphs[chr(code)] for code in range(FIRST, LAST + 1))


def main() -> None:
    """Writes the file that arch/x86/font.asm includes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--font", type=Path, default=UNIFONT)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    args.output.write_bytes(made(gzip.decompress(args.font.read_bytes())))


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the screen's font at build time: the printable ASCII characters of DejaVu Sans Mono, 8 by 16
pixels, a byte a line, the leftmost pixel in the highest bit. Assumes matplotlib, which has the font
and the means to draw it without smoothing."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import ft2font

WIDTH, HEIGHT, BASELINE = 8, 16, 12
FIRST, LAST = 0x20, 0x7e


def glyph(font: ft2font.FT2Font, code: int) -> bytes:
    shape = font.load_char(code, flags=ft2font.LOAD_TARGET_MONO)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer ones would rather have an array, older ones cannot
        image = ft2font.FT2Image(WIDTH, HEIGHT)
        top = max(BASELINE - round(shape.horiBearingY / 64), 0)
        font.draw_glyph_to_bitmap(image, 0, top, shape, antialiased=False)
        pixels = np.asarray(image)
    return np.packbits(pixels > 0, axis=1).tobytes()


def made() -> bytes:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"
    font = ft2font.FT2Font(str(path))
    font.set_size(10, 96)
    return b"".join(glyph(font, code) for code in range(FIRST, LAST + 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.parse_args().output.write_bytes(made())

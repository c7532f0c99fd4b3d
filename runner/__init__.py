# SPDX-License-Identifier: GPL-2.0-or-later
"""tickbench's host side in Python: boots the guest, reads what it reports, shows and compares it.
Assumes Debian's /usr/bin/python3 (3.11 or later) with numpy, matplotlib and rich."""

from pathlib import Path

# Where make builds, unless it is told otherwise. The file `tickbench` has resolved links to it.
BUILD = Path(__file__).parent.parent / "build"

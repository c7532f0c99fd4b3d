# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest: how it is booted, watched and ended. Assumes QEMU and the firmware that Debian packages."""

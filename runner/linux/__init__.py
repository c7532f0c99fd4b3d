# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Linux as a guest, beside the bare one: Debian's packaged kernel on the same kind of page."""

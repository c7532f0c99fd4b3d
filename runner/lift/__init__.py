# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel's own core: where its tree comes from, how it is compiled, and what it has."""

# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that tie several rooms together: run, sim and show."""

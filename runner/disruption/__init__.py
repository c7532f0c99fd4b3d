# SPDX-License-Identifier: GPL-2.0-or-later
"""Real disruption of a running guest: live migration, snapshots, stops, resets, a dead publisher."""

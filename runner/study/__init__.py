# SPDX-License-Identifier: GPL-2.0-or-later
"""What takes several runs: comparisons at length, the ladder, the benchmarks."""

# SPDX-License-Identifier: GPL-2.0-or-later
"""What a vehicle said: KTAP, the report document, its table and its picture."""

# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/reliability.md names tests that exist."""

from __future__ import annotations

import ast
import re

from conftest import ROOT


def test_every_row_names_tests_that_exist() -> None:
    there = {node.name for path in (ROOT / "tests").glob("test_*.py")
             for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
    rows = [line for line in (ROOT / "docs" / "reliability.md").read_text().splitlines()
            if line.startswith("| ") and not line.startswith(("| what fails", "| ---"))]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row.rsplit(" | ", 1)[1])
        assert named, f"no test: {row}"
        assert set(named) <= there, f"{set(named) - there}: {row}"

# SPDX-License-Identifier: GPL-2.0-or-later
"""The words that name cores."""

from __future__ import annotations

import pytest

from runner.errors import CannotRun, Problem
from runner.lift import words


@pytest.mark.parametrize("word, switches", [
    ("native", None),
    ("native:none", frozenset()),
    ("native:all", words.ALL),
    ("native:mailed", (words.ALL - {"remainder"}) | {"remainder-v2"}),
    ("native:-clawback", words.ALL - {"clawback"}),
    ("native:-clawback,-tail", words.ALL - {"clawback", "tail"}),
    ("native:remainder,skew", {"remainder", "skew"}),
])
def test_native_has_the_switches_that_its_word_names(word: str, switches: frozenset[str] | None) -> None:
    core = words.parse(word)
    assert core.native and core.switches == switches


@pytest.mark.parametrize("word", ["7.3", "/src/linux", "/src/linux@v7.3", "./native", "nativ"])
def test_any_other_word_is_a_tree(word: str) -> None:
    assert words.parse(word) == words.Core(word, False)


@pytest.mark.parametrize("word, says", [
    ("native:clawbck", "has no switch \"clawbck\""),
    ("native:-", "has no switch \"\""),
    ("native:", "has no switch \"\""),
    ("native:remainder,-skew", "both switches to have and switches to leave out"),
    ("native:remainder,remainder-v2", "both forms"),
    ("", "names no core"),
])
def test_a_word_that_names_no_core_is_refused(word: str, says: str) -> None:
    with pytest.raises(CannotRun, match=says) as ended:
        words.parse(word)
    assert ended.value.problem is Problem.CORE_WORD


def test_the_switches_are_those_of_the_program() -> None:
    from conftest import ROOT

    text = (ROOT / "tk/words.c").read_text()
    assert all(f"\"{name}\"" in text for name in words.SWITCHES)

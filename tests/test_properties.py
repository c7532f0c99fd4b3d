# SPDX-License-Identifier: GPL-2.0-or-later
"""The properties of the code that every vehicle shares, under the sanitizers: the page and the mailbox, the
statistics, what follows a line and converts a counter. `tickbench mutants --own` counts what they detect."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import core_properties
import properties
import stats_properties
import vmclock_properties
from conftest import make

Check = Callable[[Any], None]


@pytest.fixture(scope="module")
def tools() -> Path:
    make("stage-check")
    return make("own-tools")


def hold(module: Any, program: Path, check: Check) -> None:
    try:
        check(module.Tool(str(program), random.Random(module.PROPERTIES.index(check) + 1)))
    except properties.Wrong as wrong:
        pytest.fail(str(wrong), pytrace=False)


@pytest.mark.parametrize("check", vmclock_properties.PROPERTIES)
def test_the_page_and_the_mailbox(tools: Path, check: Check) -> None:
    hold(vmclock_properties, tools / "vmclock-tool", check)


@pytest.mark.parametrize("check", stats_properties.PROPERTIES)
def test_the_statistics(tools: Path, check: Check) -> None:
    hold(stats_properties, tools / "lib-tool", check)


@pytest.mark.parametrize("check", core_properties.PROPERTIES)
def test_the_arithmetic_beside_the_cores(tools: Path, check: Check) -> None:
    hold(core_properties, tools / "lib-tool", check)


def test_a_property_that_does_not_hold_is_told_by_its_sentence() -> None:
    with pytest.raises(properties.Wrong, match="the mean is 1, not 2"):
        properties.equal(1, 2, "the mean")

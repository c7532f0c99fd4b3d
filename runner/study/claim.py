# SPDX-License-Identifier: GPL-2.0-or-later
"""A claim over a metric of a scenario, as a user writes it: `lock.max_abs_ns < 10`, or `lock`, which claims that
all claims of the scenario itself hold."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runner.errors import CannotRun, Problem
from runner.report.reasons import figure
from runner.scenarios import Scenarios

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt}
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
FORM = re.compile(rf"\s*([a-z]\w*)(?:\.([a-z]\w*)\s*(<=|>=|==|!=|<|>)\s*({NUMBER}))?\s*$")


@dataclass(frozen=True)
class Measured:
    """Whether a claim holds in a run, and the figure that decides it."""

    holds: bool
    words: str


@dataclass(frozen=True)
class Claim:
    """metric None: all claims of the scenario hold."""

    text: str
    scenario: str
    metric: str | None = None
    operator: str = ""
    bound: float = 0.0

    def judge(self, run: dict[str, Any]) -> Measured:
        """Of a run as in report.json. A metric that the run does not have, as of a clock that never came within
        1 ns, does not satisfy a claim; CannotRun (BAD_CLAIM) if no run has a metric of that name."""
        if self.metric is None:
            broken = [claim["sentence"] for claim in run["claims"] if not claim["ok"] and claim.get("todo") is None]
            return Measured(not broken, f"{self.scenario}: {broken[0] if broken else 'all claims hold'}")
        value = run["metrics"].get(self.metric)
        if value is None:
            if f"{self.metric}: never" in run["notes"]:
                return Measured(False, f"{self.scenario}.{self.metric} never")
            raise CannotRun(Problem.BAD_CLAIM, f"{self.scenario} has no metric {self.metric} (it has "
                                               f"{', '.join(sorted(run['metrics']))})")
        return Measured(OPERATORS[self.operator](value, self.bound), f"{self.scenario}.{self.metric} {figure(value)}")


def parse(text: str, table: Scenarios) -> Claim:
    """CannotRun (BAD_CLAIM) if it is no claim, or names no scenario."""
    found = FORM.match(text)
    if not found:
        raise CannotRun(Problem.BAD_CLAIM, f"\"{text}\" is not SCENARIO.METRIC < NUMBER (or <=, >, >=, ==, !=), nor"
                                           " SCENARIO")
    scenario, metric, sign, bound = found.groups()
    if scenario not in table.by_name:
        raise CannotRun(Problem.BAD_CLAIM, f"there is no scenario {scenario} (there are {', '.join(table.by_name)})")
    return Claim(" ".join(text.split()), scenario, metric, sign or "", float(bound or 0))

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the runner derives from the experiments: their order, the machine that they need, the time that they
take. And the table of scenarios that the programs print."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from runner import plan, scenarios
from runner.errors import CannotRun


class TestPlan:
    def test_nothing_asked_for_is_the_default(self) -> None:
        assert plan.parse([]) == plan.DEFAULT

    def test_plus_joins_experiments(self) -> None:
        assert plan.parse(["hz=100", "+", "hz=250"]) == (("hz=100",), ("hz=250",))

    def test_trees_leave_the_guests_words(self) -> None:
        made = plan.lifted(plan.Plan((("core=linux:7.2,7.3", "hz=250"),)))
        assert made.linux == ("7.2", "7.3")
        assert made.groups == (("hz=250", "core=linux"),)
        assert plan.hz(made) == 250

    def test_the_default_run_is_expected_to_end_within_a_minute(self, built: Path) -> None:
        assert scenarios.read(built).seconds(plan.DEFAULT) < 60

    def test_the_table_of_scenarios_is_the_programs(self, built: Path) -> None:
        helped = subprocess.run([str(built / "tickbench-sim"), "--help"], capture_output=True,
                                text=True, check=True).stdout
        lines = [line.strip() for line in helped.split("Scenarios:\n")[1].split("\n\n")[0].splitlines()]
        table = scenarios.read(built).by_name
        assert [line.split()[0] for line in lines] == list(table)
        assert {line.split()[0] for line in lines if "only when asked for" in line} == {
            name for name, scenario in table.items() if not scenario.by_default}
        assert all(scenario.claim in helped for scenario in table.values())

    def test_needs_become_the_machine(self) -> None:
        table = scenarios.parse(json.dumps([
            {"name": name, "claim": "", "default": default, "duration_ms": {"virtual": 1000, "tsc": 2000},
             "needs": {"page": False, "virtual_clock": False, "notification": False, "memory_mib": mib, "cpus": cpus,
                       "cpu_flags": flags}}
            for name, default, mib, cpus, flags in [("a", True, 512, 1, ""), ("b", False, 1024, 2, "x2apic,rdpid")]]))
        assert table.memory_mib([["scenario=a"]]) == 512 and table.cpus([["clock=tsc"]]) == 1
        both = [["scenario=a"], ["scenario=b,a", "clock=tsc", "duration=7"]]
        assert (table.memory_mib(both), table.cpus(both), table.cpu_flags(both)) == (1024, 2, ["rdpid", "x2apic"])
        # A second of 1000 virtual ticks, its start, and 7 s of the real clock for each of two.
        assert table.seconds(both) == 1.0 + 1000 / scenarios.TICKS_PER_SECOND + 14

    def test_a_damaged_table_is_named(self, tmp_path: Path) -> None:
        (tmp_path / scenarios.LIST).write_text("[{}]")
        with pytest.raises(CannotRun, match="scenarios.json is damaged"):
            scenarios.read(tmp_path)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that run a plan: the native core's from the build folder, or lifted kernels'."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from runner import plan


def images(wanted: plan.Plan, build: Path, vehicle: str, periodic: bool, console: Console,
           smp: bool = False, pps: bool = False) -> list[plan.Image]:
    """The programs of each core that is asked for; kernels are lifted first. vehicle: guest or sim."""
    if not wanted.linux:
        return [plan.Image("native", build / "tickbench.elf", build / "tickbench.efi",
                           build / "tickbench-sim")]
    hz = plan.hz(wanted)
    from runner.lift import lift  # the native core needs none of it

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    return lift.images(wanted.linux, hz, vehicle, build, say, not periodic, smp, pps)

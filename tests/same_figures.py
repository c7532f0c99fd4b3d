#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records every figure that is the same in each run, and compares two records to the last digit. For a
change of structure that must change nothing that is measured:

    tests/same_figures.py record BUILD RECORD.json [--kernels 7.2,7.3]
    tests/same_figures.py compare BEFORE.json AFTER.json

A record holds metrics and claims of the host process over switches, counters, HZ, late and skipped ticks,
of the guest under --icount, of the ladder, and of the comparison with each kernel. A claim counts by its
place and its result, so that a sentence may be reworded. Exit status 0: the same; 1: not, with the
figures that differ; 2: could not run."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Series' switches alone and together, with what makes each one's error visible.
EXPERIMENTS: list[dict[str, str]] = [
    {"switches": switches, "scenario": "all", "duration": "20", **more}
    for switches in ("all", "none", "clawback", "remainder,clawback,tail,skew",
                     "remainder,tail,divzero,reference,feed,skew", "reference,feed")
    for more in (dict[str, str](), {"late_ns": "400000"}, {"tickless": "1"}, {"hz": "100"},
                 {"counter_hz": "3579545"}, {"counter_hz": "1000000000", "rate_ppm": "-3.25"})
] + [{"scenario": each} for each in ("lock", "slew", "step", "freq", "nohz", "compare", "recalibrate")]
ICOUNT = ("scenario=lock clock=tsc hz=100 duration=0.5", "scenario=all clock=virtual duration=3")
# What real time decides, also on the virtual clock.
UNSTEADY = {"ticks_per_s", "ns_per_tick", "ns_per_read", "reads", "accepted", "torn", "lines", "lines_seen"}


def figures(ktap: str) -> dict[str, str]:
    """Metrics and claims of a report: `SCENARIO.NAME` to the number as text, `SCENARIO.claim N` to its result."""
    found: dict[str, str] = {}
    where, claim = "", 0
    seen: dict[str, int] = {}
    for line in ktap.splitlines():
        if subtest := re.match(r"\s+# Subtest: (\S+)", line):
            name = subtest[1]
            seen[name] = seen.get(name, 0) + 1
            where, claim = f"{name} {seen[name]}", 0
        elif metric := re.match(r"\s+# metric (\S+) (\S+)", line):
            if metric[1] not in UNSTEADY:
                found[f"{where}.{metric[1]}"] = metric[2]
        elif result := re.match(r"\s+(ok|not ok) \d+", line):
            claim += 1
            found[f"{where}.claim {claim}"] = result[1] + (" skipped" if "# SKIP" in line else "")
    return found


def simulated(program: Path, experiment: dict[str, str], core: str) -> dict[str, str]:
    """One experiment in a host process."""
    spelled = [f"{name}={value}" for name, value in {"core": core, **experiment}.items()]
    ended = subprocess.run([str(program), *spelled], capture_output=True, text=True)
    if ended.returncode not in (0, 1, 4):
        return {"cannot": ended.stderr.strip()}
    return figures(ended.stdout)


def record(build: Path, kernels: str) -> dict[str, dict[str, str]]:
    """All figures of a build, by experiment."""
    all_of_it: dict[str, dict[str, str]] = {}
    for experiment in EXPERIMENTS:
        name = " ".join(f"{key}={value}" for key, value in experiment.items())
        all_of_it[f"host process: {name}"] = simulated(build / "tickbench-sim", experiment, "native")
    with tempfile.TemporaryDirectory() as folder:
        for words in ICOUNT:
            output = Path(folder) / "run"
            subprocess.run([str(ROOT / "run-qemu.sh"), "--build", str(build), "--icount", "--output",
                            str(output), *words.split()], capture_output=True, check=False)
            found = figures((output / "serial.log").read_text(errors="replace"))
            if "clock=tsc" in words:  # its figures depend on how many instructions the guest executes
                found = {name: value for name, value in found.items() if ".claim" in name}
            all_of_it[f"guest: {words}"] = found
        table = Path(folder) / "ladder.md"
        table.write_text("<!-- tables -->\n<!-- end of tables -->\n")
        subprocess.run([str(ROOT / "tickbench"), "ladder", "--build", str(build), "--linux", kernels,
                        "--seconds", "50", "--markdown", str(table)], capture_output=True, check=False)
        all_of_it["ladder"] = {str(n): line for n, line in enumerate(table.read_text().splitlines())}
    for program in sorted(build.glob("lift/*/*/tickbench-sim")):
        lifted = f"{program.parent.parent.name}/{program.parent.name}"
        for experiment in ({"scenario": "all", "duration": "20"},
                           {"scenario": "lock", "duration": "20", "late_ns": "50000"}):
            name = " ".join(f"{key}={value}" for key, value in experiment.items())
            hz = {"hz": program.parent.name.split("-")[1]} if "-" in program.parent.name else {}
            all_of_it[f"{lifted}: {name}"] = simulated(program, {**experiment, **hz}, "linux")
        diff = program.with_name("tickbench-diff")
        if diff.exists():
            ended = subprocess.run([str(diff), "--random", "7", "1000000"], capture_output=True,
                                   text=True)
            all_of_it[f"{lifted}: comparison"] = {
                "status": str(ended.returncode),
                "last": re.sub(r"\([^)]*/s\)", "", (ended.stdout.splitlines() or [""])[-1])}
    return all_of_it


def differing(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> list[str]:
    """A line for each figure that is not the same in both."""
    lines = []
    for experiment in sorted({*before, *after}):
        old, new = before.get(experiment), after.get(experiment)
        if old is None or new is None:
            lines.append(f"{experiment}: only {'after' if old is None else 'before'}")
            continue
        lines += [f"{experiment}: {name}: {old.get(name, 'none')} before, {new.get(name, 'none')} after"
                  for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("build", type=Path)
    recording.add_argument("record", type=Path)
    recording.add_argument("--kernels", default="")
    comparing = commands.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    given = parser.parse_args()
    if given.command == "record":
        found = record(given.build.resolve(), given.kernels)
        given.record.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        print(f"{sum(map(len, found.values()))} figures of {len(found)} experiments in {given.record}")
        return 0
    before, after = (json.loads(path.read_text()) for path in (given.before, given.after))
    lines = differing(before, after)
    print("\n".join(lines) if lines else f"{sum(map(len, before.values()))} figures: all the same")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())

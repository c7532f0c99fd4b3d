# SPDX-License-Identifier: GPL-2.0-or-later
"""A report document as KTAP that KUnit's parser reads (a kernel tree's tools/testing/kunit/kunit.py parse).
That parser wants each plan before the results, and knows no TODO. Assumes the runs of report.json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

INDENT = "    "


def suite_name(run: dict[str, Any]) -> str:
    """A run's name: the core and the scenario."""
    kernel = run["kernel"]
    core = f"linux-{kernel['release']}" if kernel else run["core"]
    return f"{core} HZ={run['hz']} {run['scenario']}"


def _claim(number: int, claim: dict[str, Any]) -> str:
    """One result. A claim that is known not to hold is skipped, with the reason."""
    word = "ok" if claim["ok"] or claim["skipped"] or claim["todo"] else "not ok"
    reason = claim["skipped"] or (claim["todo"] and f"known not to hold: {claim['todo']}")
    return f"{word} {number} {claim['sentence']}" + (f" # SKIP {reason}" if reason else "")


def _suite(run: dict[str, Any]) -> Iterable[str]:
    yield "KTAP version 1"
    yield f"# Subtest: {suite_name(run)}"
    yield f"1..{len(run['claims'])}"
    for note in run["notes"]:
        yield f"# {note}"
    for number, claim in enumerate(run["claims"], 1):
        yield _claim(number, claim)


def lines(runs: list[dict[str, Any]]) -> Iterable[str]:
    """The lines of the whole report: one suite a run, one test a claim."""
    yield "KTAP version 1"
    yield f"1..{len(runs)}"
    for number, run in enumerate(runs, 1):
        for line in _suite(run):
            yield INDENT + line
        skip = f" # SKIP {run['skipped']}" if run["skipped"] else ""
        yield f"{'not ok' if run['ok'] is False else 'ok'} {number} {suite_name(run)}{skip}"

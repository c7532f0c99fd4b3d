# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command line asks for, as data: the experiments, and the cores that they run on. Assumes the
guest's syntax: groups of name=value words, one group for each experiment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.errors import CannotRun, Problem

# What `tickbench run` measures by default.
DEFAULT: tuple[tuple[str, ...], ...] = (
    ("clock=tsc", "scenario=lock", "duration=10"),
    ("clock=tsc", "scenario=compare", "duration=3"),
    ("clock=virtual", "scenario=all"),
)
VALUE_MAX = 127  # bytes of a value (scenario/params.c)
LINE_MAX = 2047  # bytes of the guest's command line (boot/boot.h)
# What `tickbench sim` measures by default.
SIM_DEFAULT: tuple[tuple[str, ...], ...] = (("scenario=all",),)
AND = "+"  # between groups; a lone -- begins QEMU's own arguments
WORD = re.compile(r"[a-z][a-z0-9_]*=\S*")


@dataclass(frozen=True)
class Image:
    """What is booted, or run: a core's programs."""

    label: str
    elf: Path
    efi: Path
    sim: Path


@dataclass(frozen=True)
class Plan:
    """The experiments, a group of name=value words each, and the trees to lift."""

    groups: tuple[tuple[str, ...], ...]
    linux: tuple[str, ...] = ()  # trees to lift; none: native


def parse(words: Sequence[str], default: tuple[tuple[str, ...], ...] = DEFAULT) -> tuple[tuple[str, ...], ...]:
    """Groups of the words; none given: the default."""
    for word in words:
        if word != AND and not WORD.fullmatch(word):
            raise CannotRun(Problem.USAGE, f"\"{word}\" is not name=value")
        name, _, value = word.partition("=")
        if len(value.encode()) > VALUE_MAX and name != "core":
            raise CannotRun(Problem.USAGE, f"the value of {name} is longer than {VALUE_MAX} characters")
    groups: list[tuple[str, ...]] = [()]
    for word in words:
        if word == AND:
            groups.append(())
        else:
            groups[-1] += (word,)
    kept = tuple(group for group in groups if group)
    return kept or default


def words(groups: Sequence[Sequence[str]]) -> list[str]:
    """The groups as words again, with + between them."""
    return [word for n, group in enumerate(groups) for word in ((AND,) if n else ()) + tuple(group)]


def with_values(groups: Sequence[Sequence[str]], values: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Each group with `values` added; they replace the group's own words of the same names."""
    names = {value.split("=", 1)[0] for value in values}
    return tuple(
        (*(word for word in group if word.split("=", 1)[0] not in names), *values)
        for group in groups
    )


def lifted(plan: Plan) -> Plan:
    """core=linux:TREE words and --core linux:TREE mean the same: the trees leave the groups."""
    trees: list[str] = list(plan.linux)
    groups = []
    for group in plan.groups:
        words = []
        for word in group:
            if word.startswith("core=linux:"):
                trees += [tree for tree in word[len("core=linux:"):].split(",") if tree]
                words.append("core=linux")
            else:
                words.append(word)
        groups.append(tuple(words))
    unique = tuple(dict.fromkeys(trees))
    if unique:
        groups = list(with_values(groups, ["core=linux"]))
    return replace(plan, groups=tuple(groups), linux=unique)


def with_core(plan: Plan, core: str | None) -> Plan:
    """The plan with the core of --core in every group, and the trees of core=linux:TREE taken out of the
    groups; CannotRun for a word that names no core."""
    if core:
        plan = replace(plan, groups=with_values(plan.groups, [f"core={core}"]))
    return lifted(plan)


def hz(plan: Plan) -> int:
    """The one HZ of a plan: a lifted core is built for it."""
    found = {word[3:] for group in plan.groups for word in group if word.startswith("hz=")}
    if len(found) > 1:
        raise CannotRun(Problem.USAGE, "a lifted core runs at one HZ, and this asks for "
                        + ", ".join(sorted(found)))
    text = found.pop() if found else "1000"
    if not text.isdigit():
        raise CannotRun(Problem.USAGE, f"hz={text} is not a number")
    return int(text)

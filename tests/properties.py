# SPDX-License-Identifier: GPL-2.0-or-later
"""What the programs of properties share (core_properties.py, stats_properties.py, vmclock_properties.py): each compares
a tool, a program that answers lines with lines, with a model."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar


class Wrong(Exception):
    """A property does not hold; the sentence."""


def require(holds: bool, sentence: str, *shown: object) -> None:
    if not holds:
        raise Wrong(f"{sentence}: {', '.join(map(str, shown))}"[:600] if shown else sentence)


def equal(got: object, wanted: object, what: str, of: object = "") -> None:
    require(got == wanted, f"{what} is {got}, not {wanted}", *([] if of == "" else [of]))


@dataclass(frozen=True)
class Program:
    """Answers each command, which may have several lines, with a line."""

    program: str
    random: random.Random

    def answers(self, commands: Iterable[str]) -> list[list[str]]:
        """Their words. Wrong if it dies."""
        text = "\n".join(commands) + "\n"
        done = subprocess.run([self.program], input=text, capture_output=True, text=True)
        require(done.returncode == 0, f"the program ends with status {done.returncode}", done.stderr[:300])
        return [line.split() for line in done.stdout.splitlines()]


Tool = TypeVar("Tool", bound=Program)


def judge(tool: type[Tool], properties: Sequence[Callable[[Tool], None]],
          of_file: Mapping[str, Sequence[Callable[[Tool], None]]]) -> int:
    """As the command `PROGRAM [FILE]`: tries those properties first that look at the file. 0: all hold; 1: one does
    not, and is printed."""
    program, *file = sys.argv[1:]
    first = of_file.get(Path(file[0]).name, ()) if file else ()
    for number, holds in sorted(enumerate(properties, 1), key=lambda each: each[1] not in first):
        try:
            holds(tool(program, random.Random(number)))
        except Wrong as error:
            print(f"not ok {number} - {getattr(holds, '__name__', holds)}\n# {error}")
            return 1
    return 0

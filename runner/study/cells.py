# SPDX-License-Identifier: GPL-2.0-or-later
"""What a matrix measures, as data: blocks of axes, of which every combination is a cell, read from TOML
(docs/matrix.md has the format). What a parameter's range is, tickbench-sim alone knows: this module checks
names and types, and says in which line what is wrong."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import CannotRun, Problem

# The axes, in the order in which a cell's words stand. A parameter of tickbench-sim has its name there.
AXES = ("scenario", "hz", "counter", "registered", "tickless", "rate_ppm", "late_ns", "offset_ns", "step_ns",
        "readings", "duration", "seed")
BLOCK_KEYS = ("name", "cores", "claims", *AXES)
CLAIM = re.compile(r"\s*([a-z]\w*)\s*(<=|>=|==|!=|<|>)\s*(-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*")
CELLS_MAX = 100_000

DEFAULT = '''\
# What a maintainer wants to know before merging. Every combination of a block's lists is a cell.
cores = ["native", "7.2", "7.3"]

[counter]
tsc = { hz = 2596146000, bits = 64 }
1ghz = { hz = 1000000000, bits = 64 }
pm = { hz = 3579545, bits = 24 }
1mhz = { hz = 1000000, bits = 32 }
32khz = { hz = 32768, bits = 32 }

[[block]]
name = "on time"
scenario = "lock"
hz = [100, 250, 1000]
counter = ["tsc", "1ghz", "pm", "1mhz", "32khz"]
rate_ppm = [12.345678, -200]
duration = 200

[[block]]
name = "tickless"
scenario = "nohz"
hz = [250, 1000]
counter = ["tsc", "1ghz", "pm", "1mhz", "32khz"]
duration = 200

[[block]]
name = "late"
scenario = "late"
hz = [250, 1000]
counter = ["tsc", "1ghz", "pm", "1mhz", "32khz"]
late_ns = [100000, 900000]
duration = 200

[[block]]
name = "operations"
scenario = ["compare", "slew", "step", "freq", "recalibrate"]
hz = [100, 1000]
counter = ["tsc", "pm"]

# The experiment of linux-tktest: 100 to 100.099 ppm in steps of 0.001, ticks on time or with NO_HZ.
[[block]]
name = "tktest"
scenario = "regress"
counter = "1ghz"
tickless = [false, true]
readings = [10, 100, 1000, 10000, 100000]

[[block]]
name = "tktest, coarse"
scenario = "regress"
counter = ["tsc", "pm", "1mhz", "32khz"]
tickless = [false, true]
readings = 1000
'''


@dataclass(frozen=True)
class Claim:
    """A claim of the user's on a metric of each cell of a block; lacks: it is known to fail for a core without
    one of these switches."""

    metric: str
    relation: str
    limit: float
    rests_on: tuple[str, ...] = ()

    def words(self) -> str:
        return f"{self.metric} {self.relation} {self.limit:g}"

    def holds(self, value: float) -> bool:
        return {"<": value < self.limit, "<=": value <= self.limit, ">": value > self.limit,
                ">=": value >= self.limit, "==": value == self.limit, "!=": value != self.limit}[self.relation]


def parse_claim(text: str, rests_on: Sequence[str] = ()) -> Claim:
    """`max_abs_ns < 10`; ValueError if it is no claim."""
    found = CLAIM.fullmatch(text)
    if not found:
        raise ValueError(f"\"{text}\" is no claim; one is METRIC < NUMBER, or with <=, >, >=, ==, !=")
    return Claim(found[1], found[2], float(found[3]), tuple(rests_on))


@dataclass(frozen=True)
class Cell:
    """One experiment on one core. words: of tickbench-sim, without the core; axes: the same as the matrix has
    them, by name."""

    block: str
    core: str
    axes: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    line: int = 0  # of its block

    @property
    def hz(self) -> int:
        return int(dict(self.axes).get("hz", "1000"))

    @property
    def name(self) -> str:
        """Of the experiment, the same for every core."""
        return " ".join(self.words)


@dataclass(frozen=True)
class Matrix:
    """All cells, in the file's order; the cores in theirs."""

    cores: tuple[str, ...]
    cells: tuple[Cell, ...]
    source: str


class _Lines:
    """Where in the text a key stands. tomllib does not say: a table's header and the keys below it are looked for."""

    HEADER = re.compile(r"^\s*\[\[?\s*([\w.-]+)")
    KEY = re.compile(r"^\s*([\w-]+|\"[^\"]*\")\s*(\.|=)")

    def __init__(self, text: str) -> None:
        self.found: dict[tuple[str, int, str], int] = {}
        table, count = "", {"": 0}
        for number, line in enumerate(text.splitlines(), 1):
            if header := self.HEADER.match(line):
                table = header[1]
                count[table] = count.get(table, -1) + 1
                self.found.setdefault((table, count[table], ""), number)
            elif key := self.KEY.match(line):
                self.found.setdefault((table, count[table], key[1].strip('"')), number)

    def of(self, table: str, number: int, key: str = "") -> int:
        """The line of a key in the number-th (from 0) table of a name; 0 if it is not found."""
        places = ((table, number, key), (table, number, ""), *([] if table else [(key, 0, "")]))
        return next((self.found[place] for place in places if place in self.found), 0)


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self.source, self.lines = source, _Lines(text)
        try:
            self.document: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise CannotRun(Problem.MATRIX, f"{source} is not TOML: {error}") from error

    def fault(self, sentence: str, table: str = "", number: int = 0, key: str = "") -> CannotRun:
        line = self.lines.of(table, number, key)
        where = ", ".join([*([f"line {line}"] if line else []), *([f"key {key}"] if key else [])])
        return CannotRun(Problem.MATRIX, f"{self.source}{', ' if where else ''}{where}: {sentence}")

    def known(self, given: Mapping[str, Any], keys: Sequence[str], table: str = "", number: int = 0) -> None:
        for key in given:
            if key not in keys:
                raise self.fault(f"there is no such key; there are: {', '.join(keys)}", table, number, key)

    def cores(self, value: Any, table: str = "", number: int = 0) -> tuple[str, ...]:
        words = [value] if isinstance(value, str) else value
        if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
            raise self.fault("it must be a list of cores: \"native\", a tree or a release", table, number, "cores")
        return tuple(dict.fromkeys(words))

    def counters(self) -> dict[str, tuple[int, int]]:
        given = self.document.get("counter", {})
        if not isinstance(given, dict):
            raise self.fault("it must be a table of counters: [counter.NAME] with hz and bits", key="counter")
        found = {}
        for name, each in given.items():
            number = self.lines.of("counter", 0, name) or self.lines.of(f"counter.{name}", 0)
            where = f"line {number}, key counter.{name}" if number else f"key counter.{name}"
            if not isinstance(each, dict) or set(each) - {"hz", "bits"} or not isinstance(each.get("hz"), int):
                raise CannotRun(Problem.MATRIX, f"{self.source}, {where}: a counter has hz, in Hz, and bits")
            bits = each.get("bits", 64)
            if not isinstance(bits, int) or isinstance(bits, bool):
                raise CannotRun(Problem.MATRIX, f"{self.source}, {where}: bits must be a whole number")
            found[name] = (each["hz"], bits)
        return found

    def claims(self, value: Any, number: int) -> tuple[Claim, ...]:
        made = []
        for each in value if isinstance(value, list) else [value]:
            text, rests_on = each, []
            if isinstance(each, dict):
                text, rests_on = each.get("claim"), each.get("rests_on", [])
                if set(each) - {"claim", "rests_on"} or not isinstance(rests_on, list):
                    raise self.fault("a claim is a text, or { claim = TEXT, rests_on = [SWITCH, ...] }",
                                     "block", number, "claims")
            try:
                made.append(parse_claim(str(text), [str(switch) for switch in rests_on]))
            except ValueError as error:
                raise self.fault(str(error), "block", number, "claims") from error
        return tuple(made)

    def values(self, block: Mapping[str, Any], axis: str, number: int) -> list[str]:
        """An axis's values as words."""
        given = block[axis]
        listed = given if isinstance(given, list) else [given]
        if not listed:
            raise self.fault("the list is empty", "block", number, axis)
        words = []
        for value in listed:
            if isinstance(value, bool):
                words.append("1" if value else "0")
            elif isinstance(value, (int, float)):
                words.append(f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value))
            elif isinstance(value, str) and re.fullmatch(r"[\w.,+-]+", value):
                words.append(value)
            else:
                raise self.fault(f"{value!r} is neither a number, nor a word, nor true or false", "block", number, axis)
        return list(dict.fromkeys(words))

    def block(self, block: Any, number: int, cores: tuple[str, ...], counters: Mapping[str, tuple[int, int]],
              room: int) -> list[Cell]:
        if not isinstance(block, dict):
            raise self.fault("a block is a table: [[block]]", key="block")
        self.known(block, BLOCK_KEYS, "block", number)
        if "scenario" not in block:
            raise self.fault("the block has no scenario", "block", number)
        own = self.cores(block["cores"], "block", number) if "cores" in block else cores
        if not own:
            raise self.fault("there are no cores, neither for all blocks nor for this one", "block", number)
        axes = [axis for axis in AXES if axis in block]
        values = [self.values(block, axis, number) for axis in axes]
        name = str(block.get("name", f"block {number + 1}"))
        claims = self.claims(block["claims"], number) if "claims" in block else ()
        if len(own) * _product(values) > room:
            raise self.fault(f"this makes more than {CELLS_MAX} cells", "block", number)
        line = self.lines.of("block", number)
        made = []
        for combination in itertools.product(*values):
            words = []
            for axis, value in zip(axes, combination):
                if axis == "counter":
                    if value not in counters:
                        there = ", ".join(counters) or "none"
                        raise self.fault(f"there is no counter \"{value}\"; there are: {there}", "block", number, axis)
                    words += [f"counter_hz={counters[value][0]}", f"counter_bits={counters[value][1]}"]
                else:
                    words.append(f"{axis}={value}")
            pairs = tuple(zip(axes, combination))
            made += [Cell(name, core, pairs, tuple(words), claims, line) for core in own]
        return made

    def read(self, cores: tuple[str, ...]) -> Matrix:
        self.known(self.document, ("cores", "counter", "block"))
        cores = cores or (self.cores(self.document["cores"]) if "cores" in self.document else ())
        blocks = self.document.get("block", [])
        if not isinstance(blocks, list) or not blocks:
            raise self.fault("there is no [[block]], so there is nothing to measure")
        counters, made = self.counters(), list[Cell]()
        for number, block in enumerate(blocks):
            made += self.block(block, number, cores, counters, CELLS_MAX - len(made))
        unique = {(cell.block, cell.core, cell.words): cell for cell in made}
        return Matrix(tuple(dict.fromkeys(cell.core for cell in made)), tuple(unique.values()), self.source)


def _product(values: Sequence[Sequence[str]]) -> int:
    count = 1
    for each in values:
        count *= len(each)
    return count


def parse(text: str, source: str, cores: Sequence[str] = ()) -> Matrix:
    """The matrix that a text asks for; `cores` replace those for all blocks. CannotRun (MATRIX), which names
    the line and the key."""
    return _Reader(text, source).read(tuple(cores))


def read(path: Path | None, cores: Sequence[str] = ()) -> Matrix:
    """The matrix of a file; None: the default one."""
    if path is None:
        return parse(DEFAULT, "the default matrix", cores)
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRun(Problem.MATRIX, f"cannot read {path} ({error})") from error
    return parse(text, str(path), cores)

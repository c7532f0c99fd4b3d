# SPDX-License-Identifier: GPL-2.0-or-later
"""Every claim that the sources can make, read from them: the sentences that are handed to ktap_report()
in each function, and which of those functions each scenario reaches by calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT

# A definition in kernel style: its head at the first column, the braces alone at the first column.
FUNCTION = re.compile(r"^[a-z][^;{}#]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
SCENARIO = re.compile(r"^const struct scenario \w+ = \{(.*?)^\};", re.MULTILINE | re.DOTALL)
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
NAMED = re.compile(r'^#define (\w+)\s+("(?:[^"\\]|\\.)*")$', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


@dataclass(frozen=True)
class Function:
    """A C function: where it stands, its name, its body without comments."""

    file: Path
    name: str
    body: str


def calls(body: str, name: str) -> Iterator[str]:
    """The arguments of each call of `name`, as text."""
    for found in re.finditer(rf"\b{name}\(", body):
        depth, at, quoted = 1, found.end(), False
        while depth:
            char = body[at]
            if char == '"' and body[at - 1] != "\\":
                quoted = not quoted
            if not quoted:
                depth += (char == "(") - (char == ")")
            at += 1
        yield body[found.end():at - 1]


def sentences(arguments: str) -> set[str]:
    """The strings among arguments, each with the pieces that stand side by side joined."""
    joined = re.sub(r'"\s*"', "", arguments)
    return {found.group(1).replace(r"\"", '"') for found in STRING.finditer(joined)}


def plain(file: Path) -> str:
    """A file without its comments, and with each string that has a name in the name's places."""
    text = COMMENT.sub("", file.read_text())
    for name, string in NAMED.findall(text):
        text = re.sub(rf"\b{name}\b", string.replace("\\", r"\\"), text)
    return text


def functions(files: list[Path]) -> list[Function]:
    """All functions that are defined in these files."""
    return [Function(file, found.group(1), found.group(2)) for file in files
            for found in FUNCTION.finditer(plain(file))]


@dataclass(frozen=True)
class Sources:
    """The functions of some files, and the claims that each reaches."""

    functions: list[Function]

    def reporters(self) -> set[str]:
        """ktap_report(), and functions that hand it a sentence of their caller's."""
        names = {"ktap_report"}
        while True:
            more = {function.name for function in self.functions for name in names
                    for arguments in calls(function.body, name) if not sentences(arguments)}
            if more <= names:
                return names
            names |= more

    def own(self, function: Function, reporters: set[str]) -> set[str]:
        """The sentences that stand in a function itself."""
        return set().union(*(sentences(arguments) for name in reporters for arguments in calls(function.body, name)))

    def reached(self, start: Function) -> set[str]:
        """The sentences that a call of `start` may report."""
        reporters, seen, wait = self.reporters(), set(), [start]
        found: set[str] = set()
        while wait:
            function = wait.pop()
            if function in seen:
                continue
            seen.add(function)
            found |= self.own(function, reporters)
            for name in set(re.findall(r"\b(\w+)\(", function.body)):
                # A static one of the same file goes before another file's of that name.
                named = [other for other in self.functions if other.name == name]
                wait += [other for other in named if other.file == function.file] or named
        return found


def claims_of_scenarios() -> set[tuple[str, str]]:
    """(scenario, claim) for each claim of each scenario."""
    files = sorted(path for folder in ("scenario", "measure", "clock") for path in (ROOT / folder).glob("*.c"))
    sources = Sources(functions(files))
    claims: set[tuple[str, str]] = set()
    for file in files:
        for found in SCENARIO.finditer(file.read_text()):
            name, run = (re.search(rf"\.{field} = \"?(\w+)", found.group(1)) for field in ("name", "run"))
            assert name and run, f"{file.name}: a scenario without name or run"
            (start,) = [each for each in sources.functions if each.file == file and each.name == run.group(1)]
            claims |= {(name.group(1), claim) for claim in sources.reached(start)}
    return claims


def claims_of_any_run() -> set[str]:
    """What the function that runs a scenario claims around it, of a run that does not end, of a lifted core."""
    sources = Sources(functions(sorted(path for folder in ("scenario", "measure")
                                       for path in (ROOT / folder).glob("*.c"))))
    (start,) = [each for each in sources.functions if each.name == "run_one"]
    return sources.reached(start)


def claims_of_audit() -> set[str]:
    """What vmclock-host --check claims of a page."""
    sources = Sources(functions(sorted((ROOT / "vmclock" / "host").glob("*.c"))))
    return set().union(*(sources.own(function, sources.reporters()) for function in sources.functions))


def faults_of_the_test_build() -> set[str]:
    """The names that fault= takes."""
    text = (ROOT / "tests" / "fault" / "machine.c").read_text()
    found = re.search(r"fault_names\[\] = \{(.*?)\};", text, re.DOTALL)
    assert found
    return set(STRING.findall(found.group(1)))

# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/architecture.md against the sources: its table of rooms, its picture, and the functions and files
that its walks name. Assumes a git work tree or a plain copy of the sources."""

from __future__ import annotations

import re

from conftest import ROOT
from test_house import includes, tracked

DOCUMENT = (ROOT / "docs" / "architecture.md").read_text()
# Rooms inside another one.
INNER = ("tk/native", "tk/linux", "vmclock/host", "arch/x86")
# Test code and fuzz targets know every room.
APART = ("tests", "fuzz")


def room_of(name: str) -> str:
    """The room of a file, by its name relative to the root."""
    return next((inner for inner in INNER if name.startswith(inner + "/")), name.split("/")[0])


def rooms_included() -> dict[str, set[str]]:
    """For each room with C files, the rooms that its files include."""
    found: dict[str, set[str]] = {}
    for path in tracked():
        name = str(path.relative_to(ROOT))
        if path.suffix not in (".c", ".h") or room_of(name) in APART:
            continue
        known = found.setdefault(room_of(name), set())
        known |= {room_of(other) for mark, other in includes(path)
                  if mark == '"' and "/" in other and (ROOT / other).exists()}
    return {room: others - {room} for room, others in found.items()}


def test_the_table_says_which_rooms_each_room_includes() -> None:
    rows = re.findall(r"^\| `([a-z0-9/]+)/` \|[^|]*\|([^|]*)\|$", DOCUMENT, re.MULTILINE)
    assert {room: set(re.findall(r"`([a-z0-9/]+)`", others)) for room, others in rows} == rooms_included()


def test_the_picture_has_an_arrow_for_each_inclusion_and_no_other() -> None:
    names = dict(re.findall(r'^  (\w+)\["([a-z0-9/]+)"\]$', DOCUMENT, re.MULTILINE))
    arrows = {(names.get(one, one), names.get(other, other))
              for one, other in re.findall(r"^  (\w+) --> (\w+)$", DOCUMENT, re.MULTILINE)}
    assert arrows == {(room, other) for room, others in rooms_included().items() for other in others}


def test_rooms_include_each_other_in_no_circle() -> None:
    rooms = rooms_included()
    while rooms:
        ground = {room for room, others in rooms.items() if not others & set(rooms)}
        assert ground, f"a circle among {sorted(rooms)}"
        rooms = {room: others for room, others in rooms.items() if room not in ground}


def test_every_function_and_file_that_is_named_exists() -> None:
    sources = {path: path.read_text(errors="replace") for path in tracked()
               if path.suffix in (".c", ".h", ".py", ".asm") and "tests" not in path.parts}
    for name in set(re.findall(r"`(?:\w+\.)?(\w+)\(\)`", DOCUMENT)):
        defined = re.compile(rf"^(?:[a-z][^\n;=]*\b|\s*def ){name}\(", re.MULTILINE)
        assert any(defined.search(text) for text in sources.values()), f"{name}() is nowhere"
    for name in set(re.findall(r"`([\w/]+\.(?:c|h|py|asm))`", DOCUMENT)):
        assert any(str(path).endswith("/" + name) for path in tracked()), f"{name} is nowhere"

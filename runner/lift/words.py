# SPDX-License-Identifier: GPL-2.0-or-later
"""What a word means that names a timekeeping core: `native`, `native:SWITCHES`, a kernel tree, a revision of
one (TREE@REV), or a release that Debian packages (7.3). This module knows the words alone: whether a tree is
there is known once it is lifted (runner/lift/trees.py)."""

from __future__ import annotations

from dataclasses import dataclass

from runner.errors import CannotRun, Problem

# As tk/words.c has them.
SWITCHES = ("remainder", "clawback", "tail", "divzero", "reference", "feed", "skew", "remainder-v2")
FORMS = frozenset(("remainder", "remainder-v2"))  # of one switch: only one can be on
ALL = frozenset(SWITCHES) - {"remainder-v2"}
GROUPS = {"all": ALL, "mailed": frozenset(SWITCHES) - {"remainder"}, "none": frozenset[str]()}


@dataclass(frozen=True)
class Core:
    """A core by its word."""

    word: str
    native: bool
    # Of a native core: those that it was told to have. None: not told, so all, or those of the core beside it.
    switches: frozenset[str] | None = None

    @property
    def option(self) -> str:
        """The switches as the programs take them."""
        return ",".join(sorted(self.switches or ())) or "none"


def _switches(word: str, text: str) -> frozenset[str]:
    """The switches that the text after `native:` names."""
    if text in GROUPS:
        return GROUPS[text]
    parts = text.split(",")
    left_out = [part[1:] for part in parts if part.startswith("-")]
    names = left_out or parts
    unknown = [name for name in names if name not in SWITCHES]
    if unknown:
        raise CannotRun(Problem.CORE_WORD, f"\"{word}\" has no switch \"{unknown[0]}\" (there are: "
                                           f"{', '.join((*GROUPS, *SWITCHES))})")
    if left_out and len(left_out) != len(parts):
        raise CannotRun(Problem.CORE_WORD, f"\"{word}\" names both switches to have and switches to leave out")
    found = ALL - set(left_out) if left_out else frozenset(parts)
    if found >= FORMS:
        raise CannotRun(Problem.CORE_WORD, f"\"{word}\" has both forms of remainder, of which one can be on")
    return found


def parse(word: str) -> Core:
    """The core that a word names; CannotRun if no core can have that name. A folder called native is ./native."""
    name, colon, text = word.partition(":")
    if name != "native":
        if not word.strip():
            raise CannotRun(Problem.CORE_WORD, "an empty word names no core")
        return Core(word, False)
    return Core(word, True, _switches(word, text) if colon else None)

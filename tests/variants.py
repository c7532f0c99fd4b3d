# SPDX-License-Identifier: GPL-2.0-or-later
"""Trees that differ from a packaged kernel by an edit: links to its sources, and in place of the edited
file a copy. An edit is a regular expression and what takes its place, so that no line of a kernel stands
here."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from liftable import Kernel, filled, lifted
from runner.lift import lift, linkfarm
from runner.lift.detect import NTP, TIMEKEEPING
from runner.lift.kbuild import Variant

Edit = tuple[Path, str, str]  # of this file, what matches, and its replacement
UM = Variant("um", 1000, True)


@dataclass
class Varied:
    """One kernel's links, and a build folder for them, in which only what an edit changes is compiled."""

    kernel: Kernel
    folder: Path

    @functools.cached_property
    def build(self) -> Path:
        return filled(self.folder / "build")

    @contextmanager
    def edited(self, *edits: Edit) -> Iterator[Path]:
        """The tree with these edits, which must all fit."""
        source = lifted(self.kernel, UM.hz).tree.path
        tree = self.folder / "linux"
        if not tree.exists():
            linkfarm.plant(source, tree)
        try:
            for file, pattern, replacement in edits:
                text = (tree / file).read_text()
                changed, times = re.subn(pattern, replacement, text)
                assert times, f"{pattern} does not fit {source / file}"
                (tree / file).unlink()
                (tree / file).write_text(changed)
            yield tree
        finally:
            for file in {file for file, _, _ in edits}:
                (tree / file).unlink(missing_ok=True)
                (tree / file).symlink_to(source / file)

    def lifted(self, *edits: Edit, programs: Sequence[str]) -> lift.Lifted:
        """These programs with the edited core; good until the next one is lifted."""
        with self.edited(*edits) as tree:
            return lift.lift(str(tree), UM, self.build, programs)


# Whatever accumulates or adjusts without the remainder of a tick: the series' second to fourth version.
PLAIN_REMOVAL: tuple[Edit, ...] = (
    (TIMEKEEPING, r"\s-\s+tk->xtime_remainder", ""),
    (TIMEKEEPING, r"tk->xtime_remainder = [^;]*;", "tk->xtime_remainder = 0;"),
    (TIMEKEEPING, r"\(tk->xtime_interval \+ tk->xtime_remainder\)", "tk->xtime_interval"))
NO_CLAWBACK: tuple[Edit, ...] = ((TIMEKEEPING, r"tk->ntp_error \+= offset << tk->ntp_error_shift;", ""),)
# `tail` in words that the source's look does not know, and without it. What is replaced is the merged one.
TAIL = r"if \(!off_chunk\)\s+off_chunk = ntpdata->time_offset;"
TAILS = {
    "a choice": ((NTP, TAIL, "off_chunk = off_chunk ? off_chunk : ntpdata->time_offset;"),),
    "a sum": ((NTP, TAIL, "off_chunk += off_chunk ? 0 : ntpdata->time_offset;"),),
    "a function": ((NTP, TAIL, "off_chunk = whole_rest(ntpdata, off_chunk);"),
                   (NTP, r"\nint second_overflow\(", "\nstatic s64 whole_rest(struct ntp_data *data, s64 chunk)\n"
                    "{\n\treturn chunk ?: data->time_offset;\n}\n\nint second_overflow(")),
}
NO_TAIL: tuple[Edit, ...] = ((NTP, TAIL, ""),)
# What the comparison must say of a tick that ends, and loses nothing, while cycle_interval is 0.
GUARD: tuple[Edit, ...] = ((TIMEKEEPING, r"(\n\tu64 offset, orig_offset;\n)",
                            r"\1\n\tif (tk->cycle_interval == 0)\n\t\treturn false;\n"),)
# A symbol that the shim has too.
OWN_SYMBOL: tuple[Edit, ...] = ((NTP, r"\Z", "\nint ntp_get_status(void);\n"
                                 "int ntp_get_status(void)\n{\n\treturn 7;\n}\n"
                                 "unsigned long long sched_clock(void)\n{\n\treturn 7;\n}\n"),)

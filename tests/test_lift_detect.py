# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lift reads in a kernel's source: code counts, comments and strings do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from liftable import SOURCES
from runner.lift import detect


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("\ttk->ntp_error -= (tk->xtime_interval + tk->xtime_remainder) << shift;", set()),
        ("\ttk->ntp_error -= tk->xtime_interval << shift; /* no xtime_remainder */", {"REMAINDER_V2"}),
        ("\t// xtime_remainder is gone\n\ttk->ntp_error -= tk->xtime_interval;", {"REMAINDER_V2"}),
        ("\ttk->ntp_error -= tk->xtime_interval;\n\ttk->cs_tick_adj = 0;", {"REMAINDER"}),
    ],
)
def test_the_remainder_is_told_by_code_and_not_by_comments(
    tmp_path: Path, body: str, expected: set[str]
) -> None:
    text = f"static u64 logarithmic_accumulation(struct timekeeper *tk,\n\t\tu32 shift)\n{{\n{body}\n}}\n"
    for source in SOURCES:
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / detect.TIMEKEEPING).write_text(text)
    (tmp_path / detect.NTP).write_text("static s64 time_offset;\n")
    assert {"REMAINDER", "REMAINDER_V2"} & set(detect.stage(tmp_path).switches) == expected


def test_of_two_definitions_the_one_without_the_option_counts() -> None:
    text = "#ifdef A\nint f(int a)\n{\n\treturn 1;\n}\n#else\nint f(int a)\n{\n\treturn 2;\n}\n#endif\n"
    assert detect.body(text, "f").strip() == "return 2;"
    assert detect.body(text, "g") == ""


def test_a_comment_in_a_string_is_no_comment() -> None:
    assert detect.without_comments('a("/*"); b(); /* c */ d("*/");').count("b()") == 1

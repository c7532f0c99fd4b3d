# SPDX-License-Identifier: GPL-2.0-or-later
"""One page of a comparison that needs nothing else: the tables, which sort where their heads are clicked, and the
pictures as SVG. Its policy forbids it to load anything."""

from __future__ import annotations

import html
from collections.abc import Sequence

from runner.report import plot
from runner.report.reasons import figure
from runner.study.clocks import Clocks
from runner.study.comparison import Comparison, verdict
from runner.study.show_comparison import cells, columns

POINTS = 1200  # of a line in a picture: what a screen can show
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
STYLE = """\
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { padding: .25rem .8rem; border-bottom: 1px solid #e2e2e2; text-align: right; white-space: nowrap; }
th.text, td.text { text-align: left; white-space: normal; }
th { border-bottom: 2px solid #888; padding: 0; vertical-align: bottom; }
th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0; cursor: pointer;
  width: 100%; padding: .25rem .8rem; text-align: inherit; }
th button::after { content: " \\2195"; color: #999; }
th[aria-sort=ascending] button::after { content: " \\2191"; color: #000; }
th[aria-sort=descending] button::after { content: " \\2193"; color: #000; }
tbody tr:hover { background: #f2f6fa; }
svg { width: 100%; height: auto; }
"""
# Rows are sorted by the number in data-value, and by the text where there is none; no number comes last.
SCRIPT = """\
"use strict";
for (const head of document.querySelectorAll("th")) {
  head.querySelector("button").addEventListener("click", () => {
    const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const text = head.classList.contains("text");
    const rows = [...body.rows].map((row) => {
      const cell = row.cells[column];
      return { row, key: text ? cell.textContent : parseFloat(cell.dataset.value) };
    });
    rows.sort((a, b) => {
      if (text) return (down ? -1 : 1) * a.key.localeCompare(b.key);
      if (isNaN(a.key) || isNaN(b.key)) return isNaN(a.key) - isNaN(b.key);
      return (down ? -1 : 1) * (a.key - b.key);
    });
    for (const each of rows) body.append(each.row);
  });
}
"""


def _table(titles: Sequence[str], rows: Sequence[tuple[Sequence[str], Sequence[float | None]]], text: Sequence[int],
           ) -> str:
    """A row: what its cells show, and the number of each, to sort by. text: the columns that are words."""
    def kind(number: int) -> str:
        return ' class="text"' if number in text else ""

    head = "".join(f'<th scope="col"{kind(n)}><button type="button">{html.escape(name)}</button></th>'
                   for n, name in enumerate(titles))
    body = []
    for shown, values in rows:
        found = []
        for n, (words, value) in enumerate(zip(shown, values)):
            number = "" if value is None else f' data-value="{value!r}"'
            found.append(f"<td{kind(n)}{number}>{html.escape(words)}</td>")
        body.append(f"<tr>{''.join(found)}</tr>")
    return ('<div class="wide"><table>\n<thead><tr>' + head + "</tr></thead>\n<tbody>\n" + "\n".join(body)
            + "\n</tbody>\n</table></div>\n")


def _page(title: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>
{STYLE}</style>
</head>
<body>
<h1>{html.escape(title)}</h1>
{body}<script>
{SCRIPT}</script>
</body>
</html>
"""


def _sentences(sentences: Sequence[str]) -> str:
    return "".join(f"<p>{html.escape(each)}</p>\n" for each in sentences)


def of_comparison(compared: Sequence[Comparison], labels: Sequence[str], notes: Sequence[str]) -> str:
    """The page of cores and reports."""
    parts = []
    for each in compared:
        virtual = each.experiment.clock == "virtual"
        titles = columns(labels, virtual)
        rows = []
        for row in each.rows:
            values: list[float | None] = [None, None, row.values[0].mean]
            for value, apart in zip(row.values[1:], row.differences):
                values += [value.mean, None if apart is None else apart.value]
                values += [] if virtual else [max(row.values[0].spread, value.spread), None]
            rows.append((cells(row, virtual), values))
        text = [n for n, name in enumerate(titles) if name in ("metric", "unit", "more?")]
        parts.append(f"<h2>{html.escape(each.experiment.title())}</h2>\n"
                     + _sentences(verdict(each, labels, figure)) + _table(titles, rows, text)
                     + (plot.svg(plot.comparison([each.panel], POINTS)) + "\n" if each.panel.lines else ""))
    return _page(" and ".join(labels) + ", compared", "".join(parts) + _sentences(notes))


def of_clocks(found: Clocks, notes: Sequence[str]) -> str:
    """The page of the first question."""
    rows = [((each.name, figure(each.drift_ppb), figure(each.error_ns, 1), each.why),
             (None, each.drift_ppb, each.error_ns, None)) for each in found.clocks]
    titles = ("clock", "drift ppb", f"ns after {found.seconds:g} s", "why not")
    return _page(f"Clocks against vmclock ({found.run['accel']})",
                 _table(titles, rows, (0, 3)) + plot.svg(plot.comparison([found.panel], POINTS)) + "\n"
                 + _sentences(notes))

"""Tables of rows with named columns: CSV for programs, Markdown and HTML for readers.

The scripts of the tables in `results/summary/` call `write_table`; the study page and the cost
estimate use the functions for Markdown and HTML.
"""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from think_to_talk.files.atomic import write_text
from think_to_talk.formulas.symbols import DIGIT_NAMES, probed_digit

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 20px; }
table { border-collapse: collapse; margin-bottom: 24px; }
th, td { border-bottom: 1px solid #c8c8c8; padding: 3px 14px 3px 0; text-align: right; }
th { position: sticky; top: 0; background: #fff; }
th:first-child, td:first-child { text-align: left; }
td { font-variant-numeric: tabular-nums; }
pre { background: #f5f5f5; padding: 12px; overflow-x: auto; }
"""


def write_table(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Iterable[str],
    headings: Mapping[str, str],
    *,
    csv_file: str | Path,
    markdown_file: str | Path,
    html_file: str | Path,
) -> None:
    """Write a table to three files.

    columns: the columns of the CSV file.
    headings: {column: heading} of the columns of the Markdown and HTML files.
    """
    table = as_cells(rows, headings)
    write_text(csv_file, as_csv(rows, list(columns)))
    write_text(markdown_file, markdown_table(table) + "\n")
    write_text(html_file, html_page(title, html_table(table)))


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """The columns of all rows as CSV. A missing value is an empty field, a list is JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = [row[column] for column in columns]
        writer.writerow(json.dumps(v) if isinstance(v, list) else v for v in values)
    return text.getvalue()


def as_cells(rows: Iterable[Mapping[str, Any]], headings: Mapping[str, str]) -> list[list[str]]:
    """The cells of a table as text; the first row holds the headings.

    headings: {column: heading}. A share is followed by its interval over clusters, if the row has
        the columns `{column}_cluster_low` and `{column}_cluster_high`.
    """
    cells = [
        [_cell(_named(column, row[column])) + _interval(row, column) for column in headings]
        for row in rows
    ]
    return [list(headings.values()), *cells]


def _named(column: str, value: Any) -> Any:
    """A value, but names in place of numbers that stand for something else.

    A chat template is the equation -0.5, where equations are whole; digits of a variable's value
    have numbers beyond those of variables: `0 tens`.
    """
    if column == "variable" and isinstance(value, int):
        index, digit = probed_digit(value)
        return value if digit is None else f"{index} {DIGIT_NAMES[digit]}"
    return "template" if column.endswith("equation") and isinstance(value, float) else value


def _cell(value: Any) -> str:
    """A value as text: a share with three digits, a missing value as a dash."""
    if value is None:
        return "–"
    if isinstance(value, list):
        return " ".join(map(_cell, value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _interval(row: Mapping[str, Any], column: str) -> str:
    low, high = (row.get(f"{column}_cluster_{end}") for end in ("low", "high"))
    return "" if low is None else f" ({low:.2f}–{high:.2f})"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown. The first row is the heading; columns are aligned in the source."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        + " |"
        for cells in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """A table as an HTML element. The first row is the heading."""

    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>\n"

    body = "".join(row(cells, "td") for cells in rows[1:])
    return f"<table>\n<thead>{row(rows[0], 'th')}</thead>\n<tbody>\n{body}</tbody>\n</table>\n"


def html_page(title: str, *parts: str) -> str:
    """A page of HTML elements that loads no other file."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n<h1>{html.escape(title)}</h1>\n{''.join(parts)}</body></html>\n"
    )

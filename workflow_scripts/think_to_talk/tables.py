"""Tables of rows with named columns, as CSV for programs and as Markdown for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """The columns of all rows as CSV: a missing value is an empty field, a list is JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = [row[column] for column in columns]
        writer.writerow(json.dumps(v) if isinstance(v, list) else v for v in values)
    return text.getvalue()


def as_markdown(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], headings: Sequence[str] | None = None
) -> str:
    """The columns of all rows in Markdown: shares with three digits, a dash where nothing is.

    headings: of the columns, if they are not to be called by their names.
    """
    cells = [tuple(_shown(row[column]) for column in columns) for row in rows]
    return markdown_table([headings or columns, *cells]) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return " ".join(map(_shown, value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A table of cells, the first row its heading; columns are aligned in the source as well."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        + " |"
        for cells in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)

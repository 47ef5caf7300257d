"""Tables: CSV for machines, Markdown for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


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


def csv_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as CSV: a missing value is an empty field, a list is JSON."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                column: json.dumps(value) if isinstance(value, list) else value
                for column, value in row.items()
            }
        )
    return text.getvalue()


def shown_table(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], headings: Sequence[str]
) -> str:
    """Rows in Markdown: shares with three digits, a dash where there is no value."""
    cells = (tuple(_shown(row[column]) for column in columns) for row in rows)
    return markdown_table([tuple(headings), *cells]) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return " ".join(map(_shown, value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)

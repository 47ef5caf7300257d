"""Marked spans of free text: what those of all rows of a task have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def axis(spans: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    """(text, label, equation) of each span; the rows of a task share them.

    spans: of a row (schemas/free_text_row.schema.yaml).
    """
    return [(span["text"], span["label"], span["equation"]) for span in spans]

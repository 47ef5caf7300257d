"""JSON Lines files of stages that may have nothing to write, as where a model solves no pair.

A module of its own, so that it is hashed only with scripts that read such files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from think_to_talk.files.jsonl import read_jsonl


def read_any(path: str | Path) -> list[dict[str, Any]]:
    """All rows of a file that the study wrote; none of an empty one.

    Raises InputError, naming the file and line, if a line is not JSON.
    """
    return read_jsonl(path) if Path(path).stat().st_size else []

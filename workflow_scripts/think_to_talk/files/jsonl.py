"""JSON Lines files of the study: written atomically, read back whole, joined."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

from think_to_talk.errors import REMAKE_HINT, InputError
from think_to_talk.files.atomic import replacing

#: What tells a probe from the others of its file.
_PROBE = ("layer", "position", "variable")


def write_jsonl(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def read_jsonl(path: str | Path, expected: int | None = None) -> list[dict[str, Any]]:
    """All rows of a file that the study wrote.

    expected: the number of rows, if known.
    Raises InputError, naming the file and line, if a line is not JSON, there is no row, or the
    number of rows is not the expected one.
    """
    rows = list(_parsed(path))
    if not rows or expected not in (None, len(rows)):
        raise InputError(f"{path}: {len(rows)} rows, expected {expected or 'some'}: {REMAKE_HINT}")
    return rows


def read_probe_rows(path: str | Path) -> list[dict[str, Any]]:
    """All rows of a file of probes: one for each layer, position and variable.

    Raises InputError as `read_jsonl` does, and if the row of a combination is missing.
    """
    rows = read_jsonl(path)
    expected = prod(len({row.get(key) for row in rows}) for key in _PROBE)
    if len(rows) != expected:
        raise InputError(
            f"{path}: {len(rows)} rows, expected {expected}, one for each {', '.join(_PROBE)}: "
            f"{REMAKE_HINT}"
        )
    return rows


def read_by_stem(paths: Iterable[str | Path]) -> dict[str, list[dict[str, Any]]]:
    """{name of a file without its suffix: its rows}, such as those of a file per task."""
    return {Path(path).stem: read_jsonl(path) for path in paths}


def read_all(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """The rows of several files, in the order of the files."""
    return [row for path in paths for row in read_jsonl(path)]


def _parsed(path: str | Path) -> Iterator[Any]:
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                raise InputError(f"{path}, line {number}: cut off, without its end: {REMAKE_HINT}")
            try:
                yield json.loads(line.decode())
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"{path}, line {number}: not JSON in UTF-8 ({error}): {REMAKE_HINT}"
                ) from None


def join_jsonl(path: str | Path, parts: Iterable[str | Path]) -> None:
    """Write the rows of all parts to one file, in the order of the parts.

    Raises InputError as `read_jsonl` does.
    """
    write_jsonl(path, (row for part in parts for row in read_jsonl(part)))

"""JSON Lines files: written complete or not at all, read, and checked against a schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from think_to_talk.errors import ANEW, InputError
from think_to_talk.files import replacing


def write_jsonl(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def read_jsonl(path: str | Path, expected: int | None = None) -> list[dict[str, Any]]:
    """Read all rows of a file that the study made; expected: how many there should be, if known.

    Raises InputError naming file and line if one cannot be read, if there are none, or not as many.
    """
    rows = list(_parsed(path, f": {ANEW}"))
    if not rows or expected not in (None, len(rows)):
        raise InputError(f"{path}: {len(rows)} rows, expected {expected or 'some'}: {ANEW}")
    return rows


def read_all(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """The rows of several files, in their order."""
    return [row for path in paths for row in read_jsonl(path)]


def _parsed(path: str | Path, remedy: str = "") -> Iterator[Any]:
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield json.loads(line.decode())
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"{path}, line {number}: not JSON in UTF-8 ({error}){remedy}"
                ) from None


def read_checked(path: str | Path, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read rows that somebody else wrote; `schema` is the JSON schema of one row.

    Raises InputError naming file, line and key, what was found and what was expected.
    """
    validator = Draft202012Validator(schema)
    rows = []
    for number, row in enumerate(_parsed(path), start=1):
        error = best_match(validator.iter_errors(row))
        if error is not None:
            where = "".join(f", key {key!r}" for key in error.absolute_path)
            message = error.message if len(error.message) < 300 else f"{error.message[:300]} ..."
            raise InputError(f"{path}, line {number}{where}: {message}")
        rows.append(row)
    if not rows:
        raise InputError(f"{path}: no rows; expected one JSON object per line")
    return rows


def join_jsonl(path: str | Path, parts: Iterable[str | Path]) -> None:
    """Write the rows of all parts to one file, in their order.

    Raises InputError as `read_jsonl`.
    """
    write_jsonl(path, (row for part in parts for row in read_jsonl(part)))

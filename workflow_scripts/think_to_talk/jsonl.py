"""JSON Lines files: written complete or not at all, read, and checked against a schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema.exceptions import best_match

from think_to_talk.errors import ANEW, InputError
from think_to_talk.files import replacing
from think_to_talk.schemas import StrictValidator

#: Bytes of a line that somebody else wrote. A problem with fifty examples takes five thousand.
_LONGEST_LINE = 1_000_000


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


def count_lines(path: str | Path) -> int:
    """Lines of a file that somebody else wrote. Raises InputError if it cannot be read."""
    n_lines, last = 0, b"\n"
    try:
        with open(path, "rb") as file:
            while block := file.read(_LONGEST_LINE):
                n_lines += block.count(b"\n")
                last = block[-1:]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return n_lines + (last != b"\n")


def read_foreign(path: str | Path) -> Iterator[dict[str, Any]]:
    """The rows of a file that somebody else wrote, one by one.

    Raises InputError naming file and line for what is not one JSON object per line, each of whose
    keys is there once, and for a file that cannot be read or has no line.
    """
    number = 0
    try:
        with open(path, "rb") as file:
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                if len(line) > _LONGEST_LINE:
                    raise InputError(
                        f"{path}, line {number}: longer than {_LONGEST_LINE} bytes; expected one "
                        "problem per line"
                    )
                yield _object(line, f"{path}, line {number}")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not number:
        raise InputError(f"{path}: no rows; expected one JSON object per line")


def _object(line: bytes, where: str) -> dict[str, Any]:
    """The JSON object of a line. Raises InputError, `where` being its beginning."""
    try:
        text = line.decode()
        row = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_number)
        # A half character, as in "\ud800", is JSON but no text.
        if "\\u" in text:
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON in UTF-8 ({error})") from None
    if not isinstance(row, dict):
        raise InputError(f"{where}: {type(row).__name__} found, expected a JSON object")
    return row


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs as a mapping. Raises ValueError if a key is there twice."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in mapping if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return mapping


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no number in JSON")


def read_checked(path: str | Path, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read rows that somebody else wrote; `schema` is the JSON schema of one row.

    Raises InputError naming file, line and key, what was found and what was expected.
    """
    validator = StrictValidator(schema)
    rows = []
    for number, row in enumerate(read_foreign(path), start=1):
        error = best_match(validator.iter_errors(row))
        if error is not None:
            where = "".join(f", key {key!r}" for key in error.absolute_path)
            message = error.message if len(error.message) < 300 else f"{error.message[:300]} ..."
            raise InputError(f"{path}, line {number}{where}: {message}")
        rows.append(row)
    return rows


def join_jsonl(path: str | Path, parts: Iterable[str | Path]) -> None:
    """Write the rows of all parts to one file, in their order.

    Raises InputError as `read_jsonl`.
    """
    write_jsonl(path, (row for part in parts for row in read_jsonl(part)))

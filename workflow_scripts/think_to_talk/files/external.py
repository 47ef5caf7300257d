"""External datasets: JSON Lines files from outside the study, checked against a schema.

`formulas/existing_datasets.py` reads datasets with these functions. An external file may hold
anything, so lines have a maximum length, and an InputError names the file and line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema.exceptions import best_match

from think_to_talk.errors import InputError
from think_to_talk.files.schemas import StrictValidator

#: Maximum bytes of a line. A problem with fifty examples takes about 5,000.
_LONGEST_LINE = 1_000_000


def count_lines(path: str | Path) -> int:
    """Number of lines of an external file. Raises InputError if it cannot be read."""
    n_lines, last = 0, b"\n"
    try:
        with open(path, "rb") as file:
            while block := file.read(_LONGEST_LINE):
                n_lines += block.count(b"\n")
                last = block[-1:]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return n_lines + (last != b"\n")


def read_external(path: str | Path) -> Iterator[dict[str, Any]]:
    """The rows of an external file, one by one. CRLF is read as a newline, also within strings.

    Raises InputError, naming the file and line, if a line is not one JSON object or has duplicate
    keys, and if the file cannot be read or is empty.
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
    """The JSON object of a line. Raises InputError, whose message begins with `where`."""
    try:
        text = line.decode()
        row = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_number)
        # A lone surrogate, as in "\ud800", is valid JSON but cannot be encoded.
        if "\\u" in text:
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON in UTF-8 ({error})") from None
    if not isinstance(row, dict):
        raise InputError(f"{where}: {type(row).__name__} found, expected a JSON object")
    return {key: _with_newlines(value) for key, value in row.items()}


def _with_newlines(value: Any) -> Any:
    """A value whose text has newlines where it had CRLF, as programs on Windows write them."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs as a mapping. Raises ValueError for a duplicate key."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        duplicate = next(key for key in mapping if keys.count(key) > 1)
        raise ValueError(f"duplicate key {duplicate!r}")
    return mapping


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")


def read_checked(path: str | Path, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All rows of an external file.

    schema: the JSON schema of one row.
    Raises InputError, naming the file, line and key, for a row that violates the schema.
    """
    validator = StrictValidator(schema)
    rows = []
    for number, row in enumerate(read_external(path), start=1):
        error = best_match(validator.iter_errors(row))
        if error is not None:
            where = "".join(f", key {key!r}" for key in error.absolute_path)
            message = error.message if len(error.message) < 300 else f"{error.message[:300]} ..."
            raise InputError(f"{path}, line {number}{where}: {message}")
        rows.append(row)
    return rows

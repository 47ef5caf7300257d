"""YAML as people write it: what a file and its values may be, before any schema reads them.

The bounds are far beyond what a study asks for. They keep mistakes (a number with a hundred digits,
a mapping within itself) from ending in anything but one clear line.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from think_to_talk.errors import InputError

#: The key by which Snakemake takes a config file for a template with Python code in it.
_PROGRAM = "__use_yte__"

_LARGEST_FILE = 1_000_000

_DEEPEST = 20

_MOST_VALUES = 50_000

_MOST_ENTRIES = 1000

_LONGEST_TEXT = 4096

_LARGEST_NUMBER = 10**15

#: Unicode's categories of control characters, half characters and line ends.
_NOT_IN_A_LINE = {"Cc", "Cs", "Zl", "Zp"}


def check_file(path: str | Path) -> None:
    """Raise InputError if a file is not a mapping with keys in YAML (or JSON), all different.

    The message names the file and, where there is one, the line.
    """
    try:
        size = Path(path).stat().st_size
        if size > _LARGEST_FILE:
            raise InputError(f"{path}: {size} bytes, expected at most {_LARGEST_FILE}")
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text in UTF-8 ({error})") from None
    try:
        written = json.loads(text)
        if isinstance(written, dict) and written:
            return
    except (ValueError, RecursionError):
        pass
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        if not isinstance(root, yaml.MappingNode) or not root.value:
            raise InputError(f"{path}: expected keys with values, as `seeds: [42]`")
        if any(getattr(key, "value", None) == _PROGRAM for key, _ in root.value):
            raise InputError(f"{path}: {_PROGRAM} makes a program of it; expected a configuration")
        for line, problem in _misused_keys(root, (), set()):
            raise InputError(f"{path}, line {line}: {problem}")
        yaml.safe_load(text)
    except RecursionError:
        raise InputError(f"{path}: entries within entries, too deep to be read") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{where}: not YAML ({_one_line(error)})") from None
    except InputError:
        raise
    # What looks like a date and is none.
    except ValueError as error:
        raise InputError(f"{path}: not YAML ({_one_line(error)})") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(getattr(error, "problem", None) or error).split())


def _misused_keys(
    node: yaml.Node, within: tuple[yaml.Node, ...], seen: set[yaml.Node]
) -> Iterator[tuple[int, str]]:
    """(line, problem) of each key that a mapping has twice, and of each entry within itself.

    within: the entries that the node is in. seen: those that need not be looked at again.
    """
    line = node.start_mark.line + 1
    if node in within:
        yield line, "an entry holds itself: a `*name` stands within its own `&name`"
    elif len(within) > _DEEPEST:
        yield line, f"entries within entries, more than {_DEEPEST} deep"
    elif node in seen:
        return
    seen.add(node)
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in keys:
                    yield key.start_mark.line + 1, f"duplicate key {key.value!r}"
                keys.add(key.value)
            yield from _misused_keys(value, (*within, node), seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _misused_keys(value, (*within, node), seen)


def check_values(written: Any, name: str) -> None:
    """Raise InputError for what no key of a study can be or hold: one line that names the key.

    written: what was read from YAML. name: what it is called at the beginning of the message.
    """
    n_seen = 0
    waiting: list[tuple[tuple[str, ...], Any]] = [((), written)]
    while waiting:
        place, value = waiting.pop()
        n_seen += 1
        entries = list(_entries(value))
        where = f"{name}: {'.'.join(place) or 'top level'}"
        if problem := _problem(value) or _too_much(len(place), n_seen, len(entries)):
            raise InputError(f"{where}: {problem}")
        for key, entry in reversed(entries):
            if not isinstance(key, str):
                raise InputError(f"{where}: the key {_shown(key)} is no text: put it in quotes")
            if problem := _problem(key):
                raise InputError(f"{where}: the key {_shown(key)}: {problem}")
            waiting.append(((*place, key), entry))


def _entries(value: Any) -> Iterator[tuple[Any, Any]]:
    """Keys and values of a mapping; numbers and values of a list."""
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((str(i), entry) for i, entry in enumerate(value))


def _too_much(depth: int, n_values: int, n_entries: int) -> str | None:
    if depth > _DEEPEST:
        return f"entries within entries, more than {_DEEPEST} deep"
    if n_values > _MOST_VALUES:
        return f"more than {_MOST_VALUES} values in all"
    if n_entries > _MOST_ENTRIES:
        return f"{n_entries} entries, expected at most {_MOST_ENTRIES}"
    return None


def _problem(value: Any) -> str | None:
    """What is wrong with a value in itself, whatever it is for; None if nothing is."""
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            return f"{len(value)} characters, expected at most {_LONGEST_TEXT}"
        if any(unicodedata.category(character) in _NOT_IN_A_LINE for character in value):
            return f"{_shown(value)} has a line break or control character; expected one line"
    elif isinstance(value, int | float):
        if isinstance(value, float) and not math.isfinite(value):
            return f"{value} is not a finite number"
        if abs(value) > _LARGEST_NUMBER:
            return "a number beyond 10^15, expected a smaller one"
    elif value is not None and not isinstance(value, dict | list):
        return f"found a {type(value).__name__}: put text in quotes"
    return None


def _shown(value: Any) -> str:
    """A value as Python writes it, cut where it gets long."""
    shown = repr(value) if not isinstance(value, int) or abs(value) <= _LARGEST_NUMBER else "number"
    return shown if len(shown) <= 60 else f"{shown[:60]} ..."

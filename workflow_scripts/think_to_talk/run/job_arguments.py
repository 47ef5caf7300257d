"""A job as arguments of a command line, and what its script reads of them.

An argument is `PART.NAME=VALUE`, with a value in YAML: `params.threshold=0.8`, `input.x='[a, b]'`.
`workflow_scripts/job.py` reads them, and begins the log of each job with the command that runs it.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from think_to_talk.errors import InputError

#: What a job has that is named.
PARTS = ("input", "output", "params", "wildcards", "resources", "config")

#: The files of a table beside its rows, as the rules name them.
TABLE_FILES = ("csv", "markdown", "html")

#: Stands for all values of a part.
ALL = "*"


class MissingArgumentError(InputError, AttributeError):
    """A script reads a value that the command line does not give."""


class Values:
    """The named values of a part of a job, which can be indexed and iterated over, as Snakemake's.

    part: one of PARTS. Reading a value that is not there raises MissingArgumentError.
    """

    def __init__(self, part: str) -> None:
        self._part = part
        self._values: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        """Add a value, behind the others."""
        self._values[name] = value

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __getitem__(self, key: str | int) -> Any:
        found = list(self._values.values()) if isinstance(key, int) else self._values
        try:
            return found[key]  # type: ignore[index]
        except LookupError:
            raise MissingArgumentError(
                f"argument {self._part}.{key}: missing; expected {self._part}.{key}=VALUE, "
                "see --help"
            ) from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values.values())


def read_arguments(arguments: list[str]) -> dict[str, Any]:
    """{name of a field of a job: its value}, from arguments such as `threads=2` and `log=a.log`.

    Raises InputError.
    """
    parts: dict[str, Any] = {part: Values(part) for part in PARTS}
    parts |= {"threads": 1, "log": None}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        part, dot, name = key.partition(".")
        if not equals or part not in parts or bool(dot) != (part in PARTS):
            raise InputError(f"argument {argument!r}: expected {'|'.join(PARTS)}.NAME=VALUE")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"argument {argument!r}: its value is not YAML") from None
        if dot:
            parts[part].add(name, read)
        else:
            parts[part] = read
    return parts


def written_arguments(script: str | Path, job: Any) -> list[str]:
    """The arguments that say what `read_arguments` reads, of all that a script reads.

    script: its file. job: has the fields that the script reads, with Snakemake's values.
    """
    written = []
    for part, names in names_read(script).items():
        values = getattr(job, part)
        named = dict(values.items())
        if ALL in names:
            n_named = sum(1 if isinstance(value, str) else len(value) for value in named.values())
            named = named if n_named == len(values) else dict(enumerate(values))
        else:
            named = {name: named[name] for name in names if name in named}
        written += [f"{part}.{name}={_as_yaml(value)}" for name, value in named.items()]
    return [*written, f"threads={job.threads}"]


def _as_yaml(value: Any) -> str:
    written = yaml.safe_dump(
        _plain(value), default_flow_style=True, width=math.inf, allow_unicode=True, sort_keys=False
    )
    return written.removesuffix("...\n").strip()


def _plain(value: Any) -> Any:
    """A value without the types of Snakemake, which are subclasses of text and lists."""
    if isinstance(value, str | Path):
        return str(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    return value


def names_read(script: str | Path) -> dict[str, list[str]]:
    """{part of a job: the names in it that a script reads}, ALL where it reads them all."""
    read: dict[str, list[str]] = {}
    tree = ast.parse(Path(script).read_text(encoding="utf-8"))
    # The parts of which only some names are read, each where it stands in the script.
    in_part: set[ast.AST] = set()
    for node in ast.walk(tree):
        for part, names in _named(node):
            read.setdefault(part, []).extend(names)
            in_part |= {child for child in ast.iter_child_nodes(node) if _part(child)}
    for node in ast.walk(tree):
        whole = _part(node)
        if whole and node not in in_part:
            read.setdefault(whole, []).append(ALL)
    return {part: list(dict.fromkeys(read[part])) for part in PARTS if part in read}


def _part(node: ast.AST) -> str | None:
    """The part that a node is: `this.input`."""
    of_job = isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "this"
    return node.attr if of_job and node.attr in PARTS else None  # type: ignore[attr-defined]


def _named(node: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(part, names) that a node reads: `this.input.rows`, `this.config["models"]`, and in calls."""
    if isinstance(node, ast.Attribute) and (part := _part(node.value)):
        yield part, (node.attr,)
    elif isinstance(node, ast.Subscript) and (part := _part(node.value)):
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            yield part, (node.slice.value,)
    elif isinstance(node, ast.Call) and node.args and (part := _part(node.args[0])):
        function = getattr(node.func, "attr", getattr(node.func, "id", None))
        if function == "table_files":
            yield part, TABLE_FILES
        elif function == "getattr" and isinstance(node.args[1], ast.Constant):
            yield part, (str(node.args[1].value),)

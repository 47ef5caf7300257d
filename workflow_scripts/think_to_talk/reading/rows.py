"""The rows of a results folder as pandas data frames.

Rows of one kind lie in a file per model, seed and task; the columns `model`, `seed`, `task`,
`split` and `edit` are taken from a file's path where its rows do not have them. `schemas/`
describes the other columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas

from think_to_talk.errors import InputError
from think_to_talk.files.possibly_empty import read_any
from think_to_talk.formulas.datasets import SPLIT_SEED_OFFSETS

#: {kind of rows: where its files are below a results folder}.
KINDS = {
    "problems": "formulas/seed-{seed}/{task}/{split}.jsonl",
    "pairs": "formulas/seed-{seed}/{task}/pairs/{edit}.jsonl",
    "inconsistent_pairs": "formulas/seed-{seed}/{task}/inconsistent_pairs.jsonl",
    "ceilings": "formulas/ceilings/{task}.jsonl",
    "generations": "{model}/seed-{seed}/generations/{task}/{split}.jsonl",
    **{
        kind: f"{{model}}/seed-{{seed}}/{kind}/{{task}}.jsonl"
        for kind in (
            *("probes", "control_probes", "timing", "logit_lens", "forced_answers", "patching"),
            *("free_writing", "inconsistent_chains", "patched_probes", "steering"),
        )
    },
    "transfer": "{model}/seed-{seed}/transfer/{transfer}.jsonl",
    "clocks": "{model}/seed-{seed}/clocks.jsonl",
    "findings": "summary/findings.jsonl",
    "interventions": "summary/interventions.jsonl",
}

_WILDCARD = re.compile(r"\{(\w+)\}")

#: What a part of a path that is not listed here may be: anything.
_PARTS = {
    # A task may have the name of a kind.
    "model": "(?!formulas/)[^/]+",
    "split": "|".join(SPLIT_SEED_OFFSETS),
}

#: An error names so many of the files that there are.
_MOST_NAMED = 8


def contents(results: str | Path) -> pandas.DataFrame:
    """The files of rows in a results folder.

    Columns: `kind`, `model`, `seed`, `task`, `split`, `edit` and `path`. A cell is missing where
    the files of a kind have no such name.
    Raises InputError if there is no such folder.
    """
    found = [
        {"kind": kind, **names, "path": str(path)}
        for kind in KINDS
        for names, path in _files(Path(results), kind)
    ]
    columns = ["kind", "model", "seed", "task", "split", "edit", "path"]
    return _frame([{column: row.get(column) for column in columns} for row in found], columns)


def read_rows(
    results: str | Path,
    kind: str,
    *,
    model: str | None = None,
    seed: int | None = None,
    task: str | None = None,
    split: str | None = None,
) -> pandas.DataFrame:
    """All rows of a kind, or those of a model, seed, task and split.

    results: the results folder of a study.
    kind: a key of `KINDS`.
    A null is a missing value. Whole numbers stay whole numbers (`Int64` if some are missing). A
    file may have no rows, and then there are none.
    Raises InputError if there is no such file, saying which there are.
    """
    if kind not in KINDS:
        raise InputError(f"no kind of rows is {kind!r}; expected one of {', '.join(KINDS)}")
    given = {"model": model, "seed": seed, "task": task, "split": split}
    wanted = {name: value for name, value in given.items() if value is not None}
    chosen = [
        (names, path)
        for names, path in _files(Path(results), kind)
        if all(names.get(name, value) == value for name, value in wanted.items())
    ]
    rows = [{**names, **row} for names, path in chosen for row in read_any(path)]
    kept = [row for row in rows if all(row.get(name) == wanted[name] for name in wanted)]
    # A file without rows is a result: a model that solves no pair is not patched.
    if not chosen or (rows and not kept):
        raise InputError(_nothing(Path(results), kind, wanted))
    return _frame(kept, list(dict.fromkeys(key for row in kept for key in row)))


def check_folder(results: Path) -> None:
    """Raise InputError if there is no results folder at a path."""
    if not results.is_dir():
        raise InputError(f"{results}: no such folder; expected the results folder of a study")


def _files(results: Path, kind: str) -> Iterator[tuple[dict[str, Any], Path]]:
    """(model, seed, task and split as its path says, path) of each file of a kind, sorted."""
    check_folder(results)
    names = re.compile(_WILDCARD.sub(_named_group, KINDS[kind]))
    found = []
    for path in results.glob(_WILDCARD.sub("*", KINDS[kind])):
        if match := names.fullmatch(path.relative_to(results).as_posix()):
            values: dict[str, Any] = match.groupdict()
            if "seed" in values:
                values["seed"] = int(values["seed"])
            found.append((values, path))
    yield from sorted(found, key=lambda file: list(file[0].values()))


def _named_group(wildcard: re.Match[str]) -> str:
    """The part of a regular expression that stands for a wildcard of a pattern."""
    return f"(?P<{wildcard[1]}>{_PARTS.get(wildcard[1], '[^/]+')})"


def _nothing(results: Path, kind: str, wanted: Mapping[str, Any]) -> str:
    """What was asked for in vain, and what there is."""
    asked = ", ".join(f"{name} {value}" for name, value in wanted.items())
    there = [
        ", ".join(f"{name} {value}" for name, value in names.items()) or "rows without these names"
        for names, _ in _files(results, kind)
    ]
    more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
    listed = "; ".join(there[:_MOST_NAMED])
    return f"{results}: no {kind} of {asked or 'any model'}; there are {listed or 'none'}{more}"


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pandas.DataFrame:
    """Rows as a data frame; pandas alone would make whole numbers beside a null to fractions."""
    data = {column: [row.get(column) for row in rows] for column in columns}
    return pandas.DataFrame(
        {column: pandas.Series(values, dtype=_dtype(values)) for column, values in data.items()}
    )


def _dtype(values: Sequence[Any]) -> str | None:
    """The type of a column that pandas would not choose by itself, or None."""
    kinds = {type(value) for value in values}
    if kinds <= {type(None)}:
        return "float64"
    return "Int64" if kinds == {int, type(None)} else None

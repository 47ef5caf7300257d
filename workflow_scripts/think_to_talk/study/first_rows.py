"""The first row of an existing dataset, which planning reads: all others have its layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.files.external import read_external
from think_to_talk.formulas.free_text import dataset_row


def first_row(path: str | Path, free_text: Mapping[str, Any] | None) -> dict[str, Any]:
    """The first row of an existing dataset, with the keys that planning reads.

    path: of a split.
    free_text: of its task's entry; None for rows in symbols.
    Raises InputError, which names file and key, if a key is missing or of another kind, and if the
    row is of the other kind of datasets.
    """
    row = next(read_external(path))
    if free_text is not None:
        for key, kind in {"target": str, "targets": dict, "spans": list}.items():
            if not isinstance(row.get(key), kind):
                raise InputError(
                    f"{path}, line 1, key {key!r}: expected a {kind.__name__}, as of "
                    "schemas/free_text_row.schema.yaml"
                )
        row = dataset_row({"answer": "", "source": None, **row}, free_text)
    elif "targets" in row or "spans" in row:
        raise InputError(
            f"{path}, line 1: marked spans and targets, which rows in symbols do not have; set "
            "free_text: {} in its task"
        )
    row.setdefault("few_shot_context", "")
    wanted = {
        **{"source": str, "target": str, "intermediate_questions": list},
        **{"few_shot_context": str, "scratchpad": str},
    }
    for key, kind in wanted.items():
        if not isinstance(row.get(key), kind):
            raise InputError(f"{path}, line 1, key {key!r}: expected a {kind.__name__}")
    return row

"""JSON Lines files of stages that may have nothing to write, as where a model solves no pair.

A stage that cannot read a task of a model writes an empty file, so that the run goes on: how a
pretrained model's tokenizer writes numbers is known once it is loaded, when hours may have gone
into what the stage reads. The log says why; figures, tables and clocks have nothing there. What is
known at planning is in `study.unread_tasks`. Where the two problems of no pair take as many tokens,
patching has nothing to write either, and where no pair has the positions of the task, no
intervention has (`interventions.tokenized_pairs`).

A module of its own, so that it is hashed only with scripts that read or write such files.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from think_to_talk.errors import UnreadError
from think_to_talk.files.jsonl import read_jsonl, read_probe_rows

Row = Mapping[str, Any]


def read_any(path: str | Path) -> list[dict[str, Any]]:
    """All rows of a file that the study wrote; none of an empty one.

    Raises InputError, naming the file and line, if a line is not JSON.
    """
    return read_jsonl(path) if Path(path).stat().st_size else []


def read_any_probe_rows(path: str | Path) -> list[dict[str, Any]]:
    """All rows of a file like that of probes; none of an empty one. Raises as `read_probe_rows`."""
    return read_probe_rows(path) if Path(path).stat().st_size else []


def unless_unread(
    stage: str, identity: Mapping[str, Any], rows: Callable[[], Iterable[Row]]
) -> list[Row]:
    """The rows of a stage; none, with a warning, where it cannot read the task.

    stage: its name, for the warning.
    identity: model and task, and what else tells its rows from others.
    rows: reads the task. Raises UnreadError if that cannot be done.
    """
    try:
        return list(rows())
    except UnreadError as error:
        where = f"tasks.{identity['task']} of models.{identity['model']}"
        warnings.warn(f"{stage} leaves out {where}: {error}", stacklevel=2)
        return []


def read_any_of(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """The rows of several files, any of which may be empty, in the order of the files.

    Raises InputError as `read_any` does.
    """
    return [row for path in paths for row in read_any(path)]

"""When a model says its answer: the first cut of the chain at which a forced answer is right.

The rows come from `forced_answers.reading`. Source: Lanham et al., arXiv:2307.13702 (early
answering).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

#: Columns of the table, in order.
COLUMNS = ("model", "seed", "task", "t_said", "cut_said", "said_before", "said_last", "n_cuts", "n")

#: {column: heading} in the Markdown and HTML tables.
VISIBLE_COLUMNS = {
    "model": "model",
    "seed": "seed",
    "task": "task",
    "t_said": "t said",
    "cut_said": "equations given",
    "said_before": "accuracy before CoT",
    "said_last": "accuracy at the last cut",
    "n": "test rows",
}


def first_said(rows: Iterable[Mapping[str, Any]], threshold: float) -> Mapping[str, Any] | None:
    """The row of t_said: the first cut whose accuracy exceeds the threshold; None if none does.

    rows: of one task.
    """
    ordered = sorted(rows, key=itemgetter("cut"))
    return next((row for row in ordered if row["accuracy"] > threshold), None)


def table_rows(
    tasks: Iterable[list[Mapping[str, Any]]], threshold: float
) -> Iterator[dict[str, Any]]:
    """A row per model, seed and task (schemas/said_row.schema.yaml).

    tasks: the rows of each of them; one that could not be read has none, and no row here.
    threshold: the accuracy that counts as saying the answer.
    """
    for rows in filter(None, tasks):
        ordered = sorted(rows, key=itemgetter("cut"))
        first, last, said = ordered[0], ordered[-1], first_said(ordered, threshold)
        yield {
            **{key: first[key] for key in ("model", "seed", "task")},
            "t_said": said and said["relative_position"],
            "cut_said": said and said["cut"],
            "said_before": first["accuracy"],
            "said_last": last["accuracy"],
            "n_cuts": len(ordered),
            "n": first["n"],
        }

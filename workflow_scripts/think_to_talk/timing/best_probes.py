"""The best probes of a variable: per position, before and in the chain of thought, and at t*.

The rows come from `probes.fitting`; `timing.table`, `controls`, `figures` and `pages` choose
probes here, so that all of them mean the same by "best". t* is the first position whose best layer
exceeds a threshold. Source: Kudo et al., arXiv:2412.01113, section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any


def best_layers(
    probe_rows: Iterable[Mapping[str, Any]], variable: int, score: str = "score"
) -> dict[int, Mapping[str, Any]]:
    """{t: the row of the layer with the highest score at t}, the lowest such layer, in order of t.

    probe_rows: of a task.
    variable: its index.
    score: the key of the accuracy, `score` or `heldout_score`, or of another share of such rows.
    Positions without a score are omitted.
    """
    best: dict[int, Mapping[str, Any]] = {}
    for row in sorted(probe_rows, key=lambda row: (row["relative_position"], row["layer"])):
        if row["variable"] != variable or row.get(score) is None:
            continue
        t = row["relative_position"]
        if t not in best or row[score] > best[t][score]:
            best[t] = row
    return best


def first_readable(
    best: Mapping[int, Mapping[str, Any]], threshold: float, score: str = "score"
) -> Mapping[str, Any] | None:
    """The row of t*: the first position at which the best layer's accuracy exceeds `threshold`.

    best: as of `best_layers`.
    threshold: an accuracy.
    score: the key whose value must exceed it: an accuracy, or the lower end of its interval.
    None if there is no such position.
    """
    return next((row for row in best.values() if row[score] > threshold), None)


def record_scores(
    best: Mapping[int, Mapping[str, Any]], score: str = "score"
) -> list[Mapping[str, Any]]:
    """The rows of `best` whose score exceeds the scores of all rows before them.

    best: as of `best_layers` with this `score`.
    t* of any threshold is the first record above it.
    """
    records: list[Mapping[str, Any]] = []
    for row in best.values():
        if not records or row[score] > records[-1][score]:
            records.append(row)
    return records


def best_before_and_after(
    best: Mapping[int, Mapping[str, Any]], score: str = "score"
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """The rows with the highest score before the chain of thought begins, and in it.

    best: as of `best_layers` with this `score`.
    Among equal scores, the first position is taken; None if there is no score.
    """
    before = (row for t, row in best.items() if t < 0)
    after = (row for t, row in best.items() if t >= 0)
    return (
        max(before, key=itemgetter(score), default=None),
        max(after, key=itemgetter(score), default=None),
    )

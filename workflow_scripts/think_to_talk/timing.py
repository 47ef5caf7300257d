"""When a variable's value becomes readable: t*, its equation, accuracy before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

#: {column of the timing table: what people call it}, in order.
COLUMNS = {
    "model": "model",
    "seed": "seed",
    "task": "task",
    "variable": "variable",
    "t_star": "t*",
    "t_star_equation": "t*eq",
    "layer": "layer",
    "score": "score",
    "acc_before": "before CoT",
    "acc_after": "after CoT",
    "cot_accuracy": "CoT accuracy",
    "n_test": "test rows",
}


def best_layers(
    probe_rows: Iterable[Mapping[str, Any]], variable: int
) -> dict[int, Mapping[str, Any]]:
    """{t: the row of the layer with the highest score at t}, the lowest such layer, in order of t.

    Positions without a score are left out.
    """
    best: dict[int, Mapping[str, Any]] = {}
    for row in sorted(probe_rows, key=lambda row: (row["relative_position"], row["layer"])):
        if row["variable"] != variable or row["score"] is None:
            continue
        t = row["relative_position"]
        if t not in best or row["score"] > best[t]["score"]:
            best[t] = row
    return best


def first_readable(
    best: Mapping[int, Mapping[str, Any]], threshold: float
) -> Mapping[str, Any] | None:
    """The row of t*: the first position at which the best layer's accuracy exceeds `threshold`.

    best: as of `best_layers`. None if there is no such position. (Kudo et al., section 4.)
    """
    return next((row for row in best.values() if row["score"] > threshold), None)


def record_scores(best: Mapping[int, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of `best` whose score exceeds all before them.

    t* of any threshold is the first of these above it.
    """
    records: list[Mapping[str, Any]] = []
    for row in best.values():
        if not records or row["score"] > records[-1]["score"]:
            records.append(row)
    return records


def best_before_and_after(
    best: Mapping[int, Mapping[str, Any]],
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """The rows with the highest score before the chain of thought begins, and from there on.

    best: as of `best_layers`. The first such position; None where there is no score.
    """
    before = (row for t, row in best.items() if t < 0)
    after = (row for t, row in best.items() if t >= 0)
    return (
        max(before, key=itemgetter("score"), default=None),
        max(after, key=itemgetter("score"), default=None),
    )


def timing_rows(
    probe_rows: Sequence[Mapping[str, Any]],
    generations: Sequence[Mapping[str, Any]],
    threshold: float,
    identity: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The timing of each variable of a task.

    t* is counted from the first CoT token. generations: what the model wrote for the test rows.
    identity: model, seed and task.
    """
    cot_accuracy = sum(row["correct"] for row in generations) / len(generations)
    rows = []
    for variable in sorted({row["variable"] for row in probe_rows}):
        best = best_layers(probe_rows, variable)
        star = first_readable(best, threshold) or {}
        before, after = best_before_and_after(best)
        rows.append(
            {
                **identity,
                "variable": variable,
                "t_star": star.get("relative_position"),
                "t_star_equation": star.get("equation"),
                "layer": star.get("layer"),
                "score": star.get("score"),
                "acc_before": before and before["score"],
                "acc_after": after and after["score"],
                "cot_accuracy": cot_accuracy,
                "n_test": len(generations),
            }
        )
    return rows

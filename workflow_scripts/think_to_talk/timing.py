"""When a variable's value becomes readable: t*, its equation, accuracy before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: Columns of the timing table, in order.
COLUMNS = (
    "model",
    "seed",
    "task",
    "variable",
    "t_star",
    "t_star_equation",
    "layer",
    "score",
    "acc_before",
    "acc_after",
    "cot_accuracy",
    "n_test",
)
#: What people call them.
HEADINGS = (
    *("model", "seed", "task", "variable", "t*", "t*eq", "layer", "score"),
    *("before CoT", "after CoT", "CoT accuracy", "test rows"),
)


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


def timing_rows(
    probe_rows: Sequence[Mapping[str, Any]],
    generations: Sequence[Mapping[str, Any]],
    threshold: float,
    identity: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The timing of each variable of a task.

    t* is the first position, counted from the first CoT token, at which the best layer's accuracy
    exceeds `threshold` (Kudo et al., section 4). generations: what the model wrote for the test
    rows. identity: model, seed and task.
    """
    cot_accuracy = sum(row["correct"] for row in generations) / len(generations)
    rows = []
    for variable in sorted({row["variable"] for row in probe_rows}):
        best = best_layers(probe_rows, variable)
        star = next((row for row in best.values() if row["score"] > threshold), {})
        rows.append(
            {
                **identity,
                "variable": variable,
                "t_star": star.get("relative_position"),
                "t_star_equation": star.get("equation"),
                "layer": star.get("layer"),
                "score": star.get("score"),
                "acc_before": max((row["score"] for t, row in best.items() if t < 0), default=None),
                "acc_after": max((row["score"] for t, row in best.items() if t >= 0), default=None),
                "cot_accuracy": cot_accuracy,
                "n_test": len(generations),
            }
        )
    return rows

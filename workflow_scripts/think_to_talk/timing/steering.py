"""What steering does to each variable: along probes that pass the held-out test, and along others.

The rows come from `steering.rows`. A probe that fails the test may have memorised what operands
give (`probes.heldout`); whether a model follows such a probe less often than one that passes is
what the table shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from statistics import fmean
from typing import Any

#: {group of probes: `passes_held_out` of its rows}; a plain number has no expression to hold out.
GROUPS: dict[str, bool | None] = {"passing": True, "failing": False, "unmeasured": None}

_IDENTITY = ("model", "seed", "task", "variable", "factor")

_COLUMNS_OF_GROUP = (
    *("places", "best", "best_ci_low", "best_ci_high", "best_t", "best_layer"),
    *("mean", "random_mean"),
)

#: Columns of the table, in order.
COLUMNS = (
    *_IDENTITY,
    *(f"{group}_{column}" for group in GROUPS for column in _COLUMNS_OF_GROUP),
)

#: {column: heading} in the Markdown and HTML tables.
VISIBLE_COLUMNS = {
    "model": "model",
    "seed": "seed",
    "task": "task",
    "variable": "variable",
    "factor": "factor",
    **{
        f"{group}_{column}": f"{group}: {heading}"
        for group in GROUPS
        for column, heading in (
            ("places", "places"),
            ("best", "best"),
            ("best_t", "at t"),
            ("mean", "mean"),
            ("random_mean", "random"),
        )
    },
}


def table_rows(tasks: Iterable[list[Mapping[str, Any]]]) -> Iterator[dict[str, Any]]:
    """A row per model, seed, task, variable and factor (schemas/steered_row.schema.yaml).

    tasks: the rows of each task, of a model and seed.
    """
    for rows in tasks:
        for key in sorted({(row["variable"], row["factor"]) for row in rows}):
            alike = [row for row in rows if (row["variable"], row["factor"]) == key]
            columns = {column: alike[0][column] for column in _IDENTITY}
            for group, passes in GROUPS.items():
                chosen = [row for row in alike if row["passes_held_out"] is passes]
                columns |= {f"{group}_{name}": value for name, value in _summary(chosen).items()}
            yield columns


def _summary(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How often the model follows, over the places of a group where it was steered.

    rows: of both kinds of steps.
    """
    kinds: dict[str, list[Mapping[str, Any]]] = {"probe": [], "random": []}
    for row in rows:
        # Nothing is steered where a probe is not accurate enough, or no row can be.
        if row["n"]:
            kinds[row["kind"]].append(row)
    places = sorted(kinds["probe"], key=itemgetter("relative_position", "layer"))
    best = max(places, key=itemgetter("follows"), default=None)
    return {
        "places": len(places),
        "best": best and best["follows"],
        "best_ci_low": best and best["follows_ci_low"],
        "best_ci_high": best and best["follows_ci_high"],
        "best_t": best and best["relative_position"],
        "best_layer": best and best["layer"],
        "mean": _mean(places),
        "random_mean": _mean(kinds["random"]),
    }


def _mean(rows: list[Mapping[str, Any]]) -> float | None:
    """The mean of `follows`, each place counted once; None without any."""
    return fmean(row["follows"] for row in rows) if rows else None

"""The view that the explorer opens on: the variable whose clocks tell most different dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def opening_view(results: Sequence[Row]) -> dict[str, Any]:
    """Model, seed, task and variable between whose dates lies the largest share of the positions.

    results: each of `data.result_data`.
    Of several, the first. Without clocks it is the first variable of the first result.
    """
    views = [(result, variable) for result in results for variable in result["variables"]]
    result, variable = max(views, key=lambda view: _spread(*view))
    return {
        **{key: result[key] for key in ("model", "seed", "task")},
        "variable": variable["name"],
    }


def _spread(result: Row, variable: Row) -> float:
    """The positions between the first and the last date of a variable, as a share of all."""
    dates = [date for date in (variable["clocks"] or {}).values() if date is not None]
    if not dates:
        return 0.0
    return (max(dates) - min(dates)) / len(result["positions"]["symbol"])

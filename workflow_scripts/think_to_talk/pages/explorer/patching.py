"""What the explorer shows of patching one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.pages.explorer.shares import SHARE, rounded

Row = Mapping[str, Any]


def patching_data(rows: Sequence[Row]) -> dict[str, Any]:
    """Patching of one task, pairs that both runs solve.

    `edits`: their names. `sliding`: the grid, a list of `edit`, `answer` (the equation whose
    number is asked for), `variable` (its name, or null), `n` pairs, and `cells`: `[first layer,
    last layer, equation, score, ci_low, ci_high]`, `score` being the success rate. `whole`: `edit`,
    `spec`, `n`, `score`, `ci_low`, `ci_high` of patches of whole parts, and of the config's own.
    """
    solved = [row for row in rows if row["rows"] == "solved" and row["donor"] == "paired"]
    grids: dict[tuple[str, int], dict[str, Any]] = {}
    for row in solved:
        if row["kind"] != "sliding":
            continue
        key = (row["edit"], row["answer_equation"])
        variable = row["variable"]
        start = {
            "edit": row["edit"],
            "answer": row["answer_equation"],
            "variable": None if variable is None else variable_symbol(variable),
            "n": row["n"],
            "cells": [],
        }
        cell = [row["layers"][0], row["layers"][-1], row["equation"], *_success(row).values()]
        grids.setdefault(key, start)["cells"].append(cell)
    whole = [
        {"edit": row["edit"], "spec": row["spec"], "n": row["n"], **_success(row)}
        for row in solved
        if row["kind"] != "sliding"
    ]
    edits = list(dict.fromkeys(row["edit"] for row in solved))
    return {"edits": edits, "sliding": list(grids.values()), "whole": whole}


def _success(row: Row) -> dict[str, float | None]:
    names = ("success", "success_ci_low", "success_ci_high")
    return {key: rounded(row[name]) for key, name in zip(SHARE, names, strict=True)}

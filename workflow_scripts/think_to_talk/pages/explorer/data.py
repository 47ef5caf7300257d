"""What the explorer shows of a study: numbers only, small enough to travel inside of a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from think_to_talk.files.jsonl import read_jsonl, read_probe_rows
from think_to_talk.formulas.symbols import NO_SYMBOL, variable_symbol
from think_to_talk.timing.best_probes import best_layers, record_scores
from think_to_talk.timing.roles import Roles, role_colours, role_label, variable_roles
from think_to_talk.timing.symbol_axis import equation_names
from think_to_talk.timing.text import position_ceilings

Row = Mapping[str, Any]

Rows = Sequence[Row]

#: An accuracy or rate with its interval.
SHARE = ("score", "ci_low", "ci_high")

#: Digits of numbers that are only looked at; t* follows from all of them.
_DIGITS = 4


def result_data(
    identity: Row, probes: Rows, timing: Rows, patching: Rows, ceilings: Rows = ()
) -> dict[str, Any]:
    """One model, seed and task.

    identity: those three. probes, timing: its rows. patching: its rows, or none. ceilings: the
    task's, or none of an existing dataset.

    Returned are `identity` and: `layers`, the saved ones; `positions`, columns of what is there
    (`symbol`, `symbol_index`, `equation`, `token` of the first test row); `cot_start`, the position
    that is t = 0; `equations`, {number: symbols}; `cot_accuracy`, `n_test`; `variables`, see
    `_named` and `_variable`; and `patching`, see `_patching`, or null.
    """
    layers = sorted({row["layer"] for row in probes})
    roles = variable_roles(probes)
    positions = {row["position"]: row for row in probes}
    in_order = [positions[p] for p in sorted(positions)]
    columns = {key: [row[key] for row in in_order] for key in ("symbol_index", "equation", "token")}
    symbols = [row["symbol"] if row["symbol_index"] is not None else NO_SYMBOL for row in in_order]
    return {
        **identity,
        "layers": layers,
        "positions": {"symbol": symbols, **columns},
        "cot_start": sum(row["relative_position"] < 0 for row in in_order),
        "equations": {str(number): name for number, name in equation_names(probes).items()},
        "cot_accuracy": timing[0]["cot_accuracy"],
        "n_test": timing[0]["n_test"],
        "variables": [
            {
                **_named(row["variable"], roles),
                **_variable(probes, row, layers, len(in_order), ceilings),
            }
            for row in timing
        ],
        "patching": _patching(patching) if patching else None,
    }


def _named(variable: int, roles: Roles) -> dict[str, str]:
    """The `name` of a variable, its `label` with its role, and its role's `colour`."""
    return {
        "name": variable_symbol(variable),
        "label": role_label(variable, roles[variable]),
        "colour": role_colours(roles)[variable],
    }


def _variable(
    probes: Rows, timing: Row, layers: Sequence[int], n_positions: int, ceilings: Rows
) -> dict[str, Any]:
    """The probes of one variable: what `_accuracy` says of its accuracy, and the rest.

    `heldout`: the same of its held-out accuracy, or null if it has none. `value`: the variable's in
    the first test row. `chance`, `t_text`. `ceiling`: [positions], or null if not known.
    """
    own = [row for row in probes if row["variable"] == timing["variable"]]
    ceiling = position_ceilings(own, ceilings, timing["variable"])
    heldout = None
    if any(row["heldout_score"] is not None for row in own):
        best = timing["heldout_before"], timing["heldout_after"]
        heldout = _accuracy(own, layers, n_positions, best, "heldout_")
    best = timing["acc_before"], timing["acc_after"]
    return {
        **_accuracy(own, layers, n_positions, best),
        "heldout": heldout,
        "value": own[0]["answer"][0],
        "chance": own[0]["chance"],
        "t_text": timing["t_text"],
        "ceiling": [_rounded(value) for value in ceiling.values()] or None,
    }


def _accuracy(
    own: Rows,
    layers: Sequence[int],
    n_positions: int,
    best: tuple[float | None, float | None],
    prefix: str = "",
) -> dict[str, Any]:
    """An accuracy of one variable.

    own: its probe rows. best: the highest accuracy before and in the chain of thought. prefix: of
    the accuracy's keys in probe rows.

    `score`, `ci_low`, `ci_high`: [layers][positions], null where there is no probe. `records`:
    `[position, layer, score, t, equation]` wherever the best layer's accuracy exceeds all before:
    t* of any threshold is the first record above it. `readings` ([layers][positions], -1 for none):
    what the probes say in the first test row. `acc_before`, `acc_after`: `best`.
    """
    grids: dict[str, list[list[Any]]] = {
        key: [[None] * n_positions for _ in layers] for key in SHARE
    }
    readings = [[-1] * n_positions for _ in layers]
    for row in own:
        layer, position = layers.index(row["layer"]), row["position"]
        for key in SHARE:
            grids[key][layer][position] = _rounded(row[f"{prefix}{key}"])
        if row[f"{prefix}predictions"]:
            readings[layer][position] = row[f"{prefix}predictions"][0]
    score = f"{prefix}score"
    columns = ("position", "layer", score, "relative_position", "equation")
    records = record_scores(best_layers(own, own[0]["variable"], score), score)
    return {
        **grids,
        "records": [[row[key] for key in columns] for row in records],
        "readings": readings,
        "acc_before": best[0],
        "acc_after": best[1],
    }


def _patching(rows: Rows) -> dict[str, Any]:
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
    return {key: _rounded(row[name]) for key, name in zip(SHARE, names, strict=True)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def read_results(
    results: Sequence[Row],
    probes: Sequence[str],
    timing: Sequence[str],
    patched: Sequence[Row],
    patching: Sequence[str],
    ceilings: Mapping[str, Rows],
) -> Iterator[dict[str, Any]]:
    """`result_data` of each model, seed and task, reading one's files at a time.

    results: what each is (model, seed and task). probes, timing: its files. patched, patching:
    those of them that were patched, and the files of that. ceilings: {task: its rows}.
    """
    names = ("model", "seed", "task")
    file_of = {
        tuple(result[name] for name in names): file
        for result, file in zip(patched, patching, strict=True)
    }
    for result, probe_file, timing_file in zip(results, probes, timing, strict=True):
        more = file_of.get(tuple(result[name] for name in names))
        yield result_data(
            result,
            read_probe_rows(probe_file),
            read_jsonl(timing_file),
            read_jsonl(more) if more else [],
            ceilings.get(result["task"], ()),
        )


def study_data(results: Iterable[Mapping[str, Any]], threshold: float) -> dict[str, Any]:
    """The whole study: `results`, each of `result_data`, and the threshold that t* is shown at."""
    return {"threshold": threshold, "results": list(results)}

"""What the explorer shows of a study: numbers only, small enough to travel inside of a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from think_to_talk.files.jsonl import read_jsonl, read_probe_rows
from think_to_talk.files.possibly_empty import read_any
from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.pages.explorer.examples import (
    N_EXAMPLES,
    choose_examples,
    encode_predictions,
    example_data,
    examples_each,
)
from think_to_talk.pages.explorer.lanes import LANES, lane_dates
from think_to_talk.pages.explorer.opening import opening_view
from think_to_talk.pages.explorer.patching import patching_data
from think_to_talk.pages.explorer.shares import Shares, rounded, share_of, with_places
from think_to_talk.timing.best_probes import best_layers, record_scores
from think_to_talk.timing.roles import Roles, role_colours, role_label, variable_roles
from think_to_talk.timing.symbol_axis import equation_names, shown_symbol
from think_to_talk.timing.text import position_ceilings

Row = Mapping[str, Any]

Rows = Sequence[Row]


def result_data(
    identity: Row,
    probes: Rows,
    timing: Rows,
    patching: Rows = (),
    ceilings: Rows = (),
    clocks: Rows = (),
    generations: Rows = (),
    n_examples: int = N_EXAMPLES,
) -> dict[str, Any]:
    """One model, seed and task.

    identity: those three.
    probes, timing: its rows.
    patching: its rows, or none.
    ceilings: the task's, or none of an existing dataset.
    clocks: its rows, or none.
    generations: its rows of the test split, or none of published probe rows.
    n_examples: the most examples.

    Returned are `identity` and: `layers`, the saved ones; `positions`, columns of what is there
    (`symbol`, `symbol_index`, `equation`, `token` of the first test row); `cot_start`, the position
    that is t = 0; `equations`, {number: symbols}; `cot_accuracy`, `n_test`; `examples`, see
    `examples.example_data`; `variables`, see `_named` and `_variable`; and `patching`, see
    `patching.patching_data`, or null.
    """
    layers = sorted({row["layer"] for row in probes})
    roles = variable_roles(probes)
    positions = {row["position"]: row for row in probes}
    in_order = [positions[p] for p in sorted(positions)]
    columns = {key: [row[key] for row in in_order] for key in ("symbol_index", "equation", "token")}
    symbols = list(map(shown_symbol, in_order))
    shown = choose_examples(generations, n_examples)
    place_of = {number: place for place, number in enumerate(probes[0]["sample_ids"])}
    # Without examples the map shows the first test row.
    samples = [place_of[row["row"]] for row in shown] or [0]
    clock_of = {row["variable"]: row for row in clocks}
    return {
        **identity,
        "layers": layers,
        "positions": {"symbol": symbols, **columns},
        "cot_start": sum(row["relative_position"] < 0 for row in in_order),
        "equations": {str(number): name for number, name in equation_names(probes).items()},
        "cot_accuracy": timing[0]["cot_accuracy"],
        "n_test": timing[0]["n_test"],
        "examples": [
            example_data(row, in_order, [each["variable"] for each in timing]) for row in shown
        ],
        "variables": [
            {
                **_named(row["variable"], roles),
                **_variable(
                    [each for each in probes if each["variable"] == row["variable"]],
                    row,
                    layers,
                    samples,
                    ceilings,
                    clock_of.get(row["variable"]),
                ),
            }
            for row in timing
        ],
        "patching": patching_data(patching) if patching else None,
    }


def _named(variable: int, roles: Roles) -> dict[str, str]:
    """The `name` of a variable, its `label` with its role, and its role's `colour`."""
    return {
        "name": variable_symbol(variable),
        "label": role_label(variable, roles[variable]),
        "colour": role_colours(roles)[variable],
    }


def _variable(
    own: Rows,
    timing: Row,
    layers: Sequence[int],
    samples: Sequence[int],
    ceilings: Rows,
    clock: Row | None,
) -> dict[str, Any]:
    """The probes of one variable: what `_accuracy` says of its accuracy, and the rest.

    own: its probe rows.
    samples: the test rows that are shown, as places among all of them.
    clock: its row of the clocks, if there is one.

    `heldout`: the same of its held-out accuracy, or null if it has none. `values`: [samples] the
    variable's. `chance`, `t_text`. `ceiling`: [positions], or null if not known. `clocks`: as of
    `lanes.lane_dates`, and `sentence`, the dates in words; both null without a row of the clocks.
    """
    ceiling = position_ceilings(own, ceilings, timing["variable"])
    heldout = None
    if any(row["heldout_score"] is not None for row in own):
        best = timing["heldout_before"], timing["heldout_after"]
        heldout = _accuracy(own, layers, samples, best, "heldout_")
    best = timing["acc_before"], timing["acc_after"]
    return {
        **_accuracy(own, layers, samples, best),
        "heldout": heldout,
        "values": [own[0]["answer"][sample] for sample in samples],
        "chance": own[0]["chance"],
        "t_text": timing["t_text"],
        "ceiling": [rounded(value) for value in ceiling.values()] or None,
        "clocks": lane_dates(clock, has_ceiling=bool(ceiling)) if clock else None,
        "sentence": clock["sentence"] if clock else None,
    }


def _accuracy(
    own: Rows,
    layers: Sequence[int],
    samples: Sequence[int],
    best: tuple[float | None, float | None],
    prefix: str = "",
) -> dict[str, Any]:
    """An accuracy of one variable.

    own: its probe rows.
    samples: as of `_variable`.
    best: the highest accuracy before and in the chain of thought.
    prefix: of the accuracy's keys in probe rows.

    `shares`: [layers][positions] of (score, ci_low, ci_high), null where there is no probe.
    `records`: `[position, layer, score, t, equation]` wherever the best layer's accuracy exceeds
    all before: t* of any threshold is the first record above it. `readings`: [layers][samples]
    what the probes say, as of `examples.encode_predictions`. `acc_before`, `acc_after`: `best`.
    """
    by_layer = {
        layer: sorted((row for row in own if row["layer"] == layer), key=itemgetter("position"))
        for layer in layers
    }
    predictions = [[row[f"{prefix}predictions"] for row in rows] for rows in by_layer.values()]
    score = f"{prefix}score"
    columns = ("position", "layer", score, "relative_position", "equation")
    records = record_scores(best_layers(own, own[0]["variable"], score), score)
    return {
        "shares": [[share_of(row, prefix) for row in rows] for rows in by_layer.values()],
        "records": [[row[key] for key in columns] for row in records],
        "readings": [encode_predictions(of_layer, samples) for of_layer in predictions],
        "acc_before": best[0],
        "acc_after": best[1],
    }


def _short(value: Any) -> Any:
    """A value of a table: fractions are rounded."""
    return rounded(value) if isinstance(value, float) else value


def by_result(results: Sequence[Row], files: Sequence[str]) -> dict[tuple[Any, ...], str]:
    """{(model, seed, task): its file}."""
    return {_key(result): file for result, file in zip(results, files, strict=True)}


def _key(result: Row) -> tuple[Any, ...]:
    return result["model"], result["seed"], result["task"]


def read_results(
    results: Sequence[Row],
    probes: Sequence[str],
    timing: Sequence[str],
    clocks: Sequence[str],
    patching: Mapping[tuple[Any, ...], str],
    generations: Mapping[tuple[Any, ...], str],
    ceilings: Mapping[str, Rows],
) -> Iterator[dict[str, Any]]:
    """`result_data` of each model, seed and task, reading one's files at a time.

    results: what each is (model, seed and task).
    probes, timing: its files.
    clocks: the file of its model and seed.
    patching, generations: as of `by_result`, of those results that have them.
    ceilings: {task: its rows}.
    """
    for result, probe_file, timing_file, clocks_file in zip(
        results, probes, timing, clocks, strict=True
    ):
        patching_file, written_file = patching.get(_key(result)), generations.get(_key(result))
        yield result_data(
            result,
            read_probe_rows(probe_file),
            read_jsonl(timing_file),
            read_any(patching_file) if patching_file else [],
            ceilings.get(result["task"], ()),
            [row for row in read_jsonl(clocks_file) if row["task"] == result["task"]],
            read_jsonl(written_file) if written_file else [],
            examples_each(len(results)),
        )


def study_data(
    results: Iterable[Row], threshold: float, summary: Mapping[str, Rows]
) -> dict[str, Any]:
    """The whole study.

    results: each of `result_data`.
    summary: {name of a table of the study: its rows}.

    Returned are `results`, whose `shares` are places in `shares`, a list of (score, ci_low,
    ci_high); `opening`, the
    view that the page opens on; `threshold`, which t* is shown at first and all
    other dates have; `lanes`, {lane of the clocks: its `label` and `definition`}; and `tables`,
    {name: its `columns` and its `rows` as lists}, of those that have rows.
    """
    tables = {
        name: {"columns": list(rows[0]), "rows": [list(map(_short, row.values())) for row in rows]}
        for name, rows in summary.items()
        if rows
    }
    lanes = {
        lane: {"label": label, "definition": definition}
        for lane, (label, definition) in LANES.items()
    }
    shares = Shares()
    made = [with_places(result, shares) for result in results]
    return {
        "threshold": threshold,
        "opening": opening_view(made),
        "lanes": lanes,
        "tables": tables,
        "shares": list(shares),
        "results": made,
    }

"""Tables of the controls: the rows of each control for one model.

`controls.results` reads the files; the rule `control` writes the rows, `control_table` joins those
of all models, and `figures.controls` draws some of them. Each table compares the best
probe of each variable before and after the chain of thought begins with what could explain its
accuracy otherwise, or recomputes t* under other thresholds and seeds.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from think_to_talk.controls.results import Result, Row
from think_to_talk.intervals import wilson_interval
from think_to_talk.timing.best_probes import best_layers, first_readable


def control_rows(
    control: str, model: str, results: Iterable[Result], options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The table of a control for one model.

    control: its key in the config's `controls`.
    model: written to every row.
    results: of each seed and task.
    options: keyword arguments of the control's function.
    """
    return [{"model": model, **row} for row in _CONTROLS[control](results, **options)]


def selectivity_rows(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """Selectivity of each variable's best probes (Hewitt and Liang, arXiv:1909.03368).

    Selectivity is the accuracy on the answers minus the accuracy of the control probe at the same
    layer and position on control labels: a probe that memorises scores well on both.
    """
    for result in results:
        control = {_key(row): row for row in result.compared}
        for place, row in result.best_probes():
            control_row = control[_key(row)] if row else None
            accuracy, control_accuracy = _score(row), _score(control_row)
            yield {
                **place,
                **_where(row),
                "accuracy": accuracy,
                "control_accuracy": control_accuracy,
                "selectivity": _difference(accuracy, control_accuracy),
                "control_chance": None if control_row is None else control_row["chance"],
            }


def untrained_rows(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """The best accuracy of the model and of its untrained copy, each at its best probe."""
    for result in results:
        untrained = Result(result.seed, result.task, result.compared).best_probes()
        chance = {row["variable"]: row["chance"] for row in result.probes}
        for (place, row), (_, untrained_row) in zip(result.best_probes(), untrained, strict=True):
            accuracy, untrained_accuracy = _score(row), _score(untrained_row)
            yield {
                **place,
                **_where(row),
                "accuracy": accuracy,
                **{f"untrained_{column}": value for column, value in _where(untrained_row).items()},
                "untrained_accuracy": untrained_accuracy,
                "difference": _difference(accuracy, untrained_accuracy),
                "chance": chance[place["variable"]],
            }


def wrong_row_rows(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """Accuracy of the best probes on all test rows, and on those the model got right and wrong.

    The probe is the same for all three: the one that is best on all rows. A correct generation in
    other tokens than the gold chain's is among all rows only: its hidden states stand elsewhere.
    """
    for result in results:
        wrote = {row["row"]: row for row in result.compared}
        # All probes of a task are scored on the same rows.
        numbers = result.probes[0]["sample_ids"]
        groups = {
            "all": numbers,
            "right": [number for number in numbers if wrote[number]["aligned"]],
            "wrong": [number for number in numbers if not wrote[number]["correct"]],
        }
        for place, row in result.best_probes():
            table_row = {**place, **_where(row)}
            for name, group in groups.items():
                table_row |= _share(name, group, row)
            yield table_row


def _share(name: str, group: Sequence[int], row: Row | None) -> dict[str, Any]:
    """Size of a group of test rows, a probe's accuracy on it and its Wilson 95 % interval.

    name: of the group, which its columns end with.
    group: numbers of test rows.
    row: the probe's; nulls if it is None, or if the group is empty.
    """
    share, low, high = None, None, None
    if row and group:
        columns = (row["sample_ids"], row["predictions"], row["answer"])
        correct = {
            number
            for number, prediction, answer in zip(*columns, strict=True)
            if prediction == answer
        }
        hits = len(correct.intersection(group))
        share, (low, high) = hits / len(group), wilson_interval(hits, len(group))
    return {
        f"n_{name}": len(group),
        f"accuracy_{name}": share,
        f"ci_low_{name}": low,
        f"ci_high_{name}": high,
    }


def threshold_rows(
    results: Iterable[Result], thresholds: Sequence[float]
) -> Iterator[dict[str, Any]]:
    """t* of each variable for each threshold."""
    for result in results:
        for variable in result.variables():
            best = best_layers(result.probes, variable)
            for threshold in thresholds:
                star = first_readable(best, threshold) or {}
                yield {
                    "seed": result.seed,
                    "task": result.task,
                    "variable": variable,
                    "threshold": threshold,
                    "t_star": star.get("relative_position"),
                    "t_star_equation": star.get("equation"),
                    "layer": star.get("layer"),
                    "score": star.get("score"),
                }


#: Columns of the timing table whose mean and range over seeds are shown.
_SHARES = ("acc_before", "acc_after", "heldout_before", "heldout_after", "cot_accuracy")


def seed_rows(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """Mean, standard deviation and range over seeds of the timing table's shares, and t* of each.

    Rows of different seeds are never pooled: a seed is another draw of problems, and of a trained
    model another training.
    A t* of null (never readable) counts as a value. Among values that equally many seeds have, the
    mode is the first seed's.
    """
    timing: dict[tuple[str, int], list[Row]] = {}
    seeds: list[int] = []
    for result in results:
        if result.seed not in seeds:
            seeds.append(result.seed)
        for row in result.compared:
            timing.setdefault((result.task, row["variable"]), []).append(row)
    for (task, variable), rows in timing.items():
        summary: dict[str, Any] = {"task": task, "variable": variable, "seeds": seeds}
        for column in _SHARES:
            values = [row[column] for row in rows if row[column] is not None]
            summary |= {
                f"{column}_mean": statistics.fmean(values) if values else None,
                f"{column}_std": statistics.stdev(values) if len(values) > 1 else None,
                f"{column}_min": min(values, default=None),
                f"{column}_max": max(values, default=None),
            }
        for column in ("t_star", "t_star_equation"):
            stars = [row[column] for row in rows]
            (mode, count), *_ = Counter(stars).most_common(1)
            summary |= {
                f"{column}_of_seeds": stars,
                f"{column}_mode": mode,
                f"{column}_agreement": count / len(stars),
            }
        yield summary


#: {control: the function of its rows}. It is not in `kinds`, so that a change to a table does not
#: change the code version of scripts that read only the records.
_CONTROLS: dict[str, Callable[..., Iterable[dict[str, Any]]]] = {
    "labels": selectivity_rows,
    "untrained": untrained_rows,
    "wrong_rows": wrong_row_rows,
    "thresholds": threshold_rows,
    "seeds": seed_rows,
}


def _key(row: Row) -> tuple[int, int, int]:
    return row["layer"], row["position"], row["variable"]


def _where(row: Row | None) -> dict[str, int | None]:
    columns = ("layer", "relative_position")
    return {column: None if row is None else row[column] for column in columns}


def _score(row: Row | None) -> float | None:
    return None if row is None else row["score"]


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second

"""Controls for probes: what accuracies and t* owe to the probe, the input, a threshold, a seed."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from think_to_talk.intervals import wilson_interval
from think_to_talk.jsonl import read_jsonl
from think_to_talk.timing import best_before_and_after, best_layers, first_readable

#: What each is about, by its key in the config's `controls`.
TITLES = {
    "labels": "Control labels",
    "untrained": "The model and an untrained copy",
    "wrong_rows": "Rows that the model gets right and wrong",
    "thresholds": "How t* depends on its threshold",
    "seeds": "How much seeds agree",
}

Row = Mapping[str, Any]
Rows = Sequence[Row]


@dataclass(frozen=True)
class Result:
    """What a control reads of one seed and task.

    probes: the model's probe rows. beside: the rows that they are set beside: those of control
    probes or of the untrained copy's probes, generations, or timing rows, as the control asks for.
    """

    seed: int
    task: str
    probes: Rows
    beside: Rows = ()

    def variables(self) -> list[int]:
        """The variables of the task."""
        return sorted({row["variable"] for row in self.probes})

    def best_probes(self) -> Iterator[tuple[dict[str, Any], Row | None]]:
        """(place, row) of the best probe of each variable before and after the CoT begins.

        place: the table's columns seed, task, variable and part (`before` or `after`). row: None
        where there is no score.
        """
        for variable in self.variables():
            best = best_before_and_after(best_layers(self.probes, variable))
            for part, row in zip(("before", "after"), best, strict=True):
                place = {"seed": self.seed, "task": self.task, "variable": variable, "part": part}
                yield place, row


@dataclass(frozen=True)
class Results:
    """A model's results, read one seed and task at a time: probe rows hold all predictions.

    parts: the seed and task of each of the files. beside: as many files, or none.
    """

    parts: Sequence[tuple[int, str]]
    probes: Sequence[str | Path]
    beside: Sequence[str | Path]

    def __iter__(self) -> Iterator[Result]:
        for i, (seed, task) in enumerate(self.parts):
            beside = read_jsonl(self.beside[i]) if self.beside else []
            yield Result(seed, task, read_jsonl(self.probes[i]), beside)


def control_rows(
    control: str, model: str, results: Iterable[Result], options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The table of a control for one model.

    control: its key in the config's `controls`. options: keyword arguments of the control's own.
    """
    return [{"model": model, **row} for row in _CONTROLS[control](results, **options)]


def selectivity_rows(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """Selectivity of each variable's best probes (Hewitt and Liang, arXiv:1909.03368).

    It is the accuracy less that of the control probe of the same layer and position.
    """
    for result in results:
        control = {_key(row): row for row in result.beside}
        for place, row in result.best_probes():
            beside = control[_key(row)] if row else None
            accuracy, control_accuracy = _score(row), _score(beside)
            yield {
                **place,
                **_where(row),
                "accuracy": accuracy,
                "control_accuracy": control_accuracy,
                "selectivity": _difference(accuracy, control_accuracy),
                "control_chance": None if beside is None else beside["chance"],
            }


def untrained_rows(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """The best accuracy of the model and of its untrained copy, each with its own best probe."""
    for result in results:
        untrained = Result(result.seed, result.task, result.beside).best_probes()
        chance = {row["variable"]: row["chance"] for row in result.probes}
        for (place, row), (_, beside) in zip(result.best_probes(), untrained, strict=True):
            accuracy, untrained_accuracy = _score(row), _score(beside)
            yield {
                **place,
                **_where(row),
                "accuracy": accuracy,
                **{f"untrained_{column}": value for column, value in _where(beside).items()},
                "untrained_accuracy": untrained_accuracy,
                "difference": _difference(accuracy, untrained_accuracy),
                "chance": chance[place["variable"]],
            }


def wrong_row_rows(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """Accuracy of the best probes on all test rows, and on those the model got right and wrong.

    The probe is the same for all three: the one that is best on all rows.
    """
    for result in results:
        correct = {row["row"]: row["correct"] for row in result.beside}
        # All probes of a task are scored on the same rows.
        numbers = result.probes[0]["sample_ids"]
        groups = {
            "all": numbers,
            "right": [number for number in numbers if correct[number]],
            "wrong": [number for number in numbers if not correct[number]],
        }
        for place, row in result.best_probes():
            table_row = {**place, **_where(row)}
            for name, group in groups.items():
                table_row |= _share(name, group, row)
            yield table_row


def _share(name: str, group: Sequence[int], row: Row | None) -> dict[str, Any]:
    """Number of a group of rows, a probe's accuracy on them and its Wilson 95 % interval.

    group: row numbers. row: the probe; nulls if it is None, or if the group is empty.
    """
    share, low, high = None, None, None
    if row and group:
        columns = (row["sample_ids"], row["predictions"], row["answer"])
        right = {number for number, said, answer in zip(*columns, strict=True) if said == answer}
        hits = len(right.intersection(group))
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


def seed_rows(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """Mean and standard deviation over seeds of the timing table's shares, and agreement on t*.

    A t* of null (never readable) is a value like any other. Of values that equally many seeds
    have, the first seed's is taken.
    """
    timing: dict[tuple[str, int], list[Row]] = {}
    seeds: list[int] = []
    for result in results:
        if result.seed not in seeds:
            seeds.append(result.seed)
        for row in result.beside:
            timing.setdefault((result.task, row["variable"]), []).append(row)
    for (task, variable), rows in timing.items():
        summary: dict[str, Any] = {"task": task, "variable": variable, "seeds": seeds}
        for column in ("acc_before", "acc_after", "cot_accuracy"):
            values = [row[column] for row in rows if row[column] is not None]
            summary[f"{column}_mean"] = statistics.fmean(values) if values else None
            summary[f"{column}_std"] = statistics.stdev(values) if len(values) > 1 else None
        for column in ("t_star", "t_star_equation"):
            stars = [row[column] for row in rows]
            (mode, count), *_ = Counter(stars).most_common(1)
            summary |= {
                f"{column}_of_seeds": stars,
                f"{column}_mode": mode,
                f"{column}_agreement": count / len(stars),
            }
        yield summary


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

"""How firm t* is: whether the accuracy stays above the threshold, and without choosing a layer.

A first crossing of the threshold can be a single position among many. `timing.table` puts these
measures beside t*.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any


def settled_from(
    best: Mapping[int, Mapping[str, Any]], positions: Collection[int], threshold: float
) -> int | None:
    """The first t from which the best layer's accuracy stays above `threshold` to the chain's end.

    best: as of `timing.best_probes.best_layers`.
    positions: all positions t of the task; one without a score is not above the threshold.
    threshold: an accuracy.
    None if the accuracy at the last position is not above it.
    """
    settled = None
    for t in sorted(positions, reverse=True):
        if t not in best or best[t]["score"] <= threshold:
            break
        settled = t
    return settled


def persistence(
    best: Mapping[int, Mapping[str, Any]],
    positions: Collection[int],
    threshold: float,
    t_star: int | None,
) -> float | None:
    """The share of the positions from t* to the chain's end with an accuracy above `threshold`.

    best, positions, threshold: as of `settled_from`.
    None if there is no t*.
    """
    if t_star is None:
        return None
    following = [t for t in positions if t >= t_star]
    return sum(t in best and best[t]["score"] > threshold for t in following) / len(following)


def crossfit_score(layer_rows: Iterable[Mapping[str, Any]]) -> float | None:
    """The best layer's accuracy, where the layer is chosen on other test rows than it is scored on.

    layer_rows: the probe row of each layer at one position, of one variable.
    The layer is chosen on the test rows with even numbers and scored on those with odd numbers, and
    the other way round; returned is the mean of the two. Among equal layers, the lowest is chosen.
    None if there is no probe, or no test row with an even or with an odd number.
    """
    in_order = sorted(layer_rows, key=lambda row: row["layer"])
    halves = [_half_scores(row) for row in in_order if row["predictions"] is not None]
    if not halves or None in halves[0]:
        return None
    _, odd = max(halves, key=itemgetter(0))
    even, _ = max(halves, key=itemgetter(1))
    return (odd + even) / 2


def _half_scores(row: Mapping[str, Any]) -> Sequence[Any]:
    """(accuracy on test rows with even numbers, with odd ones) of a probe; None without rows."""
    hits: list[list[bool]] = [[], []]
    for number, answer, prediction in zip(
        row["sample_ids"], row["answer"], row["predictions"], strict=True
    ):
        hits[number % 2].append(answer == prediction)
    return [sum(half) / len(half) if half else None for half in hits]

"""Accuracies with their intervals, each kept once: many of a study's probes have the same.

On n test rows there are n + 1 accuracies, whatever the model, layer and position.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

#: An accuracy or rate with its interval.
SHARE = ("score", "ci_low", "ci_high")

#: Digits of numbers that are only looked at, so many that the three shown are those of the number.
_DIGITS = 9

Share = tuple[float | None, ...]


class Shares(dict[Share, int]):
    """{(score, ci_low, ci_high): its place in the order of appearance}."""

    def place(self, share: Share | None) -> int | None:
        """The place of an accuracy, the next one if it is new; None of None."""
        return None if share is None else self.setdefault(share, len(self))


def share_of(row: Row, prefix: str = "") -> Share | None:
    """The accuracy of a probe row and its interval; None without probe.

    prefix: of the accuracy's keys.
    """
    if row[f"{prefix}score"] is None:
        return None
    return tuple(rounded(row[f"{prefix}{key}"]) for key in SHARE)


def with_places(result: Row, shares: Shares) -> dict[str, Any]:
    """A result of `data.result_data` with the places of its accuracies in their stead.

    shares: the study's, to which the result's are added.
    """

    def placed(accuracy: Row) -> dict[str, Any]:
        grid = [[shares.place(share) for share in of_layer] for of_layer in accuracy["shares"]]
        return {**accuracy, "shares": grid}

    variables = [
        {**placed(each), "heldout": each["heldout"] and placed(each["heldout"])}
        for each in result["variables"]
    ]
    return {**result, "variables": variables}


def rounded(value: float | None) -> float | None:
    """A number to be looked at."""
    return None if value is None else round(value, _DIGITS)

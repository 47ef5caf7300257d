"""Rows of datasets and pairs: the base problem of a pair, and whether a generation is correct.

A module of its own because `tokens`, `hidden_states` and `interventions` need these functions, but
not the drawing of problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def base_row(pair: Mapping[str, Any]) -> dict[str, Any]:
    """The base problem of a pair as a dataset row, without the prefix `base_`."""
    return {
        key.removeprefix("base_"): value for key, value in pair.items() if key.startswith("base_")
    }


def is_correct(generation: str, example: Mapping[str, Any]) -> bool:
    """Whether a generation, up to its newline, equals the gold scratchpad, spaces ignored."""
    written = generation.split("\n")[0].replace(" ", "")
    return written == example["scratchpad"].replace(" ", "")

"""Rows of datasets and pairs: the base problem of a pair, and whether a generation is correct.

A module of its own because `tokens`, `hidden_states` and `interventions` need these functions, but
not the drawing of problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from think_to_talk.formulas.symbols import text_symbols


def base_row(pair: Mapping[str, Any]) -> dict[str, Any]:
    """The base problem of a pair as a dataset row, without the prefix `base_`."""
    return {
        key.removeprefix("base_"): value for key, value in pair.items() if key.startswith("base_")
    }


def is_correct(generation: str, example: Mapping[str, Any]) -> bool:
    """Whether a generation, up to its newline, has the symbols of the gold scratchpad.

    Spaces between symbols are ignored; `1 2` is not the number `12`.
    """
    return text_symbols(generation.split("\n")[0]) == text_symbols(example["scratchpad"])

"""The symbol axis: what places of problem and chain of thought are called in files and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NEWLINE = "⏎"
NUMBER = "#"
EITHER_OPERATOR = "±"
#: Stands for a token that completes no symbol, such as a lone space.
NO_SYMBOL = "·"
_BETWEEN_EQUATIONS = (",", ";", NEWLINE)


def variable_symbol(variable: int) -> str:
    """What a variable is called, by its index in definition order: A, B ..."""
    return chr(ord("A") + variable)


def on_symbol_axis(probe_rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The probe rows of tokens that complete a symbol."""
    return [row for row in probe_rows if row["symbol_index"] is not None]


def equation_names(probe_rows: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """{equation: its symbols, without what separates equations}, as they are written."""
    symbols = {
        (row["equation"], row["symbol_index"]): row["symbol"] for row in on_symbol_axis(probe_rows)
    }
    names: dict[int, str] = {}
    for (equation, _), symbol in sorted(symbols.items()):
        if symbol not in _BETWEEN_EQUATIONS:
            names[equation] = f"{names.get(equation, '')}{symbol}"
    return names

"""Probe rows on the symbol axis, which the results of all tokenizers share.

`figures` and `pages` draw along this axis: `tokens.layout` names the symbol of each position, and a
token that completes no symbol, such as those of a chat template, has no place on the axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from think_to_talk.formulas import symbols
from think_to_talk.formulas.symbols import NEWLINE, NO_SYMBOL, TEMPLATE, TEMPLATE_EQUATION

#: Symbols between equations, and after the last.
SEPARATORS = (*symbols.SEPARATORS, NEWLINE)


def on_symbol_axis(probe_rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The probe rows of tokens that complete a symbol."""
    return [row for row in probe_rows if row["symbol_index"] is not None]


def shown_symbol(row: Mapping[str, Any]) -> str:
    """What stands for a position: its symbol, `·` where it completes none, `▪` of a template."""
    completes = row["symbol_index"] is not None or row["symbol"] == TEMPLATE
    return str(row["symbol"]) if completes else NO_SYMBOL


def equation_names(probe_rows: Sequence[Mapping[str, Any]]) -> dict[float, str]:
    """{equation: its symbols, without separators, or its words}, in the order of writing.

    The tokens of a chat template, if there are any, are a part of their own, `template`.
    """
    symbols = {
        (row["equation"], row["symbol_index"]): row["symbol"] for row in on_symbol_axis(probe_rows)
    }
    parts: dict[float, list[str]] = {}
    for (equation, _), symbol in sorted(symbols.items()):
        if symbol not in SEPARATORS:
            parts.setdefault(equation, []).append(symbol)
    has_words = any(len(symbol) > 1 for symbol in symbols.values())
    names = {equation: (" " if has_words else "").join(of) for equation, of in parts.items()}
    if any(row["symbol"] == TEMPLATE for row in probe_rows):
        names[TEMPLATE_EQUATION] = "template"
    return dict(sorted(names.items()))

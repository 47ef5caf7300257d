"""The values that a chain of thought states, as a model wrote it: of equations and of sentences.

An equation states a value as `z = 9`. A sentence states one if it is a sentence of the gold chain
that does, except for the number, so that no wording has to be known. `steering`, `interventions`
and the explorer ask here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from think_to_talk.formulas.symbols import sentences, text_symbols


def final_answer(text: str, row: Mapping[str, Any]) -> str:
    """The final answer of a chain's text, as it was written: what follows the last `=`.

    Of sentences, the number of the last one, or all of it if it is not like the gold chain's last.

    row: of the dataset.
    """
    if "symbolic_source" not in row:
        return text.split("=")[-1].strip()
    written, gold = (sentences(chain)[-1] for chain in (text, row["scratchpad"]))
    return number_in_place(text_symbols(written), text_symbols(gold)) or written.strip()


def stated_result(gold: str, name: str | None, names: Sequence[str | None]) -> list[str]:
    """The symbols of the sentence of a gold chain that states the value of a variable.

    names: of all variables. Such a sentence has the variable's alone, and one number. Empty for an
    equation `name = number`, without such a sentence, and where a name is not known.
    """
    for sentence in sentences("" if None in names else gold):
        symbols = text_symbols(sentence)
        others = [symbol for symbol in symbols if not symbol.isdigit()]
        if len(symbols) - len(others) == 1 and [s for s in others if s in names] == [name]:
            return [] if others == [name, "="] else symbols
    return []


def number_in_place(symbols: Sequence[str], result: Sequence[str]) -> str | None:
    """The number of a sentence that is like another one except for the number; None if it is not.

    symbols, result: of the two sentences.
    """
    if len(symbols) != len(result):
        return None
    pairs = zip(symbols, result, strict=True)
    if not all(one == other or (one.isdigit() and other.isdigit()) for one, other in pairs):
        return None
    return next((symbol for symbol in symbols if symbol.isdigit()), None)

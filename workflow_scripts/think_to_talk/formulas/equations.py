"""Equations as text: `z = 4 - o` as a variable and signed terms, with names or with values.

`formulas.existing_datasets` checks equations with these functions, and `formulas.expressions` reads
expressions with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: `z = 4 - o` without its spaces: a variable, and numbers and variables between signs.
_EQUATION = re.compile(r"([A-Za-z]+)=((?:[A-Za-z]+|\d+)(?:[+-](?:[A-Za-z]+|\d+))*)", re.ASCII)

_TERM = re.compile(r"([+-]?)([A-Za-z]+|\d+)", re.ASCII)

#: A sign, 1 or -1, and a number or the name of a variable.
Term = tuple[int, str]


def read_equation(text: str) -> tuple[str, list[Term]] | None:
    """The variable on the left and the terms on the right; None if the text is no equation."""
    match = _EQUATION.fullmatch(text.replace(" ", ""))
    if match is None:
        return None
    name, right = match.groups()
    return name, [(-1 if sign == "-" else 1, term) for sign, term in _TERM.findall(right)]


def substituted(terms: Iterable[Term], values: Mapping[str, int]) -> list[tuple[int, int]]:
    """The terms as (sign, number), with variables replaced by their values.

    Raises KeyError for a variable without a value.
    """
    return [(sign, int(term) if term.isdigit() else values[term]) for sign, term in terms]

"""Symbols of problems and chains of thought, as files and figures name them.

`tokens.prompts` maps token positions to these symbols, so that the results of all tokenizers share
one axis. Variables are A, B ... in definition order, numbers `#`.
"""

from __future__ import annotations

import string

#: Classes of a probe: the digits that a variable can have as its value.
N_CLASSES = 10

NEWLINE = "⏎"

NUMBER = "#"

EITHER_OPERATOR = "±"

#: Stands for a token that completes no symbol, such as a lone space.
NO_SYMBOL = "·"

#: Stands for a token of a chat template, between the problem and its chain of thought.
TEMPLATE = "▪"

#: The number of the part that these tokens are: between the question, -1, and the chain's first
#: equation, 0.
TEMPLATE_EQUATION = -0.5


def variable_symbol(variable: int) -> str:
    """The name of a variable on the symbol axis, by its index in definition order: A, B ..."""
    return chr(ord("A") + variable)


def variable_number(symbol: str) -> int:
    """The index of a variable in definition order, by its name on the symbol axis."""
    return ord(symbol) - ord("A")


#: All characters of a problem and its chain of thought, except spaces.
SYMBOLS = string.ascii_lowercase + string.digits + "+-=,;?\n"

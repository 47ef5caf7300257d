"""Symbols of problems and chains of thought, as files and figures name them.

`tokens.prompts` maps token positions to these symbols, so that the results of all tokenizers share
one axis. Variables are A, B ... in definition order, numbers `#`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable

#: Classes of a probe where values are single digits: the value itself is the class.
N_CLASSES = 10

#: The largest value of a task, so that a probe has 200 classes at most.
LARGEST_VALUE = 199

NEWLINE = "⏎"

NUMBER = "#"

EITHER_OPERATOR = "±"

#: Symbols between equations: those of symbolic texts, and the full stop between sentences.
SEPARATORS = ",;."

#: Stands for a token that completes no symbol, such as a lone space.
NO_SYMBOL = "·"

#: Stands for a token of a chat template, between the problem and its chain of thought.
TEMPLATE = "▪"

#: The number of the part that these tokens are: between the question, -1, and the chain's first
#: equation, 0.
TEMPLATE_EQUATION = -0.5


#: The digits of a value, from the last one on.
DIGIT_NAMES = ("ones", "tens", "hundreds")

#: Variables at most, so many as capital letters: what is probed beside them, digits of values, has
#: the numbers from here on.
_MOST_VARIABLES = 26


def digit_variable(variable: int, place: int) -> int:
    """The number of a variable's digit in rows, in place of its index: beyond those of variables.

    place: of the digit; 0 for the ones.
    """
    return variable + _MOST_VARIABLES * (1 + place)


def probed_digit(variable: int) -> tuple[int, int | None]:
    """(the index of a variable, the place of its digit) of a number in rows; None for its value."""
    digit, index = divmod(variable, _MOST_VARIABLES)
    return index, digit - 1 if digit else None


def is_digit(variable: int | None) -> bool:
    """Whether a number in rows is that of a variable's digit."""
    return variable is not None and variable >= _MOST_VARIABLES


def variable_symbol(variable: int) -> str:
    """The name of a variable on the symbol axis, by its index in definition order: A, B ...

    Of a variable's digit, by its number (`digit_variable`), its name: `A tens`.
    """
    index, digit = probed_digit(variable)
    name = chr(ord("A") + index)
    return name if digit is None else f"{name} {DIGIT_NAMES[digit]}"


def variable_number(symbol: str) -> int:
    """The index of a variable in definition order, by its name on the symbol axis."""
    return ord(symbol) - ord("A")


#: All characters of a problem and its chain of thought, except spaces; names that are words have
#: others.
SYMBOLS = string.ascii_lowercase + string.digits + "+-=,;?\n"

#: Of the models that the study trains: the token of what they do not know, and what the tokens of a
#: number's further digits begin with.
UNKNOWN, DIGIT_PREFIX = "<unk>", "##"

#: A name, a number, or any other character but a space.
_SYMBOL = re.compile(r"[A-Za-z]+|[0-9]+|[^ ]")


def n_classes(largest: int) -> int:
    """The classes of the probes of a task: all values from 0 on, ten at least.

    largest: value of a variable. A class whose value no row has is never predicted.
    """
    return max(N_CLASSES, largest + 1)


def vocabulary(words: Iterable[str] = (), largest: int = 9) -> list[str]:
    """The tokens of a model that the study trains, in the order of their ids.

    words: what variables may be called, beside letters.
    largest: number of its tasks.
    """
    further = [DIGIT_PREFIX + digit for digit in string.digits] if largest > 9 else []
    return [UNKNOWN, *SYMBOLS, *sorted(set(words) - set(SYMBOLS)), *further]


def sentences(chain: str) -> list[str]:
    """The equations or sentences of a chain of thought."""
    return re.split(f"[{SEPARATORS}]", chain)


def symbol_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each symbol of a text, in characters: a name or a number is one symbol."""
    return [match.span() for match in _SYMBOL.finditer(text)]


def text_symbols(text: str) -> list[str]:
    """The symbols of a text."""
    return _SYMBOL.findall(text)

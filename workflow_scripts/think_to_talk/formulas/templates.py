"""Templates: how the equations of a task's problems are built.

A task's entry in the config lists equations such as `v1 = num ± v0`; `num` is a fresh number, `±`
any allowed operator, `|` separates alternatives, and `/` the forms that share the place of one.
`formulas.sampling` draws problems from the template; `formulas.edits` and
`formulas.altered_chains` change them.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.wording_entries import read_wording
from think_to_talk.formulas.wordings import SYMBOLIC, Statement, Wording

_NUMBER = "num"

_VARIABLE = r"v([0-9]{1,3})"

_EQUATION = re.compile(rf"{_VARIABLE}\s*=\s*(.+)")

#: Variables are A to Z in results.
_MOST_EQUATIONS = 26

#: The most states of a template whose problems are counted: for each choice of alternatives, the
#: values of the variables that later equations use. The paper's templates have under a thousand.
_MOST_STATES = 50_000


@dataclass(frozen=True)
class Form:
    """The right-hand side of an equation: one operand, or two joined by an operator.

    An operand is the index of an earlier variable, or None for a fresh number.
    """

    operands: tuple[int | None, ...]
    operator: str = ""

    def evaluate(self, values: tuple[int, ...]) -> int:
        """The value of the form, its operands replaced by `values`."""
        if self.operator == "":
            return values[0]
        return values[0] + values[1] if self.operator == "+" else values[0] - values[1]

    @property
    def kind(self) -> str:
        """The kind of statement (`formulas.wordings`) that it makes in a problem."""
        operands = tuple(0 if operand is None else "" for operand in self.operands)
        return Statement("", operands, self.operator).kind(in_chain=False)


@dataclass(frozen=True)
class Template:
    """How the problems of a task are built.

    alternatives: for each variable in definition order, the right-hand sides that it may have; each
        is one form, or one form per operator.
    weights: the share of each alternative before any is rejected; those of a variable sum to 1.
    order: how the equations are written: `in_order`, `reversed` or `shuffled`.
    low, high: the range, both ends included, of every number, value and intermediate result.
    names: what variables may be called, letters or words; all are as likely.
    ask_any: whether any variable may be asked for, instead of the last one.
    draw: `even`, alternatives have the shares that their weights say; `rejection`, alternatives and
        numbers are drawn together, and again if a value is out of range, so that alternatives which
        seldom are in range are rarer.
    wording: how problems and chains of thought are written.
    """

    alternatives: tuple[tuple[tuple[Form, ...], ...], ...]
    weights: tuple[tuple[Fraction, ...], ...]
    order: str
    low: int = 0
    high: int = 9
    names: tuple[str, ...] = tuple(string.ascii_lowercase)
    ask_any: bool = False
    draw: str = "even"
    wording: Wording = SYMBOLIC

    @classmethod
    def from_config(cls, entry: Mapping[str, Any]) -> Template:
        """Read a template from its config entry, defaults filled in.

        Raises InputError for an equation that cannot be read or that uses a later variable, and for
        a wording that could not be read back.
        """
        operators, equations = entry["operators"], entry["equations"]
        names = _read_names(entry)
        low, high = entry["values"]
        if low > high:
            raise InputError(f"values [{low}, {high}] is empty: give the smaller value first")
        if len(equations) > len(names):
            raise InputError(
                f"{len(equations)} equations need as many distinct names, only {len(names)} allowed"
            )
        if len(equations) > _MOST_EQUATIONS:
            raise InputError(f"{len(equations)} equations, expected at most {_MOST_EQUATIONS}")
        read = [_read_equation(i, equation, operators) for i, equation in enumerate(equations)]
        alternatives = tuple(tuple(weights) for weights in read)
        _check_size(alternatives, high - low + 1)
        return cls(
            alternatives=alternatives,
            weights=tuple(tuple(weights.values()) for weights in read),
            order=entry["order"],
            low=low,
            high=high,
            names=names,
            ask_any=entry["ask"] == "any",
            draw=entry["draw"],
            wording=_read_wording(entry, names, alternatives),
        )

    def variants(self) -> list[tuple[Template, Fraction]]:
        """(the template with one alternative per equation, its weight) of each choice of them.

        The weight is that of the alternatives, before any is rejected.
        """
        return [
            (
                replace(self, alternatives=tuple((forms,) for forms in picked)),
                prod(weights, start=Fraction(1)),
            )
            for picked, weights in zip(
                product(*self.alternatives), product(*self.weights), strict=True
            )
        ]

    @property
    def n_draws(self) -> int:
        """The number of ways to draw operators and numbers, whether values are in range or not."""
        n_values = self.high - self.low + 1
        return prod(
            sum(n_values ** form.operands.count(None) for forms in equation for form in forms)
            for equation in self.alternatives
        )


def _read_names(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """What variables may be called. Raises InputError for words that differ in case alone."""
    if entry["names"] == "letters":
        return tuple(string.ascii_lowercase[: entry["letters"]])
    words: dict[str, str] = {}
    for word in entry["names"]:
        other = words.setdefault(word.lower(), word)
        if other != word:
            raise InputError(f"names: {other!r} and {word!r} differ in case alone; drop one")
    return tuple(entry["names"])


def _read_wording(
    entry: Mapping[str, Any],
    names: tuple[str, ...],
    alternatives: Sequence[Sequence[Sequence[Form]]],
) -> Wording:
    """How problems are written: symbolically, unless the entry says otherwise."""
    if "wording" not in entry:
        return SYMBOLIC
    kinds = {form.kind for equation in alternatives for forms in equation for form in forms}
    return read_wording(entry["wording"], names, kinds)


def _read_equation(
    index: int, equation: str, operators: list[str]
) -> dict[tuple[Form, ...], Fraction]:
    """Read `v1 = num ± v0 | num` as {alternative: weight}, `±` standing for each allowed operator.

    The forms of an alternative that are separated by `/` share its weight.
    """
    match = _EQUATION.fullmatch(equation.strip())
    if match is None or int(match[1]) != index:
        raise InputError(f"equation {equation!r} must read 'v{index} = ...' at place {index}")
    alternatives = [part.split("/") for part in match[2].split("|")]
    forms: dict[tuple[Form, ...], Fraction] = {}
    for parts in alternatives:
        for part in parts:
            read = _read_forms(part, index, equation, operators)
            share = Fraction(1, len(parts) * len(alternatives))
            forms[read] = forms.get(read, Fraction(0)) + share
    return forms


def _read_forms(text: str, index: int, equation: str, operators: list[str]) -> tuple[Form, ...]:
    """Read `num ± v0`, one form per allowed operator."""
    words = text.split()
    if len(words) not in (1, 3):
        raise InputError(
            f"{text.strip()!r} in equation {equation!r} must be one operand, or two operands "
            "joined by '+', '-' or '±', separated by spaces"
        )
    operands = tuple(_read_operand(word, index, equation) for word in words[::2])
    if len(words) == 1:
        return (Form(operands),)
    if words[1] not in ("+", "-", "±"):
        raise InputError(f"operator {words[1]!r} in equation {equation!r}: use '+', '-', '±'")
    allowed = operators if words[1] == "±" else [words[1]]
    return tuple(Form(operands, operator) for operator in allowed)


def _read_operand(word: str, index: int, equation: str) -> int | None:
    if word == _NUMBER:
        return None
    match = re.fullmatch(_VARIABLE, word)
    if match is None or int(match[1]) >= index:
        raise InputError(
            f"operand {word!r} in equation {equation!r} must be 'num' or an earlier variable"
        )
    return int(match[1])


def _check_size(alternatives: Sequence[Sequence[Sequence[Form]]], n_values: int) -> None:
    """Raise InputError if counting the problems of a template takes longer than about a second.

    alternatives: as of `Template`.
    n_values: number of values that a variable can have.
    """
    uses = last_use(alternatives)
    states = sum(
        n_values ** sum(1 for variable in range(index) if uses.get(variable, -1) >= index)
        for index in range(len(alternatives))
    )
    choices = prod(map(len, alternatives))
    if choices * states > _MOST_STATES:
        raise InputError(
            f"equations: {choices} choices of alternatives times {states} values of variables that "
            f"later equations use are more than {_MOST_STATES}: give fewer alternatives, or use "
            "variables sooner"
        )


def last_use(alternatives: Sequence[Sequence[Sequence[Form]]]) -> dict[int, int]:
    """{variable: the last equation that uses it, in any alternative}."""
    return {
        operand: i
        for i, equation in enumerate(alternatives)
        for forms in equation
        for form in forms
        for operand in form.operands
        if operand is not None
    }

"""Expressions of variables, and their cut into the parts that held-out probes never see.

The expression of a variable in a row is the right-hand side of its equation with variables replaced
by their values, e.g. `4 + 5`. Single digits allow few expressions, so a linear probe can memorise
the result of each from hidden states that merely carry both operands. A probe that is right about
expressions that it was never trained on has not memorised them. `probes.heldout` fits such probes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from think_to_talk.formulas.equations import Term, read_equation, substituted
from think_to_talk.formulas.symbols import variable_symbol


@dataclass(frozen=True, order=True)
class Expression:
    """Signed numbers and their sum.

    value: the sum.
    text: as in `4 + 5`, the added numbers first and each kind ascending, so that `a + b` and
        `b + a` are one expression.
    has_operator: whether there are two numbers or more.
    """

    value: int
    text: str
    has_operator: bool

    @classmethod
    def of(cls, terms: Iterable[tuple[int, int]]) -> Expression:
        """The expression of terms (sign, number), at least one of which is added."""
        ordered = sorted(terms, key=lambda term: (-term[0], term[1]))
        text = "".join(f" {'+' if sign > 0 else '-'} {number}" for sign, number in ordered)
        value = sum(sign * number for sign, number in ordered)
        return cls(value, text.removeprefix(" + "), len(ordered) > 1)


#: The expression of each variable of a row, in definition order.
Expressions = list[Expression | None]


def expressions(row: Mapping[str, Any]) -> Expressions:
    """The expression of each variable of a dataset row, in definition order.

    None where the problem does not have exactly one equation of the variable, or an operand has no
    value.
    """
    names = [question.removesuffix(" =") for question in row["intermediate_questions"]]
    values = dict(zip(names, row["intermediate_answers"], strict=True))
    right: dict[str, list[Term] | None] = {}
    for equation in row["source"].rpartition(";")[0].split(","):
        read = read_equation(equation.strip())
        if read is not None:
            # A second equation of the same variable leaves open which one is meant.
            right[read[0]] = None if read[0] in right else read[1]
    found: Expressions = []
    for name in names:
        terms = right.get(name)
        known = terms and all(term.isdigit() or term in values for _, term in terms)
        found.append(Expression.of(substituted(terms, values)) if terms and known else None)
    return found


def cut(union: Iterable[Expression], n_folds: int, seed: int) -> dict[str, int]:
    """The part of each expression, {text: part in [0, n_folds)}.

    The expressions are sorted by value, those of one value by a hash of seed and text, and dealt to
    the parts in turn. So sizes of parts differ by at most one, in all and for each value, and the
    order of rows does not matter.
    """

    def drawn(expression: Expression) -> tuple[int, bytes]:
        digest = hashlib.sha256(f"{seed} {expression.text}".encode()).digest()
        return expression.value, digest

    ordered = sorted(set(union), key=drawn)
    return {expression.text: number % n_folds for number, expression in enumerate(ordered)}


@dataclass(frozen=True)
class Cut:
    """The cut of a task's expressions, one per variable.

    n_folds: parts, one held-out probe for each.
    parts: per variable, {text of an expression: its part}; None for a variable that has none: a
        number or a copy in all rows, or unreadable.
    unreadable: variables of which a row has no readable expression.
    """

    n_folds: int
    parts: tuple[dict[str, int] | None, ...]
    unreadable: tuple[int, ...]

    @classmethod
    def of(cls, rows: Iterable[Expressions], n_folds: int, seed: int) -> Cut:
        """The cut over all expressions of some rows.

        rows: the `expressions` of all dataset rows to train and to test on, whatever the model
            wrote, so that all models of a seed share a cut.
        n_folds: parts.
        seed: the study's.
        """
        parts: list[dict[str, int] | None] = []
        unreadable = []
        for variable, column in enumerate(zip(*rows, strict=True)):
            readable = [expression for expression in column if expression is not None]
            if len(readable) < len(column):
                unreadable.append(variable)
                parts.append(None)
            elif any(expression.has_operator for expression in readable):
                parts.append(cut(readable, n_folds, seed))
            else:
                parts.append(None)
        return cls(n_folds, tuple(parts), tuple(unreadable))

    @property
    def warning(self) -> str | None:
        """What to say of variables whose expressions cannot be read."""
        if not self.unreadable:
            return None
        names = ", ".join(map(variable_symbol, self.unreadable))
        return (
            f"the expression of variable {names} cannot be read from every row's source (expected "
            "one equation such as 'b = 1 + a'); its held-out scores are null"
        )

    def parts_of(self, rows: Sequence[Expressions]) -> torch.Tensor:
        """The part of each row's expression, [variables, rows]; -1 for a variable without one."""
        found = torch.full((len(self.parts), len(rows)), -1)
        for variable, parts in enumerate(self.parts):
            if parts is not None:
                texts = [expression.text for row in rows if (expression := row[variable])]
                found[variable] = torch.tensor([parts[text] for text in texts], dtype=torch.long)
        return found

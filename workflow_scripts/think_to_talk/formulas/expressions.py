"""Expressions of variables: the right-hand sides of equations, with values in place of variables.

The expression of a variable in a row is e.g. `4 + 5`. Single digits allow few expressions, so many
rows of a dataset share one. `probes.cut` keeps some of them from probes, and `timing.bootstrap`
resamples rows by expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from think_to_talk.formulas.equations import Term, read_equation, substituted


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
    value. Free text gives its expressions itself; a target without one counts as a number.
    """
    names = [question.removesuffix(" =") for question in row["intermediate_questions"]]
    values = dict(zip(names, row["intermediate_answers"], strict=True))
    if "spans" in row:
        given = row.get("expressions", {})
        return [Expression(values[name], given.get(name, ""), name in given) for name in names]
    right: dict[str, list[Term] | None] = {}
    source = row.get("symbolic_source", row["source"])
    for equation in source.rpartition(";")[0].split(","):
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


def with_operator(column: Sequence[Expression | None]) -> list[Expression] | None:
    """The expressions of a variable in some rows, if it has an operator in one of them at least.

    column: of each row, as of `expressions`.
    None if it is a number or a copy in all rows, or if the expression of a row is unknown.
    """
    readable = [expression for expression in column if expression is not None]
    if len(readable) < len(column) or not any(found.has_operator for found in readable):
        return None
    return readable


def expression_texts(rows: Iterable[Mapping[str, Any]]) -> list[list[str] | None]:
    """Per variable, the expression of each dataset row as text; None as of `with_operator`."""
    columns = zip(*map(expressions, rows), strict=True)
    return [
        [expression.text for expression in found] if (found := with_operator(column)) else None
        for column in columns
    ]

"""Steered chains: what a problem's chain of thought is, had a variable another value.

`steering` moves a hidden state until a probe of the variable says the other value, and compares
what the model then writes with these chains. The values are those of `formulas.altered_chains`: the
rest of the chain continues from the other value, all values stay in range, and the final answer is
another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from think_to_talk.formulas.altered_chains import AlteredResult, intermediate_variables
from think_to_talk.formulas.equations import read_equation
from think_to_talk.formulas.problems import Problem
from think_to_talk.formulas.templates import Form, Template


def steered_variables(template: Template) -> list[int]:
    """The variables that can be steered, in definition order.

    These are the answer and all that it depends on, except copies of another variable: the value of
    a copy can be read off its equation.
    """
    answer = len(template.alternatives) - 1
    forms = [form for alternative in template.alternatives[answer] for form in alternative]
    is_copy = any(form.operator == "" and form.operands[0] is not None for form in forms)
    return [*intermediate_variables(template), *([] if is_copy else [answer])]


def steered_chains(row: Mapping[str, Any], template: Template, variable: int) -> dict[int, str]:
    """{another value of the variable: the chain of thought that continues from it}.

    row: of a dataset of the template, with its whole chain.
    variable: one of `steered_variables`.
    Values are left out after which a later value is out of range or the final answer is the same.
    """
    problem = replace(read_problem(row), wording=template.wording)
    variants = AlteredResult(template, variable).variants(problem)
    return {variant.values[variable]: variant.scratchpad for variant in variants}


def read_problem(row: Mapping[str, Any]) -> Problem:
    """The problem that a dataset row of a template was written from."""
    names = tuple(question.removesuffix(" =") for question in row["intermediate_questions"])
    equations, _, question = row.get("symbolic_source", row["source"]).rpartition(";")
    forms: dict[int, Form] = {}
    numbers: dict[int, tuple[int, ...]] = {}
    for equation in equations.split(","):
        read = read_equation(equation)
        assert read is not None, equation
        name, terms = read
        variable = names.index(name)
        operands = tuple(None if term.isdigit() else names.index(term) for _, term in terms)
        operator = "" if len(terms) == 1 else "-" if terms[1][0] < 0 else "+"
        forms[variable] = Form(operands, operator)
        numbers[variable] = tuple(int(term) for _, term in terms if term.isdigit())
    variables = range(len(names))
    return Problem(
        names=names,
        forms=tuple(forms[variable] for variable in variables),
        numbers=tuple(numbers[variable] for variable in variables),
        values=tuple(row["intermediate_answers"]),
        order=tuple(forms),
        asked=names.index(question.split()[0]),
    )

"""Inconsistent pairs: chains of thought that state one wrong result and continue from it.

`formulas.counterfactuals` draws the pairs; `interventions.inconsistent_chains` lets a model
continue the altered chain and compares its final answer with the answers of both chains, which
shows whether the model uses what the chain states or what it computed before.
Source: Kudo et al., arXiv:2412.01113, section 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from think_to_talk.formulas.counterfactuals import (
    draw_pairs,
    needed_variables,
    possible_forms,
    usable,
    values_of,
)
from think_to_talk.formulas.problems import Problem
from think_to_talk.formulas.templates import Template

#: Keys of a row that are the problem's, and not its chain's.
_PROBLEM_KEYS = ("source", "symbolic_source")


@dataclass(frozen=True)
class AlteredResult:
    """Gives a variable another value, from which the chain of thought continues.

    template: of the problems that it changes.
    variable: whose stated result is wrong.
    """

    template: Template
    variable: int

    def variants(self, problem: Problem) -> list[Problem]:
        """The problem with every other value for the variable.

        If the variable's equation is a single number, that number is replaced too.
        """
        others = [
            value
            for value in range(self.template.low, self.template.high + 1)
            if value != problem.values[self.variable]
        ]
        numbers = list(problem.numbers)
        changed = []
        for value in others:
            if problem.forms[self.variable].operator == "":
                numbers[self.variable] = (value,)
            values = values_of(problem, {self.variable: value})
            changed.append(replace(problem, numbers=tuple(numbers), values=values))
        return usable(changed, problem, self.template)


def intermediate_variables(template: Template) -> list[int]:
    """The variables whose result an altered chain can state wrong, in definition order.

    These are the variables that the last one depends on, in any alternative, except copies of
    another variable: the result of a copy can be read off its equation.
    """
    needed = needed_variables(template) - {len(template.alternatives) - 1}
    copies = {
        variable
        for variable in needed
        for form in possible_forms(template, variable)
        if form.operator == "" and form.operands[0] is not None
    }
    return sorted(needed - copies)


def draw_inconsistent_pairs(
    template: Template, pairs: int, seed: int, splits: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Draw pairs for each intermediate variable; the variant's chain states its result wrong.

    pairs: how many to draw for each variable.
    seed: the study's.
    splits: the rows of all splits.
    Both problems of a pair are the same. Rows are as of `draw_pairs`, with the additional key
    `altered_variable`.
    """
    for variable in intermediate_variables(template):
        for row in draw_pairs(AlteredResult(template, variable), pairs, seed, splits):
            problem = {key: row[f"base_{key}"] for key in _PROBLEM_KEYS if key in row}
            yield {**row, **problem, "altered_variable": variable}

"""One problem, its chain of thought, and its row of a dataset.

`formulas.sampling` makes problems from a template. The chain of thought is solved backwards from
the variable that is asked for: an equation, the equations of its variables, then the equation again
with their values. Source: Kudo et al., arXiv:2412.01113.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from think_to_talk.formulas.templates import Form
from think_to_talk.formulas.wordings import SYMBOLIC, Statement, Wording


@dataclass(frozen=True)
class Problem:
    """One problem; its tuples are in definition order of the variables.

    names: the name of each variable.
    forms: the right-hand side of each equation.
    numbers: the fresh numbers of each equation.
    values: the value of each variable.
    order: variables in the order in which their equations are written.
    asked: the variable that the question asks for.
    wording: how all of it is written.
    """

    names: tuple[str, ...]
    forms: tuple[Form, ...]
    numbers: tuple[tuple[int, ...], ...]
    values: tuple[int, ...]
    order: tuple[int, ...]
    asked: int
    wording: Wording = SYMBOLIC

    def statement(self, variable: int, *, substituted: bool = False) -> Statement:
        """`z = 4 - o`, or with its variables substituted by their values, `z = 4 - 4`."""
        fresh = iter(self.numbers[variable])
        written = self.values if substituted else self.names
        form = self.forms[variable]
        operands = [next(fresh) if name is None else written[name] for name in form.operands]
        return Statement(self.names[variable], tuple(operands), form.operator)

    @cached_property
    def source(self) -> str:
        """The problem as the model reads it."""
        statements = (self.statement(variable) for variable in self.order)
        return self.wording.source(statements, self.names[self.asked])

    @property
    def scratchpad(self) -> str:
        """The chain of thought: backtracking from the asked variable (TASK: CoT rule)."""
        return self.wording.chain(self.solve())

    def solve(self) -> Iterator[Statement]:
        """The statements of the chain of thought."""
        return self._solve(self.asked, set())

    def _solve(self, variable: int, solved: set[int]) -> Iterator[Statement]:
        equation = self.statement(variable)
        result = Statement(self.names[variable], (self.values[variable],))
        yield equation
        used = dict.fromkeys(name for name in self.forms[variable].operands if name is not None)
        unsolved = [name for name in used if name not in solved]
        for name in unsolved:
            if name not in solved:
                yield from self._solve(name, solved)
        if unsolved:
            yield equation
        substituted = self.statement(variable, substituted=True)
        if used and substituted != result:
            yield substituted
        if equation != result:
            yield result
        solved.add(variable)

    def row(self) -> dict[str, Any]:
        """The problem as a dataset row, its keys in the order in which they are written.

        A worded one has the problem in symbols, too, and what its operators are written as.
        """
        scratchpad = self.scratchpad
        row: dict[str, Any] = {
            "source": self.source,
            "target": f" {scratchpad}\n",
            "original_answer": str(self.values[self.asked]),
            "intermediate_questions": [f"{name} =" for name in self.names],
            "intermediate_answers": list(self.values),
            "scratchpad": scratchpad,
        }
        if not self.wording.is_symbolic:
            row["symbolic_source"] = replace(self, wording=SYMBOLIC).source
            row["operator_words"] = self.wording.operator_words
        return row

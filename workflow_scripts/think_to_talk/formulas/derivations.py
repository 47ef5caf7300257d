"""Derivations: which variables of a task must be computed, and how many steps each takes.

`findings` asks of answers that take several steps, of numbers that the problem states, and of
values that the answer needs. Source of the number of steps: Kudo et al., arXiv:2412.01113.
"""

from __future__ import annotations

from dataclasses import dataclass

from think_to_talk.formulas.templates import Form, Template


@dataclass(frozen=True)
class Derivation:
    """How the values of a task's variables are derived, in the same way in all of its problems.

    computed: per variable, the variables with an operator that its value follows from, itself
        included.
    """

    computed: tuple[frozenset[int], ...]

    @classmethod
    def of(cls, template: Template) -> Derivation | None:
        """The derivation of a template's problems; None if it differs between them."""
        if template.ask_any:
            return None
        computed: list[frozenset[int]] = []
        for variable, alternatives in enumerate(template.alternatives):
            forms = [form for alternative in alternatives for form in alternative]
            ways = {_computed_for(form, variable, computed) for form in forms}
            if len(ways) > 1:
                return None
            computed += ways
        return cls(tuple(computed))

    @property
    def asked(self) -> int:
        """The variable that is asked for."""
        return len(self.computed) - 1

    def steps(self, variable: int) -> int:
        """The number of operations that a variable's value takes; 0 for a number or its copy."""
        return len(self.computed[variable])

    def is_needed(self, variable: int) -> bool:
        """Whether a variable has to be computed for the answer; the answer itself has, too."""
        return variable in self.computed[self.asked]


def _computed_for(form: Form, variable: int, computed: list[frozenset[int]]) -> frozenset[int]:
    used = [computed[operand] for operand in form.operands if operand is not None]
    return frozenset({variable} if form.operator else ()).union(*used)

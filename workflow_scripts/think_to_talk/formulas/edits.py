"""Edits: the numbers of a problem that are redrawn for a counterfactual pair.

The config names the numbers of an edit; `formulas.counterfactuals` draws pairs with it, and
`interventions.patching` patches hidden states between the two problems of a pair. An edit changes
the answer; that of a distractor, a variable on which the answer does not depend, never does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from think_to_talk.errors import InputError
from think_to_talk.formulas.counterfactuals import (
    in_range,
    needed_variables,
    possible_forms,
    usable,
    values_of,
)
from think_to_talk.formulas.problems import Problem
from think_to_talk.formulas.templates import Template

_PLACE = re.compile(r"v([0-9]{1,3})\.([0-9]{1,3})")

#: The most variants of one problem that an edit may have.
_MOST_VARIANTS = 10_000


@dataclass(frozen=True)
class Edit:
    """Redraws numbers of the problem.

    template: of the problems that it changes.
    places: [(variable, index among the fresh numbers of its equation)].
    """

    template: Template
    places: tuple[tuple[int, int], ...]

    @classmethod
    def from_config(cls, places: Sequence[str], template: Template) -> Edit:
        """Read places such as `v0.2`, the second operand of v0's equation.

        Raises InputError if there is no such operand, if it is not a fresh number, or if there are
        too many places to try all of their numbers.
        """
        variants = (template.high - template.low) ** len(places)
        if variants > _MOST_VARIANTS:
            raise InputError(
                f"{len(places)} numbers can be redrawn in {variants} ways, expected at most "
                f"{_MOST_VARIANTS}: name fewer"
            )
        return cls(template, tuple(_read_place(place, template) for place in places))

    @property
    def is_of_distractors(self) -> bool:
        """Whether the answer depends on no variable that it changes."""
        needed = needed_variables(self.template)
        return all(variable not in needed for variable, _ in self.places)

    def variants(self, problem: Problem) -> list[Problem]:
        """All problems with another number at every place, their values in range.

        Their answer is another one; of distractors, it is the same.
        """
        low, high = self.template.low, self.template.high
        others = [
            [number for number in range(low, high + 1) if number != problem.numbers[v][which]]
            for v, which in self.places
        ]
        changed = []
        for drawn in product(*others):
            numbers = [list(of_variable) for of_variable in problem.numbers]
            for (variable, which), number in zip(self.places, drawn, strict=True):
                numbers[variable][which] = number
            new = replace(problem, numbers=tuple(map(tuple, numbers)))
            changed.append(replace(new, values=values_of(new)))
        if self.is_of_distractors:
            return in_range(changed, self.template)
        return usable(changed, problem, self.template)


def _read_place(place: str, template: Template) -> tuple[int, int]:
    match = _PLACE.fullmatch(place)
    n = len(template.alternatives)
    if match is None or int(match[1]) >= n:
        raise InputError(
            f"{place!r} must read 'v0.2' for the second operand of v0's equation, with a variable "
            f"from v0 to v{n - 1}"
        )
    variable, operand = int(match[1]), int(match[2]) - 1
    which = set()
    for form in possible_forms(template, variable):
        if not 0 <= operand < len(form.operands) or form.operands[operand] is not None:
            raise InputError(f"{place!r}: v{variable}'s equation has no number as that operand")
        which.add(form.operands[:operand].count(None))
    if len(which) > 1:
        raise InputError(f"{place!r}: not the same number in all alternatives of v{variable}")
    return variable, which.pop()

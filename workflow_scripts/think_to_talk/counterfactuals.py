"""Counterfactual pairs: a problem, and what becomes of it when numbers of it are changed.

An *edit* of a task's template names numbers of the problem; they are redrawn, and all that follows
from them with them. An *altered chain* keeps the problem, but its chain of thought gives a wrong
result for one variable and goes on from that. Both problems of a pair have the same symbols but for
numbers, all values in the template's range, and different final answers.
Source: Kudo et al., arXiv:2412.01113, section 5.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, Protocol

from think_to_talk.errors import InputError
from think_to_talk.formulas import Form, Problem, Template, draw_problems

#: The offset of pairs to the study's seed, after those of the splits.
SEED_OFFSET = 4
_PLACE = re.compile(r"v([0-9]{1,3})\.([0-9]{1,3})")
#: Problems that an edit may make of one.
_MOST_VARIANTS = 10_000


class Change(Protocol):
    """A way to change problems of a template."""

    @property
    def template(self) -> Template:
        """Of the problems that it changes."""

    def variants(self, problem: Problem) -> list[Problem]:
        """All that it can make of a problem: in range, and with another answer."""


@dataclass(frozen=True)
class Edit:
    """Redraws numbers of the problem: places are (variable, which of its fresh numbers)."""

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

    def variants(self, problem: Problem) -> list[Problem]:
        """All problems with another number at every place."""
        low, high = self.template.low, self.template.high
        others = [
            [number for number in range(low, high + 1) if number != problem.numbers[v][which]]
            for v, which in self.places
        ]
        changed = []
        for drawn in product(*others):
            numbers = [list(own) for own in problem.numbers]
            for (variable, which), number in zip(self.places, drawn, strict=True):
                numbers[variable][which] = number
            new = replace(problem, numbers=tuple(map(tuple, numbers)))
            changed.append(replace(new, values=_values(new)))
        return _usable(changed, problem, self.template)


@dataclass(frozen=True)
class AlteredResult:
    """Gives a variable another value, from which the chain goes on."""

    template: Template
    variable: int

    def variants(self, problem: Problem) -> list[Problem]:
        """The problem with every other value for the variable.

        A variable that is a number by definition is defined as another.
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
            values = _values(problem, {self.variable: value})
            changed.append(replace(problem, numbers=tuple(numbers), values=values))
        return _usable(changed, problem, self.template)


def _values(problem: Problem, given: Mapping[int, int] | None = None) -> tuple[int, ...]:
    """The values of the variables that follow from the numbers, but for those that are given."""
    given = given or {}
    values: list[int] = []
    for variable, (form, own) in enumerate(zip(problem.forms, problem.numbers, strict=True)):
        fresh = iter(own)
        operands = [next(fresh) if name is None else values[name] for name in form.operands]
        values.append(given.get(variable, form.evaluate(tuple(operands))))
    return tuple(values)


def _usable(changed: Sequence[Problem], problem: Problem, template: Template) -> list[Problem]:
    answer = problem.values[problem.asked]
    return [
        new
        for new in changed
        if all(template.low <= value <= template.high for value in new.values)
        and new.values[new.asked] != answer
    ]


def _forms(template: Template, variable: int) -> list[Form]:
    """All right-hand sides that a variable's equation may have."""
    return [form for forms in template.alternatives[variable] for form in forms]


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
    for form in _forms(template, variable):
        if not 0 <= operand < len(form.operands) or form.operands[operand] is not None:
            raise InputError(f"{place!r}: v{variable}'s equation has no number as that operand")
        which.add(form.operands[:operand].count(None))
    if len(which) > 1:
        raise InputError(f"{place!r}: not the same number in all alternatives of v{variable}")
    return variable, which.pop()


def intermediate_variables(template: Template) -> list[int]:
    """The variables whose results a chain can give wrong before the last one's, in order.

    These are all that its value follows from, in any alternative, but for mere copies of another
    variable: what their result is one reads off the equation itself.
    """
    needed: set[int] = set()
    waiting = [len(template.alternatives) - 1]
    while waiting:
        used = {
            name
            for form in _forms(template, waiting.pop())
            for name in form.operands
            if name is not None
        }
        waiting.extend(used - needed)
        needed |= used
    copies = {
        variable
        for variable in needed
        for form in _forms(template, variable)
        if form.operator == "" and form.operands[0] is not None
    }
    return sorted(needed - copies)


def draw_pairs(
    change: Change, pairs: int, seed: int, splits: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """So many pairs; all bases and variants are distinct, and none is in the task's splits.

    Each base problem is drawn as the rows of a split are; its variant is one of all, equally
    likely. A row is the variant's, with the base's keys as `base_…`; both have the few-shot
    examples of the splits. seed: the study's. splits: the rows of all splits.
    Raises InputError if fewer pairs can be drawn.
    """
    rows = list(splits)
    taken = {row["source"] for row in rows}
    context = next((row["few_shot_context"] for row in rows if "few_shot_context" in row), "")
    seed += SEED_OFFSET
    choose = random.Random(seed)
    drawn = 0
    for base in draw_problems(change.template, seed, taken):
        if drawn == pairs:
            return
        free = [
            variant
            for variant in change.variants(base)
            if variant.source == base.source or variant.source not in taken
        ]
        if free:
            variant = choose.choice(free)
            taken.add(variant.source)
            drawn += 1
            yield _pair_row(variant, base, context)
    if drawn < pairs:
        raise InputError(
            f"only {drawn} of {pairs} pairs can be drawn: ask for fewer (interventions.pairs), "
            "edit other numbers, or widen values or letters"
        )


def _pair_row(variant: Problem, base: Problem, context: str) -> dict[str, Any]:
    own, of_base = ({**problem.row(), "few_shot_context": context} for problem in (variant, base))
    return {**own, **{f"base_{key}": value for key, value in of_base.items()}}


def base_row(pair: Mapping[str, Any]) -> dict[str, Any]:
    """The base problem of a pair, under a dataset row's own keys."""
    return {
        key.removeprefix("base_"): value for key, value in pair.items() if key.startswith("base_")
    }


def check_edits(task: Mapping[str, Any]) -> None:
    """Raise InputError for an edit of a task's config entry that its template does not allow."""
    for name, places in task["edits"].items():
        try:
            edit = Edit.from_config(places, Template.from_config(task))
            problems = islice(draw_problems(edit.template, 0, set()), 100)
            if not any(map(edit.variants, problems)):
                raise InputError(f"{places} never change the answer")
        except InputError as error:
            raise InputError(f"edits.{name}: {error}") from None


def draw_inconsistent_pairs(
    template: Template, pairs: int, seed: int, splits: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """So many pairs for each intermediate variable, whose result the variant's chain gives wrong.

    Both problems are the same. Rows as of `draw_pairs`, with the key `altered_variable`.
    """
    for variable in intermediate_variables(template):
        for row in draw_pairs(AlteredResult(template, variable), pairs, seed, splits):
            yield {**row, "source": row["base_source"], "altered_variable": variable}

"""Counterfactual pairs: a problem (the base) and a variant of it, mostly with another answer.

`formulas.edits` makes variants by redrawing numbers of the problem, with the values that follow
from them. `formulas.altered_chains` keeps the problem, but its chain of thought states a wrong
result for one variable and continues from that result. The two problems of a pair have the same
symbols except for numbers, and all values are in the template's range. `interventions` runs a model
on both. Source: Kudo et al., arXiv:2412.01113, section 5.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from think_to_talk.errors import InputError
from think_to_talk.formulas.cuts import Chain, shortened
from think_to_talk.formulas.problems import Problem
from think_to_talk.formulas.sampling import draw_problems
from think_to_talk.formulas.templates import Form, Template

#: Added to the study's seed to draw pairs; the offsets of the splits are smaller.
SEED_OFFSET = 4


class Change(Protocol):
    """A way to change problems of a template."""

    @property
    def template(self) -> Template:
        """The template of the problems that it changes."""

    def variants(self, problem: Problem) -> list[Problem]:
        """All variants of a problem, their values in range."""


def values_of(problem: Problem, given: Mapping[int, int] | None = None) -> tuple[int, ...]:
    """The value of each variable, in definition order, computed from the numbers of the problem.

    given: {variable: a value that replaces the computed one}.
    """
    given = given or {}
    values: list[int] = []
    for variable, (form, numbers) in enumerate(zip(problem.forms, problem.numbers, strict=True)):
        fresh = iter(numbers)
        operands = [next(fresh) if name is None else values[name] for name in form.operands]
        values.append(given.get(variable, form.evaluate(tuple(operands))))
    return tuple(values)


def usable(changed: Sequence[Problem], problem: Problem, template: Template) -> list[Problem]:
    """The changed problems whose values are in range and whose final answer differs."""
    answer = problem.values[problem.asked]
    return [new for new in in_range(changed, template) if new.values[new.asked] != answer]


def in_range(changed: Sequence[Problem], template: Template) -> list[Problem]:
    """The changed problems whose values are in range."""
    return [
        new
        for new in changed
        if all(template.low <= value <= template.high for value in new.values)
    ]


def possible_forms(template: Template, variable: int) -> list[Form]:
    """All right-hand sides that a variable's equation may have."""
    return [form for forms in template.alternatives[variable] for form in forms]


def needed_variables(template: Template) -> set[int]:
    """The variables that the answer depends on, in any alternative, itself included."""
    n = len(template.alternatives)
    needed = set(range(n)) if template.ask_any else {n - 1}
    for variable in reversed(range(n)):
        if variable in needed:
            forms = possible_forms(template, variable)
            needed |= {name for form in forms for name in form.operands if name is not None}
    return needed


def draw_pairs(
    change: Change,
    pairs: int,
    seed: int,
    splits: Iterable[Mapping[str, Any]],
    chain: Chain = "full",
) -> Iterator[dict[str, Any]]:
    """Draw pairs; all bases and variants are distinct, and none is in the task's splits.

    Each base problem is drawn as the rows of a split are; its variant is drawn uniformly from all
    its variants. A row is the variant's, with the base's keys as `base_…`; both have the few-shot
    examples of the splits.

    change: makes the variants.
    pairs: how many to draw.
    seed: the study's.
    splits: the rows of all splits.
    chain: of the problems' chains, as of `cuts.shortened`.
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
            yield _pair_row(*(_row(problem, context, chain) for problem in (variant, base)))
    if drawn < pairs:
        raise InputError(
            f"only {drawn} of {pairs} pairs can be drawn: ask for fewer (interventions.pairs), "
            "edit other numbers, or widen values or names"
        )


def _row(problem: Problem, context: str, chain: Chain) -> dict[str, Any]:
    return {**shortened(problem.row(), chain), "few_shot_context": context}


def _pair_row(variant: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    return {**variant, **{f"base_{key}": value for key, value in base.items()}}

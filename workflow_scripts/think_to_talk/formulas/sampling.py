"""Sampling: random problems of a template, without repetition.

The *problem space* of a template is the finite, indexable set of all problems that fit it. A split
is sampled by drawing indices without replacement, so rows are uniform over the space, never repeat,
and the number of problems left is known exactly. `formulas.datasets` and
`formulas.counterfactuals` draw from it.

Source of the task: Kudo et al., arXiv:2412.01113, sections 2 and 3.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain, islice, product
from math import factorial, perm
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.problems import Problem
from think_to_talk.formulas.templates import Form, Template, last_use


@dataclass(frozen=True)
class _Choice:
    """One way to write an equation: its form, fresh numbers and value."""

    form: Form
    numbers: tuple[int, ...]
    value: int


@dataclass(frozen=True)
class ProblemSpace:
    """All problems of a template, indexable by an integer below `size`.

    Problems are counted by dynamic programming over the values of the variables that later
    equations use, so the space is not enumerated and no draw is rejected.
    """

    template: Template
    _choices: dict[tuple[int, tuple[int | None, ...]], tuple[list[_Choice], list[int]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @cached_property
    def _last_use(self) -> dict[int, int]:
        return last_use(self.template.alternatives)

    def _forget_unused(
        self, values: tuple[int | None, ...], next_index: int
    ) -> tuple[int | None, ...]:
        """Blank the values that no equation from `next_index` on uses, so that states merge."""
        return tuple(
            value if self._last_use.get(variable, -1) >= next_index else None
            for variable, value in enumerate(values)
        )

    def _options(self, state: tuple[int | None, ...]) -> tuple[list[_Choice], list[int]]:
        """The choices for the next equation and the running count of problems they lead to."""
        index = len(state)
        key = (index, state)
        if key not in self._choices:
            choices, counts = [], []
            for choice in self._valid_choices(index, state):
                following = self._forget_unused((*state, choice.value), index + 1)
                choices.append(choice)
                counts.append(self._count(following))
            self._choices[key] = (choices, list(accumulate(counts)))
        return self._choices[key]

    def _valid_choices(self, index: int, state: tuple[int | None, ...]) -> Iterator[_Choice]:
        low, high = self.template.low, self.template.high
        for form in chain.from_iterable(self.template.alternatives[index]):
            n_fresh = form.operands.count(None)
            for numbers in product(range(low, high + 1), repeat=n_fresh):
                fresh = iter(numbers)
                operands = [next(fresh) if v is None else state[v] for v in form.operands]
                value = form.evaluate(tuple(operands))  # type: ignore[arg-type]
                if low <= value <= high:
                    yield _Choice(form, numbers, value)

    def _count(self, state: tuple[int | None, ...]) -> int:
        if len(state) == len(self.template.alternatives):
            return 1
        _, cumulative = self._options(state)
        return cumulative[-1] if cumulative else 0

    @property
    def size(self) -> int:
        """The number of problems: an upper bound of the distinct sources.

        With shuffled equations, two assignments of names can have the same source.
        """
        n = len(self.template.alternatives)
        return (
            self._count(())
            * perm(len(self.template.names), n)
            * (n if self.template.ask_any else 1)
            * (factorial(n) if self.template.order == "shuffled" else 1)
        )

    @property
    def share_in_range(self) -> float:
        """The share of all draws of operators and numbers whose values are in range."""
        return self._count(()) / self.template.n_draws

    def __getitem__(self, index: int) -> Problem:
        """The problem with this index: its mixed-radix digits pick names, order and numbers."""
        template, n = self.template, len(self.template.alternatives)
        index, names = _arrangement(index, template.names, n)
        asked = n - 1
        if template.ask_any:
            index, asked = divmod(index, n)
        order: tuple[int, ...] = tuple(range(n))
        if template.order == "reversed":
            order = order[::-1]
        elif template.order == "shuffled":
            index, order = _arrangement(index, order, n)
        state: tuple[int | None, ...] = ()
        picked: list[_Choice] = []
        for i in range(n):
            choices, cumulative = self._options(state)
            place = bisect_right(cumulative, index)
            index -= cumulative[place - 1] if place else 0
            picked.append(choices[place])
            state = self._forget_unused((*state, choices[place].value), i + 1)
        return Problem(
            names=names,
            forms=tuple(choice.form for choice in picked),
            numbers=tuple(choice.numbers for choice in picked),
            values=tuple(choice.value for choice in picked),
            order=order,
            asked=asked,
            wording=template.wording,
        )


def draw_rows(template: Template, rows: int, seed: int, seen: set[str]) -> list[dict[str, Any]]:
    """Random dataset rows whose sources are not in `seen`.

    rows: how many to draw.
    seed: of the draw.
    seen: sources that must not be drawn; those of the rows are added.
    Raises InputError if fewer distinct problems are left.
    """
    problems = draw_problems(template, seed, seen)
    drawn = [problem.row() for problem in islice(problems, rows)]
    if len(drawn) < rows:
        raise InputError(
            f"only {len(drawn)} distinct problems are left for {rows} rows (the template allows "
            f"{ProblemSpace(template).size} in all): ask for fewer rows, or widen values, names "
            "or operators"
        )
    return drawn


def draw_problems(template: Template, seed: int, seen: set[str]) -> Iterator[Problem]:
    """Random problems whose sources are not in `seen`, until none is left; none is drawn twice.

    Each draw picks one alternative per equation, by their weights, and then one of the problems
    that have these alternatives, all equally likely. Where the template is drawn by rejection, the
    weight of alternatives is multiplied by the share of their problems that are in range: that is
    what is left of draws of alternatives and numbers together.

    seed: of the draw.
    seen: sources that must not be drawn; those of the problems are added.
    """
    rng = random.Random(seed)
    variants = template.variants()
    spaces = [ProblemSpace(variant) for variant, _ in variants]
    weights = [float(weight) for _, weight in variants]
    if template.draw == "rejection":
        weights = [w * space.share_in_range for w, space in zip(weights, spaces, strict=True)]
    decks = [_Deck(space, rng) for space in spaces]
    while decks:
        deck = _pick(weights, rng)
        problem = decks[deck].draw()
        if problem is None:
            del decks[deck], weights[deck]
        elif problem.source not in seen:
            seen.add(problem.source)
            yield problem


def _pick(weights: Sequence[float], rng: random.Random) -> int:
    """A place in the list, drawn by the weights."""
    if len(weights) == 1:
        return 0
    if len(set(weights)) == 1:
        return rng.randrange(len(weights))
    return rng.choices(range(len(weights)), weights)[0]


class _Deck:
    """The problems of a space in random order, by a lazy Fisher-Yates shuffle of its indices."""

    def __init__(self, space: ProblemSpace, rng: random.Random) -> None:
        self._space, self._rng = space, rng
        self._size = space.size
        self._dealt = 0
        self._swapped: dict[int, int] = {}

    def draw(self) -> Problem | None:
        """The next problem, or None if there are no more."""
        if self._dealt == self._size:
            return None
        i, j = self._dealt, self._rng.randrange(self._dealt, self._size)
        self._dealt += 1
        index = self._swapped.get(j, j)
        self._swapped[j] = self._swapped.pop(i, i)
        return self._space[index]


def _arrangement(index: int, pool: Iterable[Any], n: int) -> tuple[int, tuple[Any, ...]]:
    """Decode an ordered choice of `n` elements of the pool from `index`; return (rest, choice)."""
    left, chosen = list(pool), []
    for _ in range(n):
        index, place = divmod(index, len(left))
        chosen.append(left.pop(place))
    return index, tuple(chosen)

"""Arithmetic problems and their chains of thought.

A *template* says how the equations of a problem are built; its *problem space* is the finite,
indexable set of all problems that fit. Sampling a split is drawing indices without replacement,
so rows are uniform over the space, never repeat, and running out of problems is known exactly.

Source of the task: Kudo et al., arXiv:2412.01113, sections 2 and 3.
"""

from __future__ import annotations

import random
import re
import string
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, chain, islice, product
from math import factorial, perm, prod
from typing import Any

from think_to_talk.errors import InputError

ORDERS = ("in_order", "reversed", "shuffled")
_NUMBER = "num"
_VARIABLE = r"v([0-9]{1,3})"
_EQUATION = re.compile(rf"{_VARIABLE}\s*=\s*(.+)")
#: A template is small enough to be counted if the values of variables that are still used, for each
#: choice of alternatives, are at most so many in all. The paper's have less than a thousand.
_MOST_STATES = 50_000


@dataclass(frozen=True)
class Form:
    """The right-hand side of an equation: one operand, or two joined by an operator.

    An operand is the index of an earlier variable, or None for a fresh number.
    """

    operands: tuple[int | None, ...]
    operator: str = ""

    def evaluate(self, values: tuple[int, ...]) -> int:
        """The value of the form, its operands replaced by `values`."""
        if self.operator == "":
            return values[0]
        return values[0] + values[1] if self.operator == "+" else values[0] - values[1]

    def write(self, operands: Iterable[object]) -> str:
        """The form as text, symbols separated by one space."""
        return f" {self.operator} ".join(map(str, operands))


@dataclass(frozen=True)
class Template:
    """How the problems of a task are built.

    alternatives: for each variable in definition order, the kinds of right-hand side that it may
        have; each is one form, or one per operator.
    order: how the equations are written: `in_order`, `reversed` or `shuffled`.
    low, high: the range, both ends included, of every number, value and intermediate result.
    letters: variables are named by the first so many lower-case letters.
    ask_any: whether any variable may be asked about, instead of the last one.
    """

    alternatives: tuple[tuple[tuple[Form, ...], ...], ...]
    order: str
    low: int = 0
    high: int = 9
    letters: int = 26
    ask_any: bool = False

    @classmethod
    def from_config(cls, entry: Mapping[str, Any]) -> Template:
        """Read a template from its config entry, defaults filled in.

        Raises InputError for an equation that cannot be read or that uses a later variable.
        """
        operators, equations, letters = entry["operators"], entry["equations"], entry["letters"]
        low, high = entry["values"]
        if low > high:
            raise InputError(f"values [{low}, {high}] is empty: give the smaller value first")
        if len(equations) > letters:
            raise InputError(
                f"{len(equations)} equations need as many distinct letters, only {letters} allowed"
            )
        alternatives = tuple(
            _read_equation(i, equation, operators) for i, equation in enumerate(equations)
        )
        _check_size(alternatives, high - low + 1)
        return cls(
            alternatives=alternatives,
            order=entry["order"],
            low=low,
            high=high,
            letters=letters,
            ask_any=entry["ask"] == "any",
        )


def _read_equation(index: int, equation: str, operators: list[str]) -> tuple[tuple[Form, ...], ...]:
    """Read `v1 = num ± v0 | num` into its alternatives, `±` standing for each allowed operator."""
    match = _EQUATION.fullmatch(equation.strip())
    if match is None or int(match[1]) != index:
        raise InputError(f"equation {equation!r} must read 'v{index} = ...' at place {index}")
    alternatives: dict[tuple[Form, ...], None] = {}
    for alternative in match[2].split("|"):
        words = alternative.split()
        if len(words) not in (1, 3):
            raise InputError(
                f"{alternative.strip()!r} in equation {equation!r} must be one operand, or two "
                "operands joined by '+', '-' or '±', separated by spaces"
            )
        operands = tuple(_read_operand(word, index, equation) for word in words[::2])
        if len(words) == 1:
            alternatives[(Form(operands),)] = None
        elif words[1] not in ("+", "-", "±"):
            raise InputError(f"operator {words[1]!r} in equation {equation!r}: use '+', '-', '±'")
        else:
            allowed = operators if words[1] == "±" else [words[1]]
            alternatives[tuple(Form(operands, operator) for operator in allowed)] = None
    return tuple(alternatives)


def _read_operand(word: str, index: int, equation: str) -> int | None:
    if word == _NUMBER:
        return None
    match = re.fullmatch(_VARIABLE, word)
    if match is None or int(match[1]) >= index:
        raise InputError(
            f"operand {word!r} in equation {equation!r} must be 'num' or an earlier variable"
        )
    return int(match[1])


def _check_size(alternatives: Sequence[Sequence[Sequence[Form]]], n_values: int) -> None:
    """Raise InputError if the problems of a template cannot be counted in a second or so.

    alternatives: as of `Template`. n_values: values that a variable can have.
    """
    last_use = _last_use(alternatives)
    states = sum(
        n_values ** sum(1 for variable in range(index) if last_use.get(variable, -1) >= index)
        for index in range(len(alternatives))
    )
    choices = prod(map(len, alternatives))
    if choices * states > _MOST_STATES:
        raise InputError(
            f"equations: {choices} choices of alternatives times {states} values of variables that "
            f"later equations use are more than {_MOST_STATES}: give fewer alternatives, or use "
            "variables sooner"
        )


def _last_use(alternatives: Sequence[Sequence[Sequence[Form]]]) -> dict[int, int]:
    """{variable: the last equation that uses it, in any alternative}."""
    return {
        operand: i
        for i, equation in enumerate(alternatives)
        for forms in equation
        for form in forms
        for operand in form.operands
        if operand is not None
    }


@dataclass(frozen=True)
class Problem:
    """One problem: names, right-hand sides and values of its variables, in definition order."""

    letters: tuple[str, ...]
    forms: tuple[Form, ...]
    numbers: tuple[tuple[int, ...], ...]
    values: tuple[int, ...]
    order: tuple[int, ...]
    asked: int

    def equation(self, variable: int, *, substituted: bool = False) -> str:
        """`z = 4 - o`, or with its variables substituted by their values, `z = 4 - 4`."""
        fresh = iter(self.numbers[variable])
        names = self.values if substituted else self.letters
        form = self.forms[variable]
        operands = [next(fresh) if name is None else names[name] for name in form.operands]
        return f"{self.letters[variable]} = {form.write(operands)}"

    @property
    def source(self) -> str:
        """The problem as the model reads it."""
        equations = " , ".join(self.equation(variable) for variable in self.order)
        return f"{equations} ; {self.letters[self.asked]} =?"

    @property
    def scratchpad(self) -> str:
        """The chain of thought: backtracking from the asked variable (TASK: CoT rule)."""
        return " , ".join(self._solve(self.asked, set()))

    def _solve(self, variable: int, solved: set[int]) -> Iterator[str]:
        equation = self.equation(variable)
        result = f"{self.letters[variable]} = {self.values[variable]}"
        yield equation
        used = dict.fromkeys(name for name in self.forms[variable].operands if name is not None)
        unsolved = [name for name in used if name not in solved]
        for name in unsolved:
            if name not in solved:
                yield from self._solve(name, solved)
        if unsolved:
            yield equation
        substituted = self.equation(variable, substituted=True)
        if used and substituted != result:
            yield substituted
        if equation != result:
            yield result
        solved.add(variable)

    def row(self) -> dict[str, Any]:
        """The problem as a dataset row, its keys in the order in which they are written."""
        scratchpad = self.scratchpad
        return {
            "source": self.source,
            "target": f" {scratchpad}\n",
            "original_answer": str(self.values[self.asked]),
            "intermediate_questions": [f"{letter} =" for letter in self.letters],
            "intermediate_answers": list(self.values),
            "scratchpad": scratchpad,
        }


@dataclass(frozen=True)
class _Choice:
    """One way to write an equation: its form, fresh numbers and value."""

    form: Form
    numbers: tuple[int, ...]
    value: int


@dataclass(frozen=True)
class ProblemSpace:
    """All problems of a template, indexable by an integer below `size`.

    Numbers and operators are counted by dynamic programming over the values of the variables
    that later equations still use, so nothing is enumerated and nothing rejected.
    """

    template: Template
    _choices: dict[tuple[int, tuple[int | None, ...]], tuple[list[_Choice], list[int]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @cached_property
    def _last_use(self) -> dict[int, int]:
        return _last_use(self.template.alternatives)

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
        """How many problems there are: an upper bound of the distinct sources.

        (Shuffled equations can give one source for two assignments of its letters.)
        """
        n = len(self.template.alternatives)
        return (
            self._count(())
            * perm(self.template.letters, n)
            * (n if self.template.ask_any else 1)
            * (factorial(n) if self.template.order == "shuffled" else 1)
        )

    def __getitem__(self, index: int) -> Problem:
        """The problem with this index: its mixed-radix digits pick letters, order and numbers."""
        template, n = self.template, len(self.template.alternatives)
        index, letters = _arrangement(index, string.ascii_lowercase[: template.letters], n)
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
            letters=letters,
            forms=tuple(choice.form for choice in picked),
            numbers=tuple(choice.numbers for choice in picked),
            values=tuple(choice.value for choice in picked),
            order=order,
            asked=asked,
        )


def draw_rows(template: Template, rows: int, seed: int, seen: set[str]) -> list[dict[str, Any]]:
    """`rows` random dataset rows whose sources are not in `seen`; their sources are added.

    Raises InputError when fewer distinct problems are left.
    """
    problems = draw_problems(template, seed, seen)
    drawn = [problem.row() for problem in islice(problems, rows)]
    if len(drawn) < rows:
        raise InputError(
            f"only {len(drawn)} distinct problems are left for {rows} rows (the template allows "
            f"{ProblemSpace(template).size} in all): ask for fewer rows, or widen values, letters "
            "or operators"
        )
    return drawn


def draw_problems(template: Template, seed: int, seen: set[str]) -> Iterator[Problem]:
    """Random problems whose sources are not in `seen`, to which they are added, till none is left.

    Each first picks one alternative per equation, all equally likely, and then one of the problems
    that have them, all equally likely; none is drawn twice.
    """
    rng = random.Random(seed)
    variants = [
        replace(template, alternatives=tuple((forms,) for forms in picked))
        for picked in product(*template.alternatives)
    ]
    decks = [_Deck(ProblemSpace(variant), rng) for variant in variants]
    while decks:
        deck = rng.randrange(len(decks)) if len(decks) > 1 else 0
        problem = decks[deck].draw()
        if problem is None:
            del decks[deck]
        elif problem.source not in seen:
            seen.add(problem.source)
            yield problem


class _Deck:
    """The problems of a space in random order: a Fisher-Yates shuffle of its indices, as needed."""

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
    """Split off from `index` an ordered choice of `n` of the pool; return (rest, choice)."""
    left, chosen = list(pool), []
    for _ in range(n):
        index, place = divmod(index, len(left))
        chosen.append(left.pop(place))
    return index, tuple(chosen)

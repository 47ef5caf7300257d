"""Ceilings: the best accuracy that a reader of the text can reach for each variable.

ceiling(t, v) = E[max over d of P(v = d | the symbols up to t)], the expectation over the problems
of a task as `formulas.sampling` draws them. All letters are equally likely, so a letter says only
where it stood before. The chain of thought follows from the problem, so no symbol after the
question changes a ceiling.

Problems are counted, not listed: texts that say the same about the values on which the unread
equations depend are merged, so that a task of ten equations takes seconds. The rule `ceilings`
writes the rows; `timing` and `figures` compare the accuracy of probes with them.
"""

from __future__ import annotations

import string
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product
from math import lcm
from typing import Any

from think_to_talk.formulas.counting import variables_of
from think_to_talk.formulas.symbols import digit_variable, text_symbols
from think_to_talk.formulas.templates import Template
from think_to_talk.formulas.wordings import Statement

#: The value of each variable, in definition order; None where it is unknown or no longer needed.
_Values = tuple[int | None, ...]

#: All values that are possible after a text.
_Known = frozenset[_Values]

#: (number of a writing, what is known if the problem is written so) of the writings that a text may
#: be of.
_State = tuple[tuple[int, _Known], ...]

#: The symbols of an equation and its separator, or of the question. Variables are `A`, `B` ... in
#: the order of their first appearance in the problem; no word of a text is one of these.
_Text = tuple[str, ...]


def ceiling_rows(template: Template, digits: int = 0) -> Iterator[dict[str, Any]]:
    """The ceiling of each variable after each symbol of the problem, as rows of a file.

    template: of the task's problems.
    digits: of each value that have ceilings, too, from the ones on.
    """
    variables, places = range(len(template.alternatives)), (None, *range(digits))
    columns = {
        variable if place is None else digit_variable(variable, place): of_place
        for variable in variables
        for place, of_place in zip(places, _ceilings(template, variable, places), strict=True)
    }
    for index, of_symbol in enumerate(zip(*columns.values(), strict=True)):
        for variable, ceiling in sorted(zip(columns, of_symbol, strict=True)):
            yield {"symbol_index": index, "variable": variable, "ceiling": ceiling}


def ceilings(template: Template, variable: int) -> list[float]:
    """[symbols of the problem] the ceiling of a variable after each symbol.

    template: of the task's problems.
    variable: its index.
    """
    return _ceilings(template, variable, [None])[0]


def _ceilings(template: Template, variable: int, places: Sequence[int | None]) -> list[list[float]]:
    """[places][symbols of the problem] the ceilings of digits of a variable's values.

    places: of the digits, 0 for the ones; None for the value itself.
    A ceiling is exactly 1 if every text up to the symbol determines the variable. A problem that is
    shorter than the longest one counts with its last ceiling from its end on. A template without
    problems has no ceilings.
    """
    writings = _writings(template, variable)
    n_equations = len(template.alternatives)
    # {(place, symbols read): weight of the problems that are guessed wrong}, and of those that end.
    wrong: Counter[tuple[int | None, int]] = Counter()
    wrong_at_end: Counter[tuple[int | None, int]] = Counter()
    # {symbols read: {(equations read, state): number of texts}}
    waiting: defaultdict[int, Counter[tuple[int, _State]]] = defaultdict(Counter)
    nothing: _Known = frozenset({(None,) * n_equations})
    waiting[0][0, tuple((number, nothing) for number in range(len(writings)))] = 1
    while waiting:
        read = min(waiting)
        for (step, state), n_texts in waiting.pop(read).items():
            weights, state_after = _read_on(writings, step, state)
            for text, of_text in weights.items():
                for place in places:
                    of_place = of_text if place is None else _of_digits(of_text, place)
                    missed = n_texts * (of_place.total() - max(of_place.values(), default=0))
                    wrong[place, read + len(text)] += missed
                    if text in state_after and step == n_equations:
                        wrong_at_end[place, read + len(text)] += missed
                if text in state_after and step < n_equations:
                    waiting[read + len(text)][step + 1, state_after[text]] += n_texts
    total = sum(writing.weight * writing.n_problems() for writing in writings)
    length = max((end for _, end in wrong), default=0)

    def share(place: int | None, read: int) -> float:
        ended = sum(n for (of, end), n in wrong_at_end.items() if of == place and end < read)
        return (total - wrong[place, read] - ended) / total

    return [[share(place, read) for read in range(1, length + 1)] for place in places]


def _of_digits(weights: Mapping[int, int], place: int) -> Counter[int]:
    """{digit: weight} from {value: weight}; place: of the digit, 0 for the ones."""
    digits: Counter[int] = Counter()
    for value in weights:
        digits[value // 10**place % 10] += weights[value]
    return digits


def _read_on(
    writings: Sequence[_Writing], step: int, state: _State
) -> tuple[dict[_Text, Counter[int]], dict[_Text, _State]]:
    """({beginning of a next text: weights}, {next text: state after it}) of all next texts.

    step: number of equations read.
    state: after them.
    Weights are {value of the variable: weight of the problems}, for one text.
    """
    weights: defaultdict[_Text, Counter[int]] = defaultdict(Counter)
    known_after: defaultdict[_Text, dict[int, _Known]] = defaultdict(dict)
    for number, known in state:
        for text, after, of_text in writings[number].read(step, known):
            known_after[text][number] = after
            for end in range(1, len(text) + 1):
                weights[text[:end]].update(of_text)
    return weights, {text: tuple(after.items()) for text, after in known_after.items()}


class _Writing:
    """The problems with one alternative per equation whose equations are in one order.

    weight: of each of its problems; an integer, so that sums are exact.
    """

    def __init__(self, template: Template, order: tuple[int, ...], target: int) -> None:
        """Set up the equations and the question.

        template: with one alternative per equation.
        order: variables in the order in which their equations are written.
        target: the variable whose value is asked of the reader.
        """
        self.weight = 0
        self._target = target
        self._involved = [(v, *variables_of(template.alternatives[v][0])) for v in order]
        letters = dict.fromkeys(v for involved in self._involved for v in involved)
        names = dict(zip(letters, string.ascii_uppercase, strict=False))
        wording = template.wording
        between, last = wording.separator.strip(), wording.before_question.strip()
        self._equations = [
            list(
                _solved_equations(
                    template, variable, names, last if variable == order[-1] else between
                )
            )
            for variable in order
        ]
        asked = range(len(order)) if template.ask_any else [len(order) - 1]
        self._questions = [tuple(text_symbols(wording.ask(names[variable]))) for variable in asked]
        self._needed = []
        for step in range(len(order) + 1):
            read, unread = (
                {variable for involved in part for variable in involved}
                for part in (self._involved[:step], self._involved[step:])
            )
            self._needed.append((read & unread) | ({target} & set(order[:step])))
        self._counts: dict[tuple[int, _Values], Counter[int]] = {}
        self._agrees: dict[
            tuple[int, tuple[int, ...]],
            Mapping[_Values, list[tuple[_Text, tuple[int, ...]]]],
        ] = {}

    def n_problems(self) -> int:
        """The number of its problems, letters aside."""
        nothing = (None,) * len(self._equations)
        return self._completions(0, nothing).total() * len(self._questions)

    def read(self, step: int, known: _Known) -> Iterator[tuple[_Text, _Known, Counter[int]]]:
        """(text, what is known after it, {value of the target: weight}) of each possible next text.

        step: number of equations read; after the last one, the next text is the question.
        known: what is known after them.
        The weight is that of all problems that begin with one text before and this text.
        """
        if step == len(self._equations):
            (values,) = known
            weight = Counter({self._target_in(values): self.weight})
            for question in self._questions:
                yield question, known, weight
            return
        texts: defaultdict[_Text, set[_Values]] = defaultdict(set)
        for values in known:
            for text, after in self._next(step, values):
                texts[text].add(after)
        for text, possible in texts.items():
            counts: Counter[int] = Counter()
            for values in possible:
                counts.update(self._completions(step + 1, values))
            scale = self.weight * len(self._questions)
            weights = Counter({value: count * scale for value, count in counts.items()})
            yield text, frozenset(possible), weights

    def _target_in(self, values: _Values) -> int:
        value = values[self._target]
        assert value is not None
        return value

    def _next(self, step: int, values: _Values) -> Iterator[tuple[_Text, _Values]]:
        """(text, the values after it) of each next equation that agrees with the values."""
        needed = self._needed[step + 1]
        involved = self._involved[step]
        places = tuple(place for place, v in enumerate(involved) if values[v] is not None)
        given = tuple(values[involved[place]] for place in places)
        for text, solution in self._agreeing(step, places).get(given, ()):
            extended = list(values)
            for variable, value in zip(involved, solution, strict=True):
                extended[variable] = value
            yield text, tuple(v if i in needed else None for i, v in enumerate(extended))

    def _agreeing(
        self, step: int, places: tuple[int, ...]
    ) -> Mapping[_Values, list[tuple[_Text, tuple[int, ...]]]]:
        """{values in some places of an equation's solutions: its texts and solutions}."""
        key = (step, places)
        if key not in self._agrees:
            found: defaultdict[_Values, list[tuple[_Text, tuple[int, ...]]]] = defaultdict(list)
            for text, solution in self._equations[step]:
                found[tuple(solution[place] for place in places)].append((text, solution))
            self._agrees[key] = found
        return self._agrees[key]

    def _completions(self, step: int, values: _Values) -> Counter[int]:
        """{value of the target: number of ways to write the equations from `step` on}."""
        key = (step, values)
        if key not in self._counts:
            counts: Counter[int] = Counter()
            if step == len(self._equations):
                counts[self._target_in(values)] = 1
            else:
                for _, after in self._next(step, values):
                    counts.update(self._completions(step + 1, after))
            self._counts[key] = counts
        return self._counts[key]


def _writings(template: Template, target: int) -> list[_Writing]:
    """All writings of a template that have problems, with their weights.

    The weights are as in `formulas.sampling`. Where the template is drawn by rejection, a problem
    is as likely as any other draw of the same alternatives, in range or not.
    """
    n = len(template.alternatives)
    in_order = tuple(range(n))
    orders = [in_order[::-1] if template.order == "reversed" else in_order]
    if template.order == "shuffled":
        orders = list(permutations(in_order))
    possible, weights = [], []
    for variant, weight in template.variants():
        for order in orders:
            writing = _Writing(variant, order, target)
            if writing.n_problems():
                rejected = template.draw == "rejection"
                possible.append(writing)
                weights.append(weight / (variant.n_draws if rejected else writing.n_problems()))
    multiple = lcm(*(weight.denominator for weight in weights))
    for writing, weight in zip(possible, weights, strict=True):
        writing.weight = int(weight * multiple)
    return possible


def _solved_equations(
    template: Template, variable: int, names: dict[int, str], separator: str
) -> Iterator[tuple[_Text, tuple[int, ...]]]:
    """(text, values of the variable and of the variables that it uses) of each valid equation.

    template: with one alternative per equation.
    names: {variable: its letter}.
    separator: the symbol after the equation.
    """
    numbers = range(template.low, template.high + 1)
    (forms,) = template.alternatives[variable]
    used = variables_of(forms)
    for form in forms:
        for fresh in product(numbers, repeat=form.operands.count(None)):
            rest = iter(fresh)
            right = (next(rest) if name is None else names[name] for name in form.operands)
            statement = Statement(names[variable], tuple(right), form.operator)
            text = (*text_symbols(template.wording.write(statement, in_chain=False)), separator)
            for of_used in product(numbers, repeat=len(used)):
                values = dict(zip(used, of_used, strict=True))
                rest = iter(fresh)
                operands = [next(rest) if name is None else values[name] for name in form.operands]
                value = form.evaluate(tuple(operands))
                if value in numbers:
                    yield text, (value, *of_used)

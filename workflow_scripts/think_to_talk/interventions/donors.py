"""Donors: the problems whose hidden states are put into the run of a pair's edited problem.

A pair's own base problem shows whether the model uses what the edit changed. A random donor, an
unrelated problem of the same layout, shows what a patch changes whatever it brings.
`interventions.patching` tries both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

#: Pairs of an edit by their numbers.
Numbered = dict[int, Mapping[str, Any]]

#: Whether hidden states of a pair's base problem fit into the run of another one's edited problem:
#: given the numbers of the edited and of the base problem's pair.
Fits = Callable[[int, int], bool]


def _always(_edited: int, _base: int) -> bool:
    return True


def donors(
    pairs: Sequence[Mapping[str, Any]], random_donor: bool, fits: Fits = _always
) -> Iterator[tuple[str, Numbered]]:
    """(donor, pairs) of an edit: `paired`, as they are, and `random`, if that is asked for.

    Edits of distractors, which are a control themselves, have no random donors.

    fits: as of `with_random_donors`.
    """
    yield "paired", dict(enumerate(pairs))
    of_distractors = all(pair["target"] == pair["base_target"] for pair in pairs)
    unrelated = with_random_donors(pairs, fits) if random_donor and not of_distractors else {}
    if unrelated:
        yield "random", unrelated


def with_random_donors(pairs: Sequence[Mapping[str, Any]], fits: Fits = _always) -> Numbered:
    """The pairs with another pair's base problem in place of their own.

    It is that of the next pair (their order is random) whose base problem has another answer than
    this pair's edited problem. A pair for which there is none is left out.

    fits: says whose hidden states fit into a pair's run, where problems do not tokenize alike.
    """
    found: Numbered = {}
    for number, pair in enumerate(pairs):
        others = ((number + step) % len(pairs) for step in range(1, len(pairs)))
        donor = next(
            (
                other
                for other in others
                if pairs[other]["base_original_answer"] != pair["original_answer"]
                and fits(number, other)
            ),
            None,
        )
        if donor is not None:
            base = {k: value for k, value in pairs[donor].items() if k.startswith("base_")}
            found[number] = {**pair, **base}
    return found

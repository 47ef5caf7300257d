"""Donors: the problems whose hidden states are put into the run of a pair's edited problem.

A pair's own base problem shows whether the model uses what the edit changed. A random donor, an
unrelated problem of the same layout, shows what a patch changes whatever it brings.
`interventions.patching` tries both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: Pairs of an edit by their numbers.
Numbered = dict[int, Mapping[str, Any]]


def donors(
    pairs: Sequence[Mapping[str, Any]], random_donor: bool
) -> Iterator[tuple[str, Numbered]]:
    """(donor, pairs) of an edit: `paired`, as they are, and `random`, if that is asked for.

    Edits of distractors, which are a control themselves, have no random donors.
    """
    yield "paired", dict(enumerate(pairs))
    of_distractors = all(pair["target"] == pair["base_target"] for pair in pairs)
    unrelated = with_random_donors(pairs) if random_donor and not of_distractors else {}
    if unrelated:
        yield "random", unrelated


def with_random_donors(pairs: Sequence[Mapping[str, Any]]) -> Numbered:
    """The pairs with another pair's base problem in place of their own.

    It is that of the next pair (their order is random) whose base problem has another answer than
    this pair's edited problem. A pair for which there is none is left out.
    """
    found: Numbered = {}
    for number, pair in enumerate(pairs):
        others = (pairs[(number + step) % len(pairs)] for step in range(1, len(pairs)))
        donor = next(
            (o for o in others if o["base_original_answer"] != pair["original_answer"]), None
        )
        if donor is not None:
            base = {key: value for key, value in donor.items() if key.startswith("base_")}
            found[number] = {**pair, **base}
    return found

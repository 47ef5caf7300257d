"""Where a variable is steered: a position of each equation, and the layer of its best probe there.

A variable can be steered from the position on at which the text determines it (`timing.text`) up to
the last position before the number of its first result, as long as its value is still to be
written: before its first token, if it takes several. Of each equation on the way, the question and
a chat template among them, the position is taken whose probe is the most accurate, and the last of
several; of the result's equation, the position before the number. There the layer is that of the
most accurate probe, and the lowest of several.

No later position reads the state of the last layer: it changes nothing but the next token, through
the final norm and the head. So it is left out, except before the number, if the next token is the
value, or its first token, in every row: there the last layer is a place of its own, beside the best
layer below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from think_to_talk.steering.task_tokens import TaskTokens
from think_to_talk.timing.best_probes import best_layers
from think_to_talk.timing.text import determined_from, position_ceilings
from think_to_talk.tokens.results import Result

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Place:
    """A hidden state that is steered along the weights of a probe.

    variable: of the probe.
    layer, position: of the hidden state; positions are those of the task, tokens or symbols, and
        count from the problem's first one.
    number: the position of the number that the chain states as the variable's result, which is
        that of its last token.
    accuracy: of the probe on test rows; None if there were too few rows to train one on.
    held_out_accuracy: of the held-out probes; None where it is not measured.
    """

    variable: int
    layer: int
    position: int
    number: int
    accuracy: float | None
    held_out_accuracy: float | None


def steered_places(
    variables: Sequence[int], probes: Rows, ceilings: Rows, tokens: TaskTokens, n_layers: int
) -> list[Place]:
    """The places of each variable, in the order of the text; none if the chain does not state it.

    variables: those that can be steered.
    probes: all probe rows of the task.
    ceilings: of the task.
    tokens: of the task's rows.
    n_layers: the model's blocks.
    """
    layout = tokens.layout
    below = [row for row in probes if row["layer"] < n_layers]
    last = [row for row in probes if row["layer"] == n_layers]
    places = []
    for variable in variables:
        result = Result.of(variable, layout)
        determined = determined_from(position_ceilings(probes, ceilings, variable))
        if result is None or determined is None:
            continue
        position, is_next = tokens.before(result.symbol)
        before = position - layout.n_problem
        # {equation: the row of its best probe}
        best: dict[float, Mapping[str, Any]] = {}
        for t, row in _best_layers(below, variable).items():
            equation = layout.equation_at(t + layout.n_problem)
            is_on_the_way = determined <= t < before and equation != result.equation
            if t == before or (
                is_on_the_way and (equation not in best or _rank(row) >= _rank(best[equation]))
            ):
                best[equation] = row
        at_head = _best_layers(last, variable).get(before) if is_next else None
        places += [
            Place(
                variable=variable,
                layer=row["layer"],
                position=row["relative_position"] + layout.n_problem,
                number=result.number,
                accuracy=row["score"],
                held_out_accuracy=row["heldout_score"],
            )
            for row in [*best.values(), *([at_head] if at_head else [])]
        ]
    return places


def _best_layers(probes: Rows, variable: int) -> dict[int, Mapping[str, Any]]:
    """As of `best_layers`, with the lowest layer where no layer has a score."""
    lowest_last = sorted(probes, key=lambda row: (row["relative_position"], -row["layer"]))
    lowest = {row["relative_position"]: row for row in lowest_last if row["variable"] == variable}
    return {**lowest, **best_layers(probes, variable)}


def _rank(row: Mapping[str, Any]) -> float:
    """The accuracy of a probe; without one it is below all others."""
    return -1.0 if row["score"] is None else row["score"]

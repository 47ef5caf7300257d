"""Steered runs: what a model writes by itself after one of its hidden states has been moved.

`steering.places` says which hidden states, `steering.directions` where to, and `steering.rows`
compares what is written here with chains of thought.

Many places and directions are tried on the same rows, and most of their computation is the same.
The few-shot examples are run once, and the key-value cache of the tokens before a position is
shared by all runs that are steered there (`hidden_states.free_writing`). Rows, places and
directions share batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor

from think_to_talk.hidden_states.free_writing import FreeWriter, Run
from think_to_talk.hidden_states.passes import Context, Passes
from think_to_talk.steering.places import Place

#: Given a place, the numbers of a batch's rows and their hidden states there [rows, hidden]: what
#: replaces them, as `Steered`.
Steer = Callable[[Place, list[int], Tensor], list["Steered"]]


@dataclass
class Steered:
    """One run with one moved hidden state.

    row: its number.
    state: [hidden] that replaces the row's own, in the model's dtype.
    kind: `probe`, moved along a probe's weights, or `random`.
    factor: how many times as long as the least step the step is.
    predicted, target: the values that the probe says before, and is to say after a `probe` step.
    length: of the step. share: of the step's length in the norm of the state before.
    written: ids that the model writes behind what it is given, up to what ends the generation, or
        as many as the gold chain has.
    """

    row: int
    state: Tensor
    kind: str
    factor: float
    predicted: int
    target: int
    length: float
    share: float
    written: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Steerer:
    """Steered runs of rows that share a prefix.

    passes: a model's passes behind the few-shot examples, in batches.
    ids: [rows, positions] of problem and gold chain of all rows.
    n_problem: positions of the problem.
    stop_ids: ids of the tokens that end a generation.
    """

    passes: Passes
    ids: Tensor
    n_problem: int
    stop_ids: frozenset[int]

    def runs(
        self, rows: list[int], places: Sequence[Place], steer: Steer
    ) -> Iterator[tuple[int, list[tuple[Place, list[Steered]]]]]:
        """Steer some rows at all places; yields (rows, [(place, runs)]) per batch of rows.

        steer: computes the moved states.
        """
        ordered = sorted(places, key=lambda place: place.position)
        for batch, found in self.passes.in_batches(
            rows, lambda batch: self._steered(batch, ordered, steer)
        ):
            yield len(batch), found

    def given(self, place: Place) -> int:
        """The positions that a run is given: the problem, and the chain up to the place."""
        return max(place.position + 1, self.n_problem)

    @torch.inference_mode()
    def _steered(
        self, rows: list[int], places: Sequence[Place], steer: Steer
    ) -> list[tuple[Place, list[Steered]]]:
        """The runs of a batch of rows, at places in the order of their positions."""
        ids = self.ids[rows]
        context, reached = self.passes.prefix(len(rows), ids.shape[1]), 0
        found = []
        for position, group in groupby(places, key=lambda place: place.position):
            context = self.passes.continued(context, ids[:, reached:position])
            reached = position
            here = list(group)
            states = self._states(context, ids[:, position : position + 1], here)
            steered = [(place, steer(place, rows, states[place.layer])) for place in here]
            self._write(rows, context, steered)
            found += steered
        return found

    def _states(self, context: Context, ids: Tensor, places: Sequence[Place]) -> dict[int, Tensor]:
        """{layer: the rows' own hidden states [rows, hidden]} at the position of the places."""
        states: dict[int, Tensor] = {}

        def read(layer: int, hidden: Tensor) -> None:
            states[layer] = hidden[:, -1].cpu()

        layers = sorted({place.layer for place in places})
        self.passes.forward(ids, 1, context.repeated(1, 1), layers=layers, hook=read)
        return states

    def _write(
        self, rows: list[int], context: Context, steered: list[tuple[Place, list[Steered]]]
    ) -> None:
        """Let the model write on in all runs of places with the same position.

        context: the tokens of the rows before that position.
        """
        place_of = {number: i for i, number in enumerate(rows)}
        start, given = steered[0][0].position, self.given(steered[0][0])
        moved = [(place, run) for place, of_place in steered for run in of_place]
        runs = [
            Run(
                place_of[run.row],
                self.ids[run.row, start:given],
                self.ids[run.row, given:],
                {place.layer: (torch.tensor([0]), run.state[None])},
            )
            for place, run in moved
        ]
        FreeWriter(self.passes, self.stop_ids).write(context, runs)
        for (_, run), free in zip(moved, runs, strict=True):
            run.written = free.written

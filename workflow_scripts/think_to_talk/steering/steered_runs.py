"""Steered runs: what a model writes by itself after one of its hidden states has been moved.

`steering.places` says which hidden states, `steering.directions` where to, and `steering.rows`
compares what is written here with chains of thought.

Many places and directions are tried on the same rows, and most of their computation is the same.
The few-shot examples are run once, and the key-value cache of the tokens before a position is
shared by all runs that are steered there (`hidden_states.free_writing`). Rows, places and
directions share batches. Rows that take other tokens up to the same positions are steered apart, so
that no batch has padding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor

from think_to_talk.hidden_states.free_writing import FreeWriter, Run
from think_to_talk.hidden_states.passes import Context, Passes
from think_to_talk.steering.places import Place
from think_to_talk.steering.task_tokens import RowTokens

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
        as many as the gold chain has, and `Steerer.further` more.
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
    rows: the tokens of all rows.
    stop_ids: ids of the tokens that end a generation.
    further: {row: tokens that it may write beyond as many as its gold chain has}; 0 without.
    """

    passes: Passes
    rows: Sequence[RowTokens]
    stop_ids: frozenset[int]
    further: Mapping[int, int] = field(default_factory=dict)

    def runs(
        self, rows: list[int], places: Sequence[Place], steer: Steer
    ) -> Iterator[tuple[int, list[tuple[Place, list[Steered]]]]]:
        """Steer some rows at all places; yields (rows, [(place, runs)]) per batch of rows.

        steer: computes the moved states.
        """
        ordered = sorted(places, key=lambda place: place.position)
        for group in self._alike(rows, ordered):
            for batch, found in self.passes.in_batches(
                group, lambda batch: self._steered(batch, ordered, steer)
            ):
                yield len(batch), found

    def _alike(self, rows: list[int], places: Sequence[Place]) -> list[list[int]]:
        """The rows in groups that take as many tokens, also up to each of the places."""
        positions = sorted({place.position for place in places})
        groups: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for number in rows:
            row = self.rows[number]
            at = (row.tokens[position] for position in positions)
            groups[len(row.ids), row.n_problem, *at].append(number)
        return list(groups.values())

    @torch.inference_mode()
    def _steered(
        self, rows: list[int], places: Sequence[Place], steer: Steer
    ) -> list[tuple[Place, list[Steered]]]:
        """The runs of a batch of rows that are alike, at places in the order of their positions."""
        ids = torch.stack([self.rows[row].ids for row in rows])
        context, reached = self.passes.prefix(len(rows), ids.shape[1]), 0
        found = []
        for position, group in groupby(places, key=lambda place: place.position):
            token = self.rows[rows[0]].tokens[position]
            context = self.passes.continued(context, ids[:, reached:token])
            reached = token
            here = list(group)
            states = self._states(context, ids[:, token : token + 1], here)
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
        position, first = steered[0][0].position, self.rows[rows[0]]
        start, given = first.tokens[position], first.given(position)
        moved = [(place, run) for place, of_place in steered for run in of_place]
        runs = [
            Run(
                place_of[run.row],
                self.rows[run.row].ids[start:given],
                self.rows[run.row].ids[given:],
                {place.layer: (torch.tensor([0]), run.state[None])},
                self.further.get(run.row, 0),
            )
            for place, run in moved
        ]
        FreeWriter(self.passes, self.stop_ids).write(context, runs)
        for (_, run), free in zip(moved, runs, strict=True):
            run.written = free.written

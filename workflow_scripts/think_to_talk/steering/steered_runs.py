"""Steered runs: what a model writes by itself after one of its hidden states has been moved.

`steering.places` says which hidden states, `steering.directions` where to, and `steering.rows`
compares what is written here with chains of thought.

Many places and directions are tried on the same rows, and most of their computation is the same.
The few-shot examples are run once, and the key-value cache of the tokens before a position is
shared by all runs that are steered there. As in verified decoding (`hidden_states/decoding.py`),
one pass over the gold chain shows how far a run writes it; from there on it is decoded by tokens.
Rows, places and directions share batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor

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
            between = ids[:, reached:position]
            if between.shape[1] and self.passes.facts.continues_cache:
                _, context = self.passes.forward(between, 1, context, keep_cache=True)
            else:
                context = context.followed_by(between)
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
        runs = [
            _Run(place_of[run.row], self.ids[run.row], place.layer, run)
            for place, of_place in steered
            for run in of_place
        ]
        if not runs:
            return
        start, given = steered[0][0].position, self.given(steered[0][0])
        for some in self._chunks(runs):
            tokens = torch.stack([run.ids[start:] for run in some])
            draft = tokens[:, given - start :]
            read = torch.arange(given - start - 1, tokens.shape[1] - 1)
            logits, _ = self._forward(context, some, tokens, read, keep_cache=False)
            predicted = logits.argmax(dim=-1).cpu()
            agrees = (predicted == draft).long().cumprod(dim=1).sum(dim=1).tolist()
            for run, n, gold, said in zip(some, agrees, draft, predicted, strict=True):
                run.steered.written = [*gold[:n].tolist(), *said[n : n + 1].tolist()]
        unfinished = [run for run in runs if not self._ended(run, given)]
        # Runs with a similar first divergence go together: fewer steps repeat known tokens.
        unfinished.sort(key=lambda run: len(run.steered.written))
        for some in self._chunks(unfinished):
            self._decode(context, some, start, given)

    def _chunks(self, runs: list[_Run]) -> Iterator[list[_Run]]:
        for first in range(0, len(runs), self.passes.batch_size):
            yield runs[first : first + self.passes.batch_size]

    def _ended(self, run: _Run, given: int) -> bool:
        """Whether a run's generation has come to its end."""
        written = run.steered.written
        return written[-1] in self.stop_ids or len(written) >= len(run.ids) - given

    def _decode(self, context: Context, runs: Sequence[_Run], start: int, given: int) -> None:
        """Decode runs token by token, from where the shortest of them has come to.

        Longer ones are fed what they have written until it is used up.
        """
        steps = self.passes.facts.steps_cache
        done = min(len(run.steered.written) for run in runs)
        known = [[*run.ids[start:given].tolist(), *run.steered.written[:done]] for run in runs]
        logits, after = self._forward(context, runs, torch.tensor(known), 1, keep_cache=steps)
        while True:
            said = logits[:, -1].argmax(dim=-1).tolist()
            for run, tokens, token in zip(runs, known, said, strict=True):
                if len(run.steered.written) == done and not self._ended(run, given):
                    run.steered.written.append(token)
                # What stands behind the end of a generation is read by nobody.
                tokens.append(run.steered.written[done] if done < len(run.steered.written) else 0)
            done += 1
            if all(self._ended(run, given) for run in runs):
                return
            if steps:
                last = torch.tensor(known)[:, -1:]
                logits, after = self.passes.forward(last, 1, after, keep_cache=True)
            else:
                logits, _ = self._forward(context, runs, torch.tensor(known), 1, keep_cache=False)

    def _forward(
        self,
        context: Context,
        runs: Sequence[_Run],
        tokens: Tensor,
        read: int | Tensor,
        *,
        keep_cache: bool,
    ) -> tuple[Tensor, Context]:
        """One pass over tokens [runs, n] whose first one has the runs' moved states.

        context: the tokens of the batch's rows before; it stays as it is.
        read, keep_cache: as of `Passes.forward`.
        """
        layers = {
            layer: [i for i, run in enumerate(runs) if run.layer == layer]
            for layer in sorted({run.layer for run in runs})
        }

        def move(layer: int, hidden: Tensor) -> Tensor:
            states = torch.stack([runs[i].steered.state for i in layers[layer]])
            moved = hidden.clone()
            moved[layers[layer], 0] = states.to(hidden)
            return moved

        room = self.ids.shape[1]
        of_runs = context.repeated(1, room).select([run.place for run in runs])
        return self.passes.forward(
            tokens, read, of_runs, keep_cache=keep_cache, layers=layers, hook=move
        )


@dataclass(frozen=True)
class _Run:
    """A run in a batch of rows.

    place: of its row in the batch. ids: [positions] of its row. layer: that is replaced.
    """

    place: int
    ids: Tensor
    layer: int
    steered: Steered

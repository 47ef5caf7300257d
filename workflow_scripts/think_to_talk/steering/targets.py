"""Moved states of a task's rows: which value a probe is to say, and the steps that make it say it.

`steering.steered_runs` puts these states into the model's runs. What is drawn is drawn from the
seed, the task and the row alone, whatever the batch.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from think_to_talk.files.shards import Shards
from think_to_talk.steering.directions import Probe, random_steps, steps_along
from think_to_talk.steering.places import Place
from think_to_talk.steering.steered_runs import Steered

#: {variable: {row: {another value: the chain of thought with it}}}.
Chains = Mapping[int, Mapping[int, Mapping[int, str]]]


def stored_probe(weights: Shards, place: Place) -> Probe:
    """The probe of a place; weights: the shard that `probes.fitting` writes."""
    variable = slice(place.variable, place.variable + 1)
    weight, bias = (
        # Copied, so that the probes of the other positions are not kept.
        weights.read(f"layer.{place.layer}.{part}", variable)[place.position, 0].clone()
        for part in ("weight", "bias")
    )
    return Probe(weight, bias)


class Targets:
    """Moves the states of rows: along the weights of a place's probe, and at random.

    probes: {place: its probe}.
    chains: of the rows.
    factors: how many times as long as the least step the steps are.
    controls: random steps per row and factor.
    identity: model, seed and task.
    no_target: {place: its rows without another value that has a chain}.
    not_reached: {(place, factor): its rows in which no step makes the probe say the other value}.
    """

    def __init__(
        self,
        probes: Mapping[Place, Probe],
        chains: Chains,
        factors: Sequence[float],
        controls: int,
        identity: Mapping[str, Any],
    ) -> None:
        self._probes, self._chains = probes, chains
        self._factors, self._controls = factors, controls
        self._name = f"{identity['seed']} {identity['task']}"
        # As sets: a batch is steered again when memory runs out.
        self.no_target: defaultdict[Place, set[int]] = defaultdict(set)
        self.not_reached: defaultdict[tuple[Place, float], set[int]] = defaultdict(set)

    def steer(self, place: Place, rows: Sequence[int], states: Tensor) -> list[Steered]:
        """The runs of a batch of rows at a place, of which none has been written.

        rows: their numbers.
        states: [rows, hidden] the hidden states there, in the model's dtype.
        """
        predicted = self._probes[place].says(states).tolist()
        targets = {
            i: self._target(place, row, a)
            for i, (row, a) in enumerate(zip(rows, predicted, strict=True))
        }
        chosen = {i: target for i, target in targets.items() if target is not None}
        self.no_target[place].update(row for i, row in enumerate(rows) if i not in chosen)
        runs: list[Steered] = []
        for factor in self._factors if chosen else ():
            numbers = [rows[i] for i in chosen]
            said = [predicted[i] for i in chosen]
            wanted = list(chosen.values())
            runs += self._moved(place, numbers, states[list(chosen)], said, wanted, factor)
        return runs

    def _moved(
        self,
        place: Place,
        rows: Sequence[int],
        states: Tensor,
        predicted: Sequence[int],
        targets: Sequence[int],
        factor: float,
    ) -> Iterator[Steered]:
        """The runs of some rows with steps of one factor, along the weights and at random."""
        probe = self._probes[place]
        moved, reached = steps_along(probe, states, torch.tensor(targets), factor)
        lengths = (moved.double() - states.double()).norm(dim=1)
        shares = (lengths / states.double().norm(dim=1)).tolist()
        seeds = [self._seed(place, row) for row in rows]
        steps = random_steps(probe, lengths, self._controls, seeds)
        others = (states.double()[:, None] + steps).to(states.dtype)
        for i, row in enumerate(rows):
            if not reached[i]:
                self.not_reached[place, factor].add(row)
                continue
            about = factor, predicted[i], targets[i], float(lengths[i]), shares[i]
            yield Steered(row, moved[i], "probe", *about)
            for other in others[i]:
                yield Steered(row, other, "random", *about)

    def _target(self, place: Place, row: int, predicted: int) -> int | None:
        """The value that the probe is to say, another than now; None if none has a chain.

        Of a variable, the first that can be used in one random order of all values.
        """
        values = [value for value in self._chains[place.variable][row] if value != predicted]
        draw = random.Random(f"{self._name} {row} {place.variable}")
        n_values = len(self._probes[place].bias)
        order = draw.sample(range(n_values), n_values)
        return min(values, key=order.index, default=None)

    def _seed(self, place: Place, row: int) -> int:
        """The seed of a row's random steps at a place."""
        where = f"{place.variable} {place.layer} {place.position}"
        return random.Random(f"{self._name} {row} {where}").getrandbits(63)

"""Moved states of a task's rows: which value a probe is to say, and the steps that make it say it.

`steering.steered_runs` puts these states into the model's runs. What is drawn is drawn from the
seed, the task and the row alone, whatever the batch.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from think_to_talk.files.shards import Shards
from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.steering.directions import Probe, least_steps, random_steps
from think_to_talk.steering.places import Place
from think_to_talk.steering.steered_runs import Steered

#: {variable: {row: {another value: the chain of thought with it}}}.
Chains = Mapping[int, Mapping[int, Mapping[int, str]]]


def stored_probe(weights: Shards, place: Place) -> Probe:
    """The probe of a place; weights: the shard that `probes.fitting` writes."""
    weight, bias = (weights.read(f"layer.{place.layer}.{part}") for part in ("weight", "bias"))
    return Probe(weight[place.position, place.variable], bias[place.position, place.variable])


@dataclass
class Failed:
    """The rows that are not steered at a place.

    no_target: without another value that has a chain.
    not_reached: in which no step along the weights makes the probe say the value.
    """

    no_target: set[int]
    not_reached: set[int]


class Targets:
    """Moves the states of rows: along the weights of a place's probe, and at random.

    probes: {place: its probe}.
    chains: of the rows.
    controls: random steps per row.
    identity: model, seed and task.
    failed: {place: the rows that are not steered there}, of those that have been asked for.
    """

    def __init__(
        self,
        probes: Mapping[Place, Probe],
        chains: Chains,
        controls: int,
        identity: Mapping[str, Any],
    ) -> None:
        self._probes, self._chains, self._controls = probes, chains, controls
        self._name = f"{identity['seed']} {identity['task']}"
        self.failed = {place: Failed(set(), set()) for place in probes}

    def steer(self, place: Place, rows: Sequence[int], states: Tensor) -> list[Steered]:
        """The runs of a batch of rows at a place, of which none has been written.

        rows: their numbers.
        states: [rows, hidden] the hidden states there, in the model's dtype.
        """
        probe, failed = self._probes[place], self.failed[place]
        predicted = probe.says(states).tolist()
        drawn = [self._target(place, row, a) for row, a in zip(rows, predicted, strict=True)]
        failed.no_target.update(
            row for row, target in zip(rows, drawn, strict=True) if target is None
        )
        chosen = [i for i, target in enumerate(drawn) if target is not None]
        if not chosen:
            return []
        own, targets = states[chosen], torch.tensor([drawn[i] for i in chosen])
        moved, reached = least_steps(probe, own, targets)
        lengths = (moved.double() - own.double()).norm(dim=1)
        shares = (lengths / own.double().norm(dim=1)).tolist()
        seeds = [self._seed(place, rows[i]) for i in chosen]
        others = own.double()[:, None] + random_steps(probe, lengths, self._controls, seeds)
        runs = []
        for n, i in enumerate(chosen):
            if not reached[n]:
                failed.not_reached.add(rows[i])
                continue
            about = predicted[i], int(targets[n]), float(lengths[n]), shares[n]
            runs.append(Steered(rows[i], moved[n], "probe", *about))
            runs += [Steered(rows[i], state.to(own.dtype), "random", *about) for state in others[n]]
        return runs

    def _target(self, place: Place, row: int, predicted: int) -> int | None:
        """The value that the probe is to say, another than now; None if none has a chain.

        Of a variable, the first that can be used in one random order of all values.
        """
        values = [value for value in self._chains[place.variable][row] if value != predicted]
        draw = random.Random(f"{self._name} {row} {place.variable}")
        order = draw.sample(range(N_CLASSES), N_CLASSES)
        return min(values, key=order.index, default=None)

    def _seed(self, place: Place, row: int) -> int:
        """The seed of a row's random steps at a place."""
        where = f"{place.variable} {place.layer} {place.position}"
        return random.Random(f"{self._name} {row} {where}").getrandbits(63)

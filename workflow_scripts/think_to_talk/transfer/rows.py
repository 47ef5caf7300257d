"""Accuracies of a task's probes on another task's hidden states, at every symbol of both.

A probe is trained at one symbol of one task. If it reads a value at other symbols, in another task
or in another model's states as well, the value is encoded along the same directions there; if it
does not though a probe that was trained there does, along others. `probes.fitting` stored the
probes, `hidden_states` the states of the test rows; `timing.transfer` sums the rows up.

Only tokens that complete a symbol are read: problems that are written differently have those in
common. Probes are compared within a layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import read_probe_rows
from think_to_talk.probes.accuracy import chance
from think_to_talk.probes.linear import Probes
from think_to_talk.probes.splits import Split
from think_to_talk.probes.stored import PLACE, StoredProbes
from think_to_talk.progress import progress


@dataclass(frozen=True)
class TrainedProbes:
    """The probes of the task on which they were trained, at its symbols.

    positions: [symbols] the token that completes each.
    probes: with all positions of the task.
    scores: {(layer, position, variable): accuracy on the test rows of their own task, or None}.
    """

    positions: list[int]
    probes: StoredProbes
    scores: dict[tuple[int, int, int], float | None]

    @classmethod
    def read(
        cls, rows: str | Path, weights: str | Path, identity: Mapping[str, Any]
    ) -> TrainedProbes:
        """Read what `probes.fitting` wrote; arguments and errors as of `StoredProbes.read`."""
        probes = StoredProbes.read(rows, weights, identity)
        places = enumerate(probes.places)
        positions = [at for at, place in places if place["symbol_index"] is not None]
        scores = {
            (row["layer"], row["position"], row["variable"]): row["score"]
            for row in read_probe_rows(rows)
        }
        return cls(positions, probes, scores)


def transfer_rows(
    trained: TrainedProbes,
    hidden_paths: Sequence[str | Path],
    dataset: str | Path,
    variables: Mapping[int, int],
    identity: Mapping[str, Any],
    keys: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """A row per layer, variable and symbol of the probes (schemas/transfer_row.schema.yaml).

    Layers are those that both models saved; probes that were not fitted have no row.

    hidden_paths: hidden-state shards of the tested task's split test.
    dataset: of that split, with the labels.
    variables: {variable of the probes: the variable of the tested task that it is compared with}.
    identity: model, seed and task of the hidden states.
    keys: of every row.
    Raises InputError if shards and dataset do not fit together, or the states have another width
    than the probes.
    """
    expected = {**{key: str(value) for key, value in identity.items()}, "split": "test"}
    test = Split.open(hidden_paths, dataset, expected, only_correct=False, labels="answers")
    width = next(iter(trained.probes.layers.values())).weight.shape[-1]
    if width != test.hidden_size:
        raise InputError(
            f"transfer.{keys['transfer']}: the probes read states of width {width}, those of "
            f"{identity['model']} have {test.hidden_size}; expected models of one width"
        )
    places = [test.layout.place(position) for position in range(test.layout.n_positions)]
    tested = [at for at, place in enumerate(places) if place["symbol_index"] is not None]
    described = {
        f"test_{key}": [places[at][key] for at in tested] for key in PLACE if key != "equation"
    }
    layers = [layer for layer in test.shards.layers if layer in trained.probes.layers]
    if not layers:
        raise InputError(
            f"transfer.{keys['transfer']}: the probes are of layers "
            f"{sorted(trained.probes.layers)}, hidden states are stored of {test.shards.layers}; "
            "expected at least one in common: set models.{model}.layers"
        )
    what = "transfer {transfer}, {model}, seed {seed}".format(**keys)
    with progress(len(layers) * len(tested), what, "symbols") as bar:
        for layer in layers:
            probes = _at(trained.probes.layers[layer], trained.positions, list(variables))
            answers = test.labels[list(variables.values())]
            hits = torch.zeros((*probes.fitted.shape, len(tested)), dtype=torch.long)
            for i, position in enumerate(tested):
                hits[..., i] = _hits(probes, test, layer, position, answers)
                bar.update()
            for j, (variable, of_test) in enumerate(variables.items()):
                for place, position in enumerate(trained.positions):
                    if not probes.fitted[place, j]:
                        continue
                    yield {
                        **keys,
                        "layer": layer,
                        **{key: trained.probes.places[position][key] for key in PLACE},
                        "variable": variable,
                        "test_variable": of_test,
                        "own_score": trained.scores[layer, position, variable],
                        "n_test": len(test.rows),
                        "chance": chance(test.labels[of_test]),
                        **described,
                        "hits": hits[place, j].tolist(),
                    }


def _at(probes: Probes, positions: Sequence[int], variables: Sequence[int]) -> Probes:
    """The probes of some positions and variables."""
    weight, bias = (
        part[list(positions)][:, list(variables)] for part in (probes.weight, probes.bias)
    )
    return Probes(weight, bias)


def _hits(
    probes: Probes, test: Split, layer: int, position: int, answers: torch.Tensor
) -> torch.Tensor:
    """Test rows of which each probe is right at a position, [symbols, variables].

    A row that ended before counts as wrong, as it does for the task's own probes.

    answers: [variables, rows].
    """
    features = test.features(layer, range(position, position + 1))[0]
    symbols, variables, classes, width = probes.weight.shape
    logits = probes.weight.reshape(-1, width) @ features.T + probes.bias.reshape(-1, 1)
    read = logits.view(symbols, variables, classes, -1).argmax(dim=2)
    reached = test.reaches(range(position, position + 1))[0]
    return ((read == answers) & reached).sum(dim=-1)

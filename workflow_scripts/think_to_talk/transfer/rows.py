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
from pathlib import Path
from typing import Any

import torch

from think_to_talk.errors import InputError
from think_to_talk.probes.accuracy import chance
from think_to_talk.probes.linear import Probes
from think_to_talk.probes.splits import Split
from think_to_talk.probes.stored import PLACE, StoredProbes
from think_to_talk.progress import progress


def transfer_rows(
    trained: StoredProbes,
    hidden_paths: Sequence[str | Path],
    dataset: str | Path,
    variables: Mapping[int, int],
    identity: Mapping[str, Any],
    keys: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """A row per layer, variable and symbol of the probes (schemas/transfer_row.schema.yaml).

    Layers are those that both models saved; probes that were not fitted have no row.

    trained: the probes of the task on which they were trained.
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
    width = next(iter(trained.layers.values())).weight.shape[-1]
    if width != test.hidden_size:
        raise InputError(
            f"transfer.{keys['transfer']}: the probes read states of width {width}, those of "
            f"{identity['model']} have {test.hidden_size}; expected models of one width"
        )
    places = [test.layout.place(position) for position in range(test.layout.n_positions)]
    tested, positions = _completing(places), _completing(trained.places)
    described = {
        f"test_{key}": [places[at][key] for at in tested] for key in PLACE if key != "equation"
    }
    layers = [layer for layer in test.shards.layers if layer in trained.layers]
    if not layers:
        raise InputError(
            f"transfer.{keys['transfer']}: the probes are of layers "
            f"{sorted(trained.layers)}, hidden states are stored of {test.shards.layers}; "
            f"expected at least one in common: set models.{identity['model']}.layers"
        )
    what = "transfer {transfer}, {model}, seed {seed}".format(**keys)
    with progress(len(layers) * len(tested), what, "symbols") as bar:
        for layer in layers:
            probes = _at(trained.layers[layer], positions, list(variables))
            answers = test.labels[list(variables.values())]
            hits = torch.zeros((*probes.fitted.shape, len(tested)), dtype=torch.long)
            for i, position in enumerate(tested):
                hits[..., i] = _hits(probes, test, layer, position, answers)
                bar.update()
            for j, (variable, of_test) in enumerate(variables.items()):
                for place, position in enumerate(positions):
                    if not probes.fitted[place, j]:
                        continue
                    yield {
                        **keys,
                        "layer": layer,
                        **{key: trained.places[position][key] for key in PLACE},
                        "variable": variable,
                        "test_variable": of_test,
                        "own_score": trained.scores[layer, position, variable],
                        "n_test": len(test.rows),
                        "chance": chance(test.labels[of_test]),
                        **described,
                        "hits": hits[place, j].tolist(),
                    }


def _completing(places: Sequence[Mapping[str, Any]]) -> list[int]:
    """The positions whose token completes a symbol."""
    return [at for at, place in enumerate(places) if place["symbol_index"] is not None]


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

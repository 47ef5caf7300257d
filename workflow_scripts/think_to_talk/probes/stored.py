"""The probes of a task as `probes.fitting` stored them, to be applied to states of other runs.

`patched_probes.runs` applies them to hidden states as passes give them, and `transfer.rows` to
those of another task; `probes.linear` predicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from think_to_talk.files.jsonl import read_probe_rows
from think_to_talk.files.shards import Shards
from think_to_talk.probes.linear import Probes

#: What a position is called in rows, as of `Layout.place`.
PLACE = ("relative_position", "equation", "symbol", "symbol_index")


@dataclass(frozen=True)
class StoredProbes:
    """A task's probes on raw hidden states.

    places: [positions] where each position is, as keys of rows.
    layers: {layer: its probes [positions, variables]}, in fp32 and main memory.
    scores: {(layer, position, variable): accuracy on the test rows of their own task, or None}.
    """

    places: list[dict[str, Any]]
    layers: dict[int, Probes]
    scores: dict[tuple[int, int, int], float | None] = field(default_factory=dict)

    @classmethod
    def read(
        cls, rows: str | Path, weights: str | Path, identity: Mapping[str, Any]
    ) -> StoredProbes:
        """Read what `probes.fitting` wrote.

        rows, weights: its two files.
        identity: model, seed and task, which the metadata of the weights must contain.
        Raises InputError if they are not of that result, or not whole.
        """
        places: dict[int, dict[str, Any]] = {}
        scores: dict[tuple[int, int, int], float | None] = {}
        for row in read_probe_rows(rows):
            places[row["position"]] = {key: row[key] for key in PLACE}
            scores[row["layer"], row["position"], row["variable"]] = row["score"]
        stored = Shards.open([weights], {key: str(value) for key, value in identity.items()})
        probes = {
            layer: Probes(stored.read(f"layer.{layer}.weight"), stored.read(f"layer.{layer}.bias"))
            for layer in sorted({layer for layer, *_ in scores})
        }
        return cls([places[position] for position in sorted(places)], probes, scores)

    def predict(self, layer: int, states: torch.Tensor, first: int) -> torch.Tensor:
        """What a layer's probes read [positions, variables, rows], as bytes; 0 without a probe.

        states: [rows, positions, hidden] of the positions from `first` on, on any device.
        """
        probes = self.layers[layer]
        here = slice(first, first + states.shape[1])
        features = states.cpu().float().transpose(0, 1)
        return Probes(probes.weight[here], probes.bias[here]).predict(features).to(torch.uint8)

    @property
    def fitted(self) -> torch.Tensor:
        """Which probes there are [layers, positions, variables]."""
        return torch.stack([probes.fitted for probes in self.layers.values()])

"""Stored weights of the probes of one layer, with what each axis means.

`think_to_talk.probes.fitting` wrote them; they apply to hidden states as they are stored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas
import torch

from think_to_talk.errors import InputError
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.symbols import is_digit, variable_symbol
from think_to_talk.reading.rows import read_rows


@dataclass(frozen=True)
class ProbeWeights:
    """The probes of one layer: digit d of a state h has the score `weight[d] @ h + bias[d]`.

    weight: [positions, variables, digits, hidden]; NaN where no probe was fitted.
    bias: [positions, variables, digits].
    rows: the rows of these probes, by position and variable: where each is, its accuracy and its
        predictions.
    variables: names of the variables, A, B ... in definition order.
    heldout_weight: [folds, positions, variables, digits, hidden] of probes that were trained
        without the expressions of a fold; None if there are none.
    heldout_bias: [folds, positions, variables, digits], or None.
    heldout_parts: per variable the fold of each expression, such as `4 + 5`, or None.
    layer: 0 is the embedding output, l the output of block l.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    rows: pandas.DataFrame
    variables: list[str]
    heldout_weight: torch.Tensor | None
    heldout_bias: torch.Tensor | None
    heldout_parts: list[dict[str, int] | None] | None
    layer: int


def read_probe_weights(
    results: str | Path, model: str, seed: int, task: str, layer: int, probes: str = "probes"
) -> ProbeWeights:
    """The weights of all probes of one layer, fp32.

    results: the results folder of a study.
    probes: `probes`, or `control_probes`, which were trained on control labels.
    Raises InputError if there are none of this layer.
    """
    rows = read_rows(results, probes, model=model, seed=seed, task=task)
    path = Path(results, model, f"seed-{seed}", probes, f"{task}.safetensors")
    if not path.exists():
        raise InputError(f"{path}: no such file; published probe rows come without weights")
    layers = sorted(rows["layer"].unique())
    if layer not in layers:
        raise InputError(f"{path}: no layer {layer}; there are {', '.join(map(str, layers))}")
    stored = Shards.open([path], {"model": model, "seed": str(seed), "task": task})
    parts = stored.metadata.get("heldout_parts")
    weight = stored.read(f"layer.{layer}.weight")
    own = rows[(rows["layer"] == layer) & ~rows["variable"].map(is_digit)]
    return ProbeWeights(
        weight=weight,
        bias=stored.read(f"layer.{layer}.bias"),
        rows=own.sort_values(["position", "variable"], ignore_index=True),
        variables=[variable_symbol(variable) for variable in range(weight.shape[1])],
        heldout_weight=stored.read(f"layer.{layer}.heldout.weight") if parts else None,
        heldout_bias=stored.read(f"layer.{layer}.heldout.bias") if parts else None,
        heldout_parts=json.loads(parts) if parts else None,
        layer=layer,
    )

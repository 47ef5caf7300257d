"""Stored hidden states of one layer, with what each axis means.

`think_to_talk.hidden_states.shards` wrote them, in the model's type or in bfloat16.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas
import torch

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.reading.rows import check_folder
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.shards import TokenShard


@dataclass(frozen=True)
class HiddenStates:
    """Hidden states of one layer for the rows of a split.

    states: [rows, positions, hidden], in the stored type; `.float().numpy()` for numpy.
    positions: a row per position, a token, or a symbol where rows do not tokenize alike:
        `position`, `relative_position` (t: 0 is the first of the chain of thought), `equation`,
        `symbol`, `symbol_index` and `token` (of the first row), as in rows of probes.
    variables: names of the variables, A, B ... in definition order.
    labels: [rows, variables] their values, which probes predict.
    row: [rows] numbers of the rows in the dataset.
    length: [rows] positions that a row has; states from there on are zeros.
    correct: [rows] whether the chain is correct and stands at the positions of the gold chain.
    input_ids: [rows, positions] the tokens, of symbols their last; -1 after a row's end.
    prefix: the tokens before them in every row's prompt: BOS, few-shot examples, chat template.
    layer: 0 is the embedding output, l the output of block l.
    last_layer: what is stored of the model's last layer, `before_norm` or `after_norm`.
    """

    states: torch.Tensor
    positions: pandas.DataFrame
    variables: list[str]
    labels: torch.Tensor
    row: torch.Tensor
    length: torch.Tensor
    correct: torch.Tensor
    input_ids: torch.Tensor
    prefix: list[int]
    layer: int
    last_layer: str


def read_hidden_states(
    results: str | Path, model: str, seed: int, task: str, layer: int, split: str = "test"
) -> HiddenStates:
    """The hidden states of one layer, whole, in memory.

    results: the results folder of a study.
    layer: one of those that the model's entry saves (`models.{model}.layers`).
    split: `test`, on which probes are scored, or `probing_train`, on which they are trained.
    Raises InputError if they are not there, or were deleted.
    """
    identity = {"model": model, "seed": str(seed), "task": task, "split": split}
    shards = _open(Path(results), identity)
    if layer not in shards.layers:
        stored = ", ".join(map(str, shards.layers))
        raise InputError(f"{shards.paths[0].parent}: no layer {layer}; stored are {stored}")
    dataset = Path(results, "formulas", f"seed-{seed}", task, f"{split}.jsonl")
    numbers = shards.read("row")
    labels = torch.tensor([row["intermediate_answers"] for row in read_jsonl(dataset)])[numbers]
    layout = Layout.loads(shards.metadata["layout"])
    tokens = json.loads(shards.metadata["tokens"])
    first = shards.paths[0].name
    return HiddenStates(
        states=shards.read(f"layer.{layer}"),
        positions=pandas.DataFrame(
            {"position": position, **layout.place(position), "token": tokens[position]}
            for position in range(layout.n_positions)
        ).astype({"symbol_index": "Int64"}),
        variables=[variable_symbol(variable) for variable in range(labels.shape[1])],
        labels=labels,
        row=numbers,
        length=shards.read("input_length"),
        correct=shards.read("correct").bool(),
        input_ids=shards.read("input_ids").long(),
        prefix=TokenShard.open(_folder(Path(results), "tokens", identity) / first, identity).prefix,
        layer=layer,
        last_layer=shards.metadata["last_layer"],
    )


def _folder(results: Path, kind: str, identity: Mapping[str, str]) -> Path:
    """The folder of a split's shards; kind: `hidden_states` or `tokens`."""
    of_seed = results / identity["model"] / f"seed-{identity['seed']}"
    return of_seed / kind / identity["task"] / identity["split"]


def _open(results: Path, identity: Mapping[str, str]) -> Shards:
    """The shards of a split. Raises InputError if there are none, saying why."""
    check_folder(results)
    folder = _folder(results, "hidden_states", identity)
    if paths := sorted(folder.glob("*.safetensors")):
        return Shards.open(paths, identity)
    # The generations of each shard stay beside its hidden states.
    if any(folder.glob("*.jsonl")):
        raise InputError(
            f"{folder}: the hidden states were deleted (keep_hidden_states: false); "
            "`snakemake --cores 2 --notemp all_hidden_states` makes them again"
        )
    there = sorted(
        f"{path.parts[-6]}, seed {path.parts[-5].removeprefix('seed-')}, {path.parts[-3]}"
        for path in results.glob(f"*/seed-*/hidden_states/*/{identity['split']}/00000.safetensors")
    )
    raise InputError(
        f"{folder}: no hidden states; those of split {identity['split']} that there are: "
        f"{'; '.join(there) or 'none'}"
    )

"""Reading token shards: the tokenized rows of a task, in pieces that are decoded independently.

`tokens.write_shards` writes them; the script of the rule `hidden_states` reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from think_to_talk.files.shards import Shards
from think_to_talk.tokens.layout import Layout


@dataclass(frozen=True)
class TokenShard:
    """A token shard in memory.

    prefix: [tokens] ids of few-shot examples and BOS, and what a chat template puts there.
    problem: [rows, positions] ids up to the question, or to the end of a chat template behind it.
    gold: [rows, positions] ids of the gold chain of thought, up to what ends it.
    stop_ids: ids that end a generation.
    row: [rows] numbers of the dataset's rows.
    layout: the symbol at each position of problem and gold.
    tokens: [positions] the tokens of the task's first row, as text.
    """

    prefix: list[int]
    problem: torch.Tensor
    gold: torch.Tensor
    stop_ids: list[int]
    row: torch.Tensor
    layout: Layout
    tokens: list[str]

    @classmethod
    def open(cls, path: str | Path, identity: Mapping[str, str]) -> TokenShard:
        """Read a shard; its metadata must contain `identity` (model, seed, task, split)."""
        shard = Shards.open([path], identity)
        return cls(
            prefix=shard.read("prefix_ids").tolist(),
            problem=shard.read("problem_ids").long(),
            gold=shard.read("gold_ids").long(),
            stop_ids=shard.read("stop_ids").tolist(),
            row=shard.read("row"),
            layout=Layout.loads(shard.metadata["layout"]),
            tokens=json.loads(shard.metadata["tokens"]),
        )

"""Token shards: the tokenized rows of a task, cut into pieces that are decoded independently."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.prompts import Layout, align, newline_tokens, tokenize
from think_to_talk.shards import Shards, write_shard

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class TokenShard:
    """A token shard in memory.

    prefix: [tokens] ids of few-shot examples and BOS. problem, gold: [rows, positions] ids.
    stop_ids: ids that end a generation. row: [rows] numbers of the dataset's rows.
    tokens: the tokens of the task's first row, one per position.
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
        """Read a shard; `identity` (model, seed, task, split) must be in its metadata."""
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


def write_token_shards(
    tokenizer: PreTrainedTokenizerBase,
    splits: Mapping[str, Sequence[Mapping[str, Any]]],
    paths: Mapping[str, Sequence[str | Path]],
    *,
    shots: int | str,
    shard_rows: int,
    identity: Mapping[str, str],
) -> None:
    """Tokenize all splits of a task, align them, and write each split to its shards.

    splits: {split: dataset rows}; they must all have one layout. paths: {split: shard paths}.
    shots: few-shot examples per prompt, or `all` there are. identity: metadata of the shards.
    Raises InputError if rows cannot be aligned.
    """
    rows = [row for split in splits.values() for row in split]
    tokenized = list(tokenize(tokenizer, rows, shots))
    layout = align(tokenizer, rows, tokenized)
    prefix = torch.tensor(tokenized[0].prefix, dtype=torch.int32)
    problem = torch.tensor([row.problem for row in tokenized], dtype=torch.int32)
    gold = torch.tensor([row.gold for row in tokenized], dtype=torch.int32)
    stop_ids = torch.tensor(newline_tokens(tokenizer), dtype=torch.int32)
    first = tokenizer.convert_ids_to_tokens([*tokenized[0].problem, *tokenized[0].gold])
    begin = 0
    for split, split_rows in splits.items():
        for number, path in enumerate(paths[split]):
            numbers = torch.arange(len(split_rows))[number * shard_rows :][:shard_rows]
            content = {
                "prefix_ids": prefix,
                "problem_ids": problem[begin + numbers],
                "gold_ids": gold[begin + numbers],
                "stop_ids": stop_ids,
                "row": numbers,
            }
            metadata = {**identity, "split": split, "tokens": json.dumps(first)}
            metadata["layout"] = layout.dumps()
            shapes = {name: (t.dtype, tuple(t.shape)) for name, t in content.items()}
            with write_shard(path, shapes, metadata) as stored:
                for name, tensor in content.items():
                    stored[name].copy_(tensor)
        begin += len(split_rows)

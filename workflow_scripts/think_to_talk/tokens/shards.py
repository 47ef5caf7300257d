"""Reading token shards: the tokenized rows of a task, in pieces that are decoded independently.

`tokens.write_shards` writes them; the script of the rule `hidden_states` reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from think_to_talk.files.shards import Shards
from think_to_talk.tokens.layout import Layout


@dataclass(frozen=True)
class RaggedTokens:
    """The tokens of rows that do not tokenize alike, and whose positions are symbols.

    problem_length, gold_length: [rows] tokens of each row; zeros follow a shorter one's.
    symbol_token: [rows, positions] the token of each position, which completes its symbol or is the
        lone space before it, counted from the problem's first token.
    """

    problem_length: torch.Tensor
    gold_length: torch.Tensor
    symbol_token: torch.Tensor

    @classmethod
    def read(cls, shard: Shards) -> RaggedTokens:
        """Read them from a token shard."""
        return cls(*(shard.read(f.name).long() for f in fields(cls)))


def has_symbol_positions(shards: Shards) -> bool:
    """Whether positions of token or hidden-state shards are symbols, not tokens."""
    return shards.metadata.get("positions") == "symbols"


@dataclass(frozen=True)
class TokenShard:
    """A token shard in memory.

    prefix: [tokens] ids of few-shot examples and BOS, and what a chat template puts there.
    problem: [rows, tokens] ids up to the question, or to the end of a chat template behind it.
    gold: [rows, tokens] ids of the gold chain of thought, up to what ends it.
    stop_ids: ids that end a generation.
    row: [rows] numbers of the dataset's rows.
    layout: the symbol at each position of problem and gold.
    tokens: [positions] the tokens of the task's first row, as text.
    ragged: where rows do not tokenize alike, the tokens of each row; None if they do.
    """

    prefix: list[int]
    problem: torch.Tensor
    gold: torch.Tensor
    stop_ids: list[int]
    row: torch.Tensor
    layout: Layout
    tokens: list[str]
    ragged: RaggedTokens | None = None

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
            ragged=RaggedTokens.read(shard) if has_symbol_positions(shard) else None,
        )

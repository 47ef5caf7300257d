"""Reading token shards: the tokenized rows of a task, in pieces that are decoded independently.

`tokens.write_shards` writes them; the script of the rule `hidden_states` reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class TaskPositions:
    """The positions of a task, which the rows of all its splits share.

    Some of the rows may tokenize alike though the task's do not: what reads them counts as probes
    do.

    layout: what is at each position.
    are_symbols: whether positions are symbols, not tokens.
    """

    layout: Layout
    are_symbols: bool

    @classmethod
    def read(cls, paths: Sequence[str | Path], identity: Mapping[str, Any]) -> TaskPositions:
        """Read them from token shards of a task.

        identity: model, seed and task, as in rows.
        """
        shards = Shards.open(paths, {key: str(value) for key, value in identity.items()})
        return cls(Layout.loads(shards.metadata["layout"]), has_symbol_positions(shards))


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

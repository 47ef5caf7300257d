"""Tokenizing a task: its prompts and gold chains, aligned and written to token shards.

The rows come from `formulas`; `tokens.shards` reads the shards for `hidden_states`. Writing is
separate from reading so that a change here does not recompute the hidden states of shards that stay
the same.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import InputError
from think_to_talk.files.shards import write_shard
from think_to_talk.formulas.rows import first_shots
from think_to_talk.tokens.chat import Chat, rendered_texts
from think_to_talk.tokens.prompts import TokenizedRow, tokenize
from think_to_talk.tokens.published import check_published
from think_to_talk.tokens.ragged import TaskLayout
from think_to_talk.tokens.stop_ids import stop_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def write_token_shards(
    tokenizer: PreTrainedTokenizerBase,
    splits: Mapping[str, Sequence[Mapping[str, Any]]],
    paths: Mapping[str, Sequence[str | Path]],
    *,
    shots: int | str,
    bos: str = "tokenizer",
    chat: Chat | None = None,
    shard_rows: int,
    identity: Mapping[str, str],
    check_length: Callable[[int, int], None] = lambda _prompt, _chain: None,
    end_ids: Sequence[int] = (),
) -> None:
    """Tokenize all splits of a task, align them, and write each split to its shards.

    splits: {split: dataset rows}; they must all have one layout.
    paths: {split: shard paths}.
    shots: few-shot examples per prompt, or `all`.
    bos, chat: as of `tokenize`.
    shard_rows: rows per shard; the last shard of a split may have fewer.
    identity: metadata of the shards.
    check_length: called before anything is written with the tokens of a prompt and of a gold chain;
        it raises InputError if the model cannot read as many.
    end_ids: end-of-sequence ids of the checkpoint, beside the tokenizer's own.
    Raises InputError if rows cannot be aligned, or their chains do not end with a newline token.
    """
    rows = [row for split in splits.values() for row in split]
    contexts = [first_shots(row.get("few_shot_context", ""), shots) for row in rows]
    if chat:
        # The template says whether there is a BOS token.
        check_published(tokenizer, rendered_texts(tokenizer, rows, contexts, chat), "none")
    else:
        texts = [c + row["source"] + row["target"] for c, row in zip(contexts, rows, strict=True)]
        check_published(tokenizer, texts, bos)
    tokenized = list(tokenize(tokenizer, rows, shots, bos, chat))
    layouts = TaskLayout.of(tokenizer, rows, tokenized)
    if layouts.symbol_token is not None and layouts.marked is None:
        warnings.warn(
            f"rows of {identity['task']} do not tokenize alike: its positions are symbols, and t "
            "counts symbols",
            stacklevel=2,
        )
    prefix = torch.tensor(tokenized[0].prefix, dtype=torch.int32)
    of_rows = _tensors(tokenized, layouts)
    stops = torch.tensor(stop_ids(tokenizer, end_ids, chat), dtype=torch.int32)
    first = tokenizer.convert_ids_to_tokens([*tokenized[0].problem, *tokenized[0].gold])
    # A tokenizer may have a newline token and still drop newlines from a text.
    last = tokenizer.batch_decode([[token] for token in sorted({r.gold[-1] for r in tokenized})])
    if not chat and not all("\n" in text for text in last):
        raise InputError(
            f"the last token of a chain of thought is {first[-1]!r}, expected one with a newline: "
            "the tokenizer drops newlines from a text; use another model"
        )
    check_length(len(prefix) + of_rows["problem_ids"].shape[1], of_rows["gold_ids"].shape[1])
    begin = 0
    for split, split_rows in splits.items():
        for number, path in enumerate(paths[split]):
            numbers = torch.arange(len(split_rows))[number * shard_rows :][:shard_rows]
            content = {
                "prefix_ids": prefix,
                **{name: of_all[begin + numbers] for name, of_all in of_rows.items()},
                "stop_ids": stops,
                "row": numbers,
            }
            metadata = {**identity, "split": split, "tokens": json.dumps(layouts.texts(first))}
            metadata["layout"] = layouts.layout.dumps()
            if layouts.symbol_token is not None:
                metadata["positions"] = "symbols"
            shapes = {name: (t.dtype, tuple(t.shape)) for name, t in content.items()}
            with write_shard(path, shapes, metadata) as stored:
                for name, tensor in content.items():
                    stored[name].copy_(tensor)
        begin += len(split_rows)


def _tensors(tokenized: Sequence[TokenizedRow], layouts: TaskLayout) -> dict[str, torch.Tensor]:
    """The tensors of a shard that have rows, as of `tokens.shards.TokenShard`."""
    problems, golds = ([getattr(row, part) for row in tokenized] for part in ("problem", "gold"))
    found = {"problem_ids": _padded(problems), "gold_ids": _padded(golds)}
    if layouts.symbol_token is not None:
        found["problem_length"] = torch.tensor(list(map(len, problems)), dtype=torch.int32)
        found["gold_length"] = torch.tensor(list(map(len, golds)), dtype=torch.int32)
        found["symbol_token"] = torch.tensor(layouts.symbol_token, dtype=torch.int32)
    return found


def _padded(ids: Sequence[Sequence[int]]) -> torch.Tensor:
    """Ids [rows, tokens of the longest row]; zeros follow a shorter one."""
    width = max(map(len, ids))
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in ids], dtype=torch.int32)

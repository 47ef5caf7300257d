"""Rows whose tokens stand at the same places, numbers as one token each: what some stages read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from think_to_talk.errors import UnreadError
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import TokenizedRow
from think_to_talk.tokens.ragged import TaskLayout, splits_numbers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def whole_layout(
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Mapping[str, Any]],
    tokenized: Sequence[TokenizedRow],
) -> Layout:
    """The layout of rows that tokenize alike, token by token, with numbers of one token each.

    rows: of the task's dataset.
    tokenized: the same rows, tokenized.
    Raises UnreadError if they do not tokenize so.
    """
    layouts = TaskLayout.of(tokenizer, rows, tokenized)
    if layouts.symbol_token is not None:
        raise UnreadError("rows do not tokenize alike, expected tokens at the same places in all")
    if splits_numbers(tokenizer, tokenized[0]):
        raise UnreadError("a number takes several tokens, expected one token for each number")
    return layouts.layout

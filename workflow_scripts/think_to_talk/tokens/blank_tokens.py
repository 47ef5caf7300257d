"""The tokens that are spaces alone: many tokenizers write one before a number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def blank_tokens(tokenizer: PreTrainedTokenizerBase, ids: Iterable[int]) -> set[int]:
    """Those of some ids whose text is blank."""
    return {token for token in set(ids) if not str(tokenizer.decode([token])).strip()}

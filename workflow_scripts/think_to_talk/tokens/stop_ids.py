"""The tokens that end a generation: newlines, and the ends of a sequence or of a chat's turn.

`tokens.write_shards` stores them for `hidden_states`; `interventions.inconsistent_chains` finds
them here.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from think_to_talk.errors import InputError
from think_to_talk.formulas.symbols import SYMBOLS
from think_to_talk.tokens.chat import Chat, end_of_turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def stop_ids(
    tokenizer: PreTrainedTokenizerBase, end_ids: Iterable[int], chat: Chat | None = None
) -> list[int]:
    """Ids of all tokens that end a generation: newline tokens and end-of-sequence tokens.

    Configs of models with a small vocabulary often keep the default `eos_token_id` of their
    architecture, which is then a symbol of problems. Such an id ends no generation; a warning
    names it.

    end_ids: the end-of-sequence ids of the checkpoint; the tokenizer's own is added.
    chat: how the model is prompted; with a chat template, its end of turn is added.
    """
    newlines = newline_tokens(tokenizer)
    turn_ends = [end_of_turn(tokenizer, chat)] if chat else []
    ends = {*end_ids, *_own_end(tokenizer), *turn_ends} - {*newlines}
    for token in sorted(ends):
        text = str(tokenizer.decode([token], skip_special_tokens=True)).strip()
        if text.isdigit() or (len(text) == 1 and text in SYMBOLS):
            ends.remove(token)
            warnings.warn(
                f"eos_token_id {token} is the token {text!r}, a symbol of problems: generations do "
                "not end there; correct it in the checkpoint's config.json and "
                "generation_config.json",
                stacklevel=2,
            )
    return sorted({*newlines, *ends})


def _own_end(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """The tokenizer's end-of-sequence id, if it has one."""
    return set() if tokenizer.eos_token_id is None else {tokenizer.eos_token_id}


def newline_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids of all tokens that contain a newline: greedy decoding ends at any of them.

    Raises InputError if there is none: no generation would end where its chain does.
    """
    texts = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    ids = [i for i, text in enumerate(texts) if "\n" in text]
    if not ids:
        raise InputError(
            f"the tokenizer has no token with a newline among its {len(texts)}, expected one to "
            "end the chain of thought: use another model"
        )
    return ids

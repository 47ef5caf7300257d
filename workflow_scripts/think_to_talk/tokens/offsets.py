"""Where tokens stand in a text: the character offsets that a fast tokenizer gives.

`tokens.prompts` and `tokens.chat` find the symbol of each token by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from think_to_talk.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: (start, end) of a token, in characters of a text.
Span = tuple[int, int]


def encode(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], bos: str
) -> list[tuple[list[int], list[Span]]]:
    """Ids and spans of each text, without special tokens that a tokenizer appends.

    bos: as of `tokens.prompts.tokenize`.
    Raises InputError if the tokens do not stand in the order of a text.
    """
    encoded = tokenizer(
        list(texts),
        add_special_tokens=bos == "tokenizer",
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    result = []
    for text, ids, spans, special in zip(
        texts,
        encoded["input_ids"],
        encoded["offset_mapping"],
        encoded["special_tokens_mask"],
        strict=True,
    ):
        end = len(ids)
        while end and special[end - 1] and spans[end - 1][0] == spans[end - 1][1]:
            end -= 1
        check_order(spans[:end], f"of {text[-60:]!r}", "use another model")
        result.append((ids[:end], spans[:end]))
    return result


def check_order(spans: Sequence[Span], where: str, remedy: str) -> None:
    """Raise InputError if tokens do not stand in the order of their text.

    where: names the text. remedy: what the user can do.
    """
    starts, ends = zip(*spans, strict=True) if spans else ((), ())
    # Sorting what is sorted takes a fraction of a loop's time.
    if [*starts] == sorted(starts) and [*ends] == sorted(ends):
        return
    one, other = next((a, b) for a, b in pairwise(spans) if a[0] > b[0] or a[1] > b[1])
    raise InputError(
        f"the tokens {where} do not stand in the order of the text: one is at {one}, the next one "
        f"at {other}, so that it is not known which symbols they are; {remedy}"
    )

"""The tokens that go on with a number: where numbers take several tokens, `1` also begins `12`.

`forced_answers` and `interventions` ask whether a model that has written a number ends it.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def further_digits(tokenizer: PreTrainedTokenizerBase, number: Sequence[int]) -> tuple[int, ...]:
    """The ids of all tokens that add a digit to a number, given as its tokens."""
    digits = set(string.digits)
    tokens = sorted(i for text, i in tokenizer.get_vocab().items() if digits & set(text))
    followed = [[*number, token] for token in tokens]
    texts = tokenizer.batch_decode(followed, clean_up_tokenization_spaces=False)
    (alone,) = tokenizer.batch_decode([list(number)], clean_up_tokenization_spaces=False)
    return tuple(
        token
        for token, text in zip(tokens, texts, strict=True)
        if text.startswith(alone) and text[len(alone) : len(alone) + 1] in digits
    )

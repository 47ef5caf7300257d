"""A tokenizer of one token per symbol, for the models that the study trains.

`models.training` saves it with the model that it trains, so all later stages load it as they load
the tokenizer of a hub model. A number of several digits is a token for its first digit, and one of
another kind for each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from think_to_talk.formulas.symbols import DIGIT_PREFIX, UNKNOWN, vocabulary


def symbol_tokenizer(words: Sequence[str] = (), largest: int = 9) -> PreTrainedTokenizerFast:
    """One token per symbol; spaces are dropped; the newline ends a sequence.

    words: what variables may be called, beside letters.
    largest: number; beyond 9, numbers have a token per digit.
    """
    tokens = {symbol: i for i, symbol in enumerate(vocabulary(words, largest))}
    is_plain = not words and largest <= 9
    if is_plain:
        tokenizer = Tokenizer(models.WordLevel(tokens, unk_token=UNKNOWN))
    else:
        prefix = DIGIT_PREFIX
        tokenizer = Tokenizer(
            models.WordPiece(tokens, unk_token=UNKNOWN, continuing_subword_prefix=prefix)
        )
        tokenizer.decoder = decoders.WordPiece(prefix=prefix, cleanup=False)
    symbol = r"[\s\S]" if is_plain else r"[A-Za-z]+|[0-9]+|[\s\S]"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ", behavior="removed"),
            pre_tokenizers.Split(Regex(symbol), behavior="isolated"),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=UNKNOWN, eos_token="\n", pad_token="\n"
    )

"""A tokenizer of one token per symbol, for the models that the study trains.

`models.training` saves it with the model that it trains, so all later stages load it as they load
the tokenizer of a hub model.
"""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from think_to_talk.formulas.symbols import SYMBOLS

_UNKNOWN = "<unk>"


def symbol_tokenizer() -> PreTrainedTokenizerFast:
    """One token per symbol; spaces are dropped; the newline ends a sequence."""
    vocabulary = {symbol: i for i, symbol in enumerate([_UNKNOWN, *SYMBOLS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=_UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ", behavior="removed"),
            pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated"),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=_UNKNOWN, eos_token="\n", pad_token="\n"
    )

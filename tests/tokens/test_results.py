"""Where chains of thought state the results of variables."""

import re

import pytest
from support.checkpoints import bpe_tokenizer, byte_level
from tokenizers import Regex, decoders, pre_tokenizers

from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.tokens.prompts import align, tokenize
from think_to_talk.tokens.results import Result
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

SIZES = {"train": 3, "valid": 1, "test": 5, "probing_train": 100}


@pytest.fixture(scope="module")
def splits(tasks):
    """`A = # ± # , B = # ± A` written in reverse, and a distractor before them."""
    return generate_splits(tasks["level-4"], SIZES, 3)


def layout_of(tokenizer, rows):
    return align(tokenizer, rows, list(tokenize(tokenizer, rows, 0)))


def merged(texts, pattern):
    """A tokenizer whose tokens are merged within the pieces of a text, spaces apart."""
    pieces = pre_tokenizers.Split(Regex(pattern), "isolated")
    whole = pre_tokenizers.Sequence([pieces, pre_tokenizers.ByteLevel(False, use_regex=False)])
    return bpe_tokenizer(texts, whole, decoders.ByteLevel(), vocabulary_size=300)


TOKENIZERS = {
    "symbols": lambda _: symbol_tokenizer(),
    "byte-level": byte_level,
    "spaces apart": lambda texts: merged(texts, r"\s"),
    "separators joined": lambda texts: merged(texts, r" (?=[^,])|\n"),
}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_number_is_the_last_token_of_the_first_result(splits, kind):
    texts = [row["source"] + row["target"] for part in splits.values() for row in part]
    tokenizer, rows = TOKENIZERS[kind](texts), splits["test"]
    layout = layout_of(tokenizer, rows)
    assert Result.of(0, layout) is None
    for variable, equation in ((1, 2), (2, 5)):
        result = Result.of(variable, layout)
        assert result.equation == equation
        for row in rows:
            name = row["intermediate_questions"][variable]
            stated = f" {name} {row['intermediate_answers'][variable]}"
            text = row["source"] + row["target"]
            end = next(
                len(row["source"]) + match.end(1)
                for match in re.finditer(rf"({stated})\s*[,\n]", row["target"])
            )
            spans = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
            start, stop = spans[result.number]
            assert start < end <= stop

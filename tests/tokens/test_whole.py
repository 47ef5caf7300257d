"""Rows of tokens at the same places, numbers as one token each: laid out, or not to be read."""

import pytest
from support.templates import template

from think_to_talk.errors import InputError, UnreadError
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.tokens.prompts import align, tokenize
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.whole import whole_layout

SIZES = {"train": 1, "valid": 1, "test": 40, "probing_train": 1}


def rows_of(**values):
    return generate_splits(template(["v0 = num", "v1 = num ± v0"], **values), SIZES, 1)["test"]


@pytest.mark.parametrize(
    ("values", "message"),
    [([0, 99], "^rows do not tokenize alike"), ([10, 99], "^a number takes several tokens")],
)
def test_numbers_of_several_tokens_cannot_be_read(values, message):
    rows, tokenizer = rows_of(values=values), symbol_tokenizer((), 99)
    with pytest.raises(UnreadError, match=message):
        whole_layout(tokenizer, rows, list(tokenize(tokenizer, rows, 0)))


def test_rows_of_single_tokens_have_the_layout_that_they_share():
    rows, tokenizer = rows_of(), symbol_tokenizer()
    tokenized = list(tokenize(tokenizer, rows, 0))
    assert whole_layout(tokenizer, rows, tokenized) == align(tokenizer, rows, tokenized)


def test_rows_of_other_symbols_are_an_error():
    rows = [*rows_of(), *generate_splits(template(["v0 = num"]), {**SIZES, "test": 2}, 1)["test"]]
    tokenizer = symbol_tokenizer()
    with pytest.raises(InputError, match="rows of one task must tokenize alike") as error:
        whole_layout(tokenizer, rows, list(tokenize(tokenizer, rows, 0)))
    assert not isinstance(error.value, UnreadError)

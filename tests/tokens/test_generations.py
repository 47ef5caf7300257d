"""Generations as tokens: their text, and whether they align with the gold chain."""

import pytest
from support.spelled_tokens import ID, ids, spelled_tokenizer

from think_to_talk.tokens.generations import is_aligned, textless_stops, written_texts
from think_to_talk.tokens.stop_ids import stop_ids

GOLD = [" a", " =", " 1", "\n"]


@pytest.fixture
def tokenizer():
    return spelled_tokenizer()


def test_the_end_of_a_gold_chain_may_be_any_stop_that_adds_no_text(tokenizer):
    stops = stop_ids(tokenizer, [ID["<end>"]])
    assert textless_stops(tokenizer, stops) == set(ids(["\n", " \n", "</s>", "<end>"]))


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([" a", " =", " 1", "\n"], "a = 1"),
        ([" a", " =", " 1", "</s>"], "a = 1"),
        ([" a", " =", " 1", "<end>"], "a = 1"),
        ([" a", " =", " ", "1\n"], "a = 1"),
        ([" a", " =", " 1"], "a = 1"),
        (["<end>"], ""),
        # Written in the middle, a token of which nobody says that it ends a sequence is text.
        ([" a", "<end>", " 1", "\n"], "a<end> 1"),
    ],
)
def test_the_text_of_a_generation_is_without_what_ends_it(tokenizer, tokens, text):
    stops = stop_ids(tokenizer, [] if tokens[1:2] == ["<end>"] else [ID["<end>"]])
    assert written_texts(tokenizer, [ids(tokens)], stops) == [text]


@pytest.mark.parametrize(
    ("tokens", "aligned"),
    [
        (GOLD, True),
        ([" a", " =", " 1", "</s>"], True),
        ([" a", " =", " 1", " \n"], True),
        (["a", "=", "1", "\n"], True),
        # Cut before its end.
        ([" a", " =", " 1"], True),
        ([" a", " =", " ", "1", "\n"], False),
        ([" a", " =", "1\n"], False),
        ([" a", "=1", "\n"], False),
        ([" a", "=1", " ", "\n"], False),
        ([" a", " ", "=1", "\n"], False),
    ],
)
def test_a_generation_is_aligned_if_each_token_completes_the_symbols_of_the_gold_s(
    tokenizer, tokens, aligned
):
    assert is_aligned(tokenizer, ids(tokens), ids(GOLD)) == aligned

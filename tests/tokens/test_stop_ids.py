"""What ends a generation: newlines, and the ends of a sequence that tokenizer and configs name."""

import warnings

import pytest
from support.spelled_tokens import ID, ids, spelled_tokenizer

from think_to_talk.tokens.stop_ids import stop_ids


@pytest.fixture
def tokenizer():
    return spelled_tokenizer()


@pytest.mark.parametrize(
    ("end_ids", "expected"),
    [
        ([], ["\n", "1\n", " \n", "</s>"]),
        ([ID["<end>"]], ["\n", "1\n", " \n", "</s>", "<end>"]),
        ([ID["</s>"], ID["<end>"], ID["\n"]], ["\n", "1\n", " \n", "</s>", "<end>"]),
    ],
)
def test_newlines_and_all_end_of_sequence_tokens_end_a_generation(tokenizer, end_ids, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert stop_ids(tokenizer, end_ids) == ids(expected)


def test_a_tokenizer_without_an_end_of_sequence_has_its_newlines(tokenizer):
    tokenizer.eos_token = None
    assert stop_ids(tokenizer, []) == ids(["\n", "1\n", " \n"])


@pytest.mark.parametrize("token", ["a", " a", "=", "1", "12"])
def test_a_symbol_that_a_config_calls_the_end_ends_nothing_and_is_named(tokenizer, token):
    said = f"eos_token_id {ID[token]} is the token '{token.strip()}', a symbol of problems"
    with pytest.warns(UserWarning, match=said):
        assert stop_ids(tokenizer, [ID[token]]) == stop_ids(tokenizer, [])

"""The tokens of digits are those that the gold chains have."""

import pytest
import torch
from support.checkpoints import byte_level, metaspace
from support.decoding import tokens_of
from support.probes import LAYOUT, TOKENS

from think_to_talk.errors import UnreadError
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.tokens.digits import DigitTokens
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

SIZES = {"train": 3, "valid": 1, "test": 200, "probing_train": 1}
#: `a=1;a=?_a=1`, whose chain's digit is at position 9 of eleven.
PROBLEM = {"source": "a = {} ; a =?", "target": " a = {}\n"}


@pytest.fixture(scope="module")
def rows(tasks):
    return generate_splits(tasks["level-3"], SIZES, 3)["test"]


def texts_of(rows):
    return [row["source"] + row["target"] for row in rows]


@pytest.mark.parametrize(
    ("make", "written"),
    [
        (lambda texts: symbol_tokenizer(), "{}"),
        # A digit of a chain is never `4` alone, though there is such a token.
        (byte_level, "Ġ{}"),
        (metaspace, "▁{}"),
    ],
    ids=["symbols", "byte-level", "metaspace"],
)
def test_the_tokens_of_digits_are_found_in_the_chains(rows, make, written):
    tokenizer = make(texts_of(rows))
    _, _, gold, layout = tokens_of(tokenizer, rows, 0)
    found = DigitTokens.of(gold, layout, rows, [""] * layout.n_positions)
    expected = [tokenizer.convert_tokens_to_ids(written.format(digit)) for digit in range(10)]
    assert found.ids == tuple((token,) for token in expected)
    assert not found.missing


def problems(digits):
    return [{key: text.format(digit) for key, text in PROBLEM.items()} for digit in digits]


def chain(*ids):
    """[rows, tokens] of chains `a = #⏎`, whose digits have these ids."""
    return torch.tensor([[1, 2, 3, token, 4] for token in ids])


def test_a_digit_may_have_several_tokens_and_need_have_none():
    found = DigitTokens.of(chain(14, 15, 44), LAYOUT, problems([4, 5, 4]), TOKENS)
    assert found.ids == ((), (), (), (), (14, 44), (15,), (), (), (), ())
    assert found.missing == [0, 1, 2, 3, 6, 7, 8, 9]


def test_the_probability_of_a_digit_is_that_of_all_its_tokens():
    found = DigitTokens.of(chain(14, 15, 44), LAYOUT, problems([4, 5, 4]), TOKENS)
    probabilities = torch.full((50,), 0.5 / 47)
    # Five is the most probable token, four the most probable digit.
    probabilities[[14, 15, 44]] = torch.tensor([0.15, 0.2, 0.15])
    read = found.log_probabilities(probabilities.log() + 7)
    assert read.argmax() == 4
    assert read.exp().tolist() == pytest.approx([0, 0, 0, 0, 0.3, 0.2, 0, 0, 0, 0])


def test_a_token_of_two_digits_is_refused():
    with pytest.raises(UnreadError, match=r"digits of the chain of thought share tokens"):
        DigitTokens.of(chain(14, 14), LAYOUT, problems([4, 5]), TOKENS)


@pytest.mark.parametrize(
    ("position_symbol", "tokens", "shared"),
    [
        # `=1` of the chain, and its `1⏎`.
        ((0, 1, 2, 3, 4, 6, 7, 9, 10), ["a", "=", "1", ";", "a", "=?", "a", "=1", "⏎"], "=1"),
        ((0, 1, 2, 3, 4, 6, 7, 8, 10), ["a", "=", "1", ";", "a", "=?", "a", "=", "1⏎"], "1⏎"),
    ],
)
def test_a_token_that_holds_more_than_a_digit_is_refused_by_name(position_symbol, tokens, shared):
    layout = Layout(LAYOUT.symbols, position_symbol, (True,) * len(position_symbol), 6)
    with pytest.raises(UnreadError, match=rf"the token '{shared}' .* of its own for each digit"):
        DigitTokens.of(torch.zeros(2, 3).long(), layout, problems([4, 5]), tokens)


def test_a_token_of_the_problem_may_hold_more_than_a_digit():
    symbols = (1, 3, 4, 6, 7, 8, 9, 10)
    layout = Layout(LAYOUT.symbols, symbols, (True,) * len(symbols), 4)
    found = DigitTokens.of(torch.tensor([[1, 2, 14, 4]]), layout, problems([4]), ["?"] * 8)
    assert found.ids[4] == (14,)


def test_tokens_of_several_chains_are_merged():
    first = DigitTokens.of(chain(14, 15), LAYOUT, problems([4, 5]), TOKENS)
    second = DigitTokens.of(chain(44, 9), LAYOUT, problems([4, 0]), TOKENS)
    merged = DigitTokens.merged([first, second])
    assert merged.ids == ((9,), (), (), (), (14, 44), (15,), (), (), (), ())

"""Symbols of texts: a name or a number is one, whatever it is written with."""

import pytest

from think_to_talk.formulas.rows import is_correct
from think_to_talk.formulas.symbols import n_classes, symbol_spans, text_symbols, vocabulary


def test_a_name_or_a_number_is_one_symbol():
    text = "pear = 12 -kiwi ; x =? y = 103\n"
    symbols = ["pear", "=", "12", "-", "kiwi", ";", "x", "=", "?", "y", "=", "103", "\n"]
    assert text_symbols(text) == symbols
    assert [text[start:end] for start, end in symbol_spans(text)] == symbols


def test_single_characters_are_symbols_of_their_own():
    text = "z = 0 + o , o = 4 + 5 ; z =? z = 0 + o , o = 9\n"
    assert text_symbols(text) == [character for character in text if character != " "]


@pytest.mark.parametrize(
    ("generation", "correct"),
    [
        ("pear = 12 + 3 , pear = 15", True),
        ("pear=12+3, pear = 15\nmore", True),
        ("pear = 1 2 + 3 , pear = 15", False),
        ("p ear = 12 + 3 , pear = 15", False),
        ("pear = 12 + 3 , pear = 16", False),
    ],
)
def test_spaces_are_ignored_between_symbols_but_not_within(generation, correct):
    assert is_correct(generation, {"scratchpad": "pear = 12 + 3 , pear = 15"}) == correct


def test_there_are_ten_classes_or_one_for_each_value_up_to_the_largest():
    assert [n_classes(largest) for largest in (3, 9, 10, 99, 199)] == [10, 10, 11, 100, 200]


def test_words_and_further_digits_follow_the_other_tokens():
    plain = vocabulary()
    more = vocabulary(["pear", "kiwi", "a", "pear"], 10)
    assert more[: len(plain)] == plain
    assert more[len(plain) :] == ["kiwi", "pear", *(f"##{digit}" for digit in range(10))]

"""The explorer's examples: which test rows, and what they say."""

import numpy as np
import pytest

from think_to_talk.formulas.stated_values import stated_result
from think_to_talk.pages.explorer.examples import (
    N_EXAMPLES,
    choose_examples,
    encode_predictions,
    example_data,
    examples_each,
    last_number,
)


@pytest.mark.parametrize(
    ("n_wrong", "n_right", "shown"),
    [
        (0, 50, (0, 20)),
        (3, 50, (3, 17)),
        (50, 50, (10, 10)),
        (50, 4, (16, 4)),
        (50, 0, (20, 0)),
        (2, 3, (2, 3)),
    ],
)
def test_wrong_chains_come_first_and_are_at_most_half_of_the_examples(n_wrong, n_right, shown):
    correct = np.random.default_rng(0).permutation([False] * n_wrong + [True] * n_right)
    numbers = {kind: np.flatnonzero(correct == kind).tolist() for kind in (False, True)}
    chosen = choose_examples([{"row": i, "correct": bool(c)} for i, c in enumerate(correct)])
    assert len(chosen) <= N_EXAMPLES
    expected = [*numbers[False][: shown[0]], *numbers[True][: shown[1]]]
    assert [row["row"] for row in chosen] == expected


def test_a_study_of_many_models_has_fewer_examples_of_each():
    assert examples_each(1) == examples_each(20) == N_EXAMPLES
    assert examples_each(45) == 8
    assert examples_each(1000) == 2
    rows = [{"row": row, "correct": row % 2 == 0} for row in range(50)]
    assert [row["row"] for row in choose_examples(rows, 4)] == [1, 3, 0, 2]


@pytest.mark.parametrize(
    ("chain", "number"),
    [
        ("b = 4 + a , a = 3 , b = 4 + 3 , b = 7", "7"),
        ("b = 4 , b = 12", "12"),
        ("b = -3", "-3"),
        ("b = 1 2", None),
        ("a = 3 ; b = 5 , b = ?", "5"),
        ("b = b = 5 , bb = 4 , b =", None),
        ("? ? ?", None),
        ("", None),
    ],
)
def test_the_written_value_is_the_last_number_that_a_chain_says_of_a_variable(chain, number):
    assert last_number(chain, "b") == number
    assert last_number(chain, None) is None


def test_predictions_of_larger_values_are_a_text_per_position():
    assert encode_predictions([[3, 12], None, [-1, 7]], [1, 0]) == [["12", ".", "7"], "3.."]


def test_predictions_are_a_character_per_position():
    predictions = [[1, 2, 3], None, [9, -1, 0]]
    assert encode_predictions(predictions, [0, 1]) == ["1.9", "2.."]
    assert encode_predictions(predictions, [2]) == ["3.0"]


GOLD = "Bob has 2 more apples than Al. Al has 3 apples. Bob has 3 plus 2 apples. Bob has 5 apples"


@pytest.mark.parametrize(
    ("chain", "name", "number"),
    [
        (GOLD, "Bob", "5"),
        (GOLD, "Al", "3"),
        ("Bob has 3 plus 2 apples. Bob has 4 apples. Bob has 12 apples", "Bob", "12"),
        ("Bob has 2 more apples than Cy. Bob has 3 pears", "Bob", None),
        ("Bob = 5", "Bob", None),
    ],
)
def test_the_written_value_of_a_sentence_is_that_of_the_gold_chain_s_sentence(chain, name, number):
    assert last_number(chain, name, stated_result(GOLD, name, ["Al", "Bob"])) == number


def test_equations_and_unknown_names_have_no_sentence_that_states_a_value():
    assert stated_result("b = 4 + a , a = 3 , b = 4 + 3 , b = 7", "b", ["a", "b"]) == []
    assert stated_result(GOLD, "Bob", ["Bob", None]) == []
    assert stated_result(GOLD, None, ["Al", "Bob"]) == []


def test_the_written_digit_of_a_variable_is_that_of_the_written_number():
    """Probes of digits have the variables 26 (A ones), 52 (A tens) and 53 (B tens)."""
    generation = {
        **{"row": 0, "source": "k = 40 , m = 9 + k ; m =?", "scratchpad": "k = 40 , m = 49"},
        **{"generation": "k = 40 , m = 7", "correct": False, "aligned": True, "ended": True},
    }
    positions = [
        {"symbol": symbol, "symbol_index": index}
        for index, symbol in enumerate("A=#,B=#+A;B=?A=#,B=#")
    ]
    shown = example_data(generation, positions, [0, 1, 26, 52, 53])
    assert shown["written"] == ["40", "7", "0", "4", "0"]
    silent = {**generation, "generation": "k = 40"}
    assert example_data(silent, positions, [1, 53])["written"] == [None, None]


def test_which_words_of_free_text_state_a_value_is_not_known():
    """Also where labels are those of variables, and a word stands before a number."""
    generation = {
        **{"row": 0, "source": "b = 3 ; b =?", "generation": "b = 3", "scratchpad": "b = 4"},
        **{"correct": True, "aligned": False, "ended": True},
    }
    positions = [{"symbol": "A", "symbol_index": 0}]
    symbolic = example_data(generation, positions, [0])
    free = example_data({**generation, "spans": ["b", "3"]}, positions, [0])
    assert (symbolic["written"], free["written"]) == (["3"], [None])
    assert {**symbolic, "written": [None], "spans": ["b", "3"]} == free

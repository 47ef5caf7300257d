"""What chains of thought state, in equations and in sentences, and chains that state it wrong."""

import pytest
from support.templates import SMALL_SIZES, template
from support.wordings import APPLES, NAMES

from think_to_talk.formulas.altered_chains import draw_inconsistent_pairs
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.stated_values import final_answer, number_in_place, stated_result
from think_to_talk.formulas.steered_chains import steered_chains
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.formulas.templates import Template

TASK = template(["v0 = num", "v1 = v0 ± num"], names=NAMES, wording=APPLES)
GOLD = {"scratchpad": "Bob has 3 plus 2 apples. Bob has 5 apples", "symbolic_source": "Bob = ..."}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Bob has 3 plus 2 apples. Bob has 6 apples", "6"),
        ("Bob has 12 apples", "12"),
        ("Bob has 3 plus 2 apples", "Bob has 3 plus 2 apples"),
        ("Bob has 3 apples. Al has 5 apples", "Al has 5 apples"),
        ("Bob has 5 apples. ", ""),
        ("", ""),
    ],
)
def test_the_final_answer_of_sentences_is_the_number_of_the_last(text, answer):
    assert final_answer(text, GOLD) == answer


@pytest.mark.parametrize(
    ("text", "answer"), [("z = 4 + 5 , z = 9", "9"), ("z = 4 + 5", "4 + 5"), ("no", "no"), ("", "")]
)
def test_the_final_answer_of_equations_follows_the_last_sign(text, answer):
    assert final_answer(text, {"scratchpad": "z = 4 + 5 , z = 9"}) == answer


def test_a_number_is_read_in_the_same_place_of_the_same_sentence():
    result = text_symbols("Bob has 5 apples")
    assert number_in_place(text_symbols("Bob has 17 apples"), result) == "17"
    for other in ("Bob has apples", "Bob had 5 apples", "Bob has 5 apples now", "5 has Bob apples"):
        assert number_in_place(text_symbols(other), result) is None


def test_the_sentence_that_states_a_value_names_no_other_variable():
    for row in generate_splits(TASK, SMALL_SIZES, 1)["test"]:
        names = [question.split()[0] for question in row["intermediate_questions"]]
        for name, value in zip(names, row["intermediate_answers"], strict=True):
            result = stated_result(row["scratchpad"], name, names)
            assert result == [name, "has", str(value), "apples"]


def test_a_steered_chain_is_written_in_sentences():
    chain = "Bob has 2 more apples than Al. Al has 3 apples. Bob has 2 more apples than Al. "
    row = {
        "symbolic_source": "Bob = Al + 2 , Al = 3 ; Bob =?",
        "scratchpad": f"{chain}Bob has 3 plus 2 apples. Bob has 5 apples",
        "intermediate_questions": ["Al =", "Bob ="],
        "intermediate_answers": [3, 5],
        "source": "Bob has 2 more apples than Al. Al has 3 apples. How many apples does Bob have?",
    }
    chains = steered_chains(row, Template.from_config(TASK), 0)
    assert sorted(chains) == [0, 1, 2, 4, 5, 6, 7]
    assert chains[7] == (
        f"{chain.replace('has 3', 'has 7')}Bob has 7 plus 2 apples. Bob has 9 apples"
    )


def test_an_inconsistent_chain_of_sentences_has_the_problem_that_it_contradicts():
    for pair in draw_inconsistent_pairs(Template.from_config(TASK), 10, 1, []):
        assert pair["source"] == pair["base_source"]
        assert pair["symbolic_source"] == pair["base_symbolic_source"]
        assert pair["scratchpad"] != pair["base_scratchpad"]
        assert text_symbols(pair["scratchpad"])[:8] == text_symbols(pair["base_scratchpad"])[:8]

"""Chains of thought of a problem, had a variable another value, against chains written by hand."""

import pytest
from support.repository import GENERAL_FEW_SHOT

from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.steered_chains import read_problem, steered_chains, steered_variables
from think_to_talk.formulas.templates import Template
from think_to_talk.study.configuration import complete

SIZES = {"train": 3, "valid": 1, "test": 30, "probing_train": 1}


def row_of(source, chain, names, values):
    return {
        "source": source,
        "target": f" {chain}\n",
        "scratchpad": chain,
        "original_answer": chain[-1],
        "intermediate_questions": [f"{name} =" for name in names],
        "intermediate_answers": values,
    }


TWO_STEPS = row_of(
    "e = 4 - 2 , b = 7 - e ; b =?",
    "b = 7 - e , e = 4 - 2 , e = 2 , b = 7 - e , b = 7 - 2 , b = 5",
    "eb",
    [2, 5],
)
NUMBER = row_of(
    "j = 2 + n , n = 5 ; j =?",
    "j = 2 + n , n = 5 , j = 2 + n , j = 2 + 5 , j = 7",
    "nj",
    [5, 7],
)


def test_the_rest_of_a_chain_follows_from_the_other_value(tasks):
    chains = steered_chains(TWO_STEPS, Template.from_config(tasks["level-2"]), 0)
    assert chains == {
        e: f"b = 7 - e , e = 4 - 2 , e = {e} , b = 7 - e , b = 7 - {e} , b = {7 - e}"
        for e in (0, 1, 3, 4, 5, 6, 7)
    }


def test_nothing_follows_the_answer(tasks):
    chains = steered_chains(TWO_STEPS, Template.from_config(tasks["level-2"]), 1)
    assert chains == {
        b: f"b = 7 - e , e = 4 - 2 , e = 2 , b = 7 - e , b = 7 - 2 , b = {b}"
        for b in (0, 1, 2, 3, 4, 6, 7, 8, 9)
    }


def test_a_number_of_the_problem_has_another_value_in_the_chain(tasks):
    chains = steered_chains(NUMBER, Template.from_config(tasks["level-1"]), 0)
    assert chains == {
        n: f"j = 2 + n , n = {n} , j = 2 + n , j = 2 + {n} , j = {2 + n}"
        for n in (0, 1, 2, 3, 4, 6, 7)
    }


@pytest.mark.parametrize(
    ("equations", "variables"),
    [
        (["v0 = num", "v1 = num ± v0"], [0, 1]),
        # Copies, and what the answer does not depend on, are left out.
        (["v0 = num ± num", "v1 = v0", "v2 = v1 ± num"], [0, 2]),
        (["v0 = num ± num", "v1 = num ± num", "v2 = num ± v1"], [1, 2]),
        (["v0 = num ± num", "v1 = v0"], [0]),
        (["v0 = num ± num", "v1 = num"], [1]),
    ],
)
def test_the_answer_and_what_it_depends_on_can_be_steered(raw_config, schema, equations, variables):
    entry = {"equations": equations, "order": "in_order"}
    config = complete({**raw_config, "tasks": {**raw_config["tasks"], "own": entry}}, schema)
    assert steered_variables(Template.from_config(config["tasks"]["own"])) == variables


@pytest.mark.parametrize("task", ["level-1", "level-2", "level-3", "level-4", "level-5", "general"])
def test_a_problem_is_read_as_it_was_drawn(raw_config, schema, task):
    given = {**raw_config["tasks"], "general": GENERAL_FEW_SHOT}
    config = complete({**raw_config, "tasks": given}, schema)
    for split in generate_splits(config["tasks"][task], SIZES, 5).values():
        for row in split:
            read = read_problem(row).row()
            assert read == {key: row[key] for key in read}

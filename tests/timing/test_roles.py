"""Roles of variables, read from the symbols of the problem that probe rows name."""

import random
import re

import pytest

from think_to_talk.timing.roles import (
    ANSWER,
    DISTRACTOR,
    NEEDED,
    OPERAND,
    of_values,
    role_colours,
    role_label,
    role_ranks,
    variable_roles,
)

SEPARATORS = ",;"


def rows(text, hidden=(), n_variables=3):
    """Probe rows of two layers for the symbols of a problem and the begin of its chain.

    hidden: indices of symbols that are completed by no token.
    """
    problem = text.replace(" ", "")
    symbols = [*problem, *"A=#⏎"]
    equation = [-1 - sum(s in SEPARATORS for s in problem[i:]) for i in range(len(problem))]
    return [
        {
            "layer": layer,
            "variable": variable,
            "relative_position": index - len(problem),
            "symbol": symbol,
            "symbol_index": None if index in hidden else index,
            "equation": [*equation, 0, 0, 0, 0][index],
        }
        for layer in (0, 2)
        for index, symbol in enumerate(symbols)
        for variable in range(n_variables)
    ]


def written(equations, order, asked):
    """The symbols of a problem of a template."""
    names = {"num": "#", **{f"v{i}": "ABC"[i] for i in range(len(equations))}}
    named = [re.sub(r"num|v\d", lambda m: names[m[0]], equation) for equation in equations]
    in_order = named if order == "in_order" else reversed(named)
    return f"{','.join(in_order)};{'ABC'[asked]}=?"


LEVELS = {
    "level-1": (OPERAND, ANSWER),
    "level-2": (NEEDED, ANSWER),
    "level-3": (NEEDED, ANSWER),
    "level-4": (DISTRACTOR, NEEDED, ANSWER),
    "level-5": (NEEDED, NEEDED, ANSWER),
}


@pytest.mark.parametrize("level", LEVELS)
def test_the_variables_of_the_paper_s_levels_have_their_roles(tasks, level):
    expected = LEVELS[level]
    n = len(expected)
    text = written(tasks[level]["equations"], tasks[level]["order"], n - 1)
    assert variable_roles(rows(text, n_variables=n)) == dict(enumerate(expected))


@pytest.mark.parametrize(
    ("equations", "asked", "expected"),
    [
        # A copy is a needed value, and what it copies is needed.
        (["v0 = num", "v1 = v0", "v2 = num ± v1"], 2, (OPERAND, NEEDED, ANSWER)),
        # A plain number that the answer does not depend on.
        (["v0 = num", "v1 = num ± num", "v2 = num ± v1"], 2, (DISTRACTOR, NEEDED, ANSWER)),
        # A variable in the middle is asked for: what is computed from it is a distractor.
        (["v0 = num", "v1 = num ± v0", "v2 = v1"], 1, (OPERAND, ANSWER, DISTRACTOR)),
        (["v0 = num", "v1 = num", "v2 = num ± v1"], 0, (ANSWER, DISTRACTOR, DISTRACTOR)),
        (["v0 = num", "v1 = num", "v2 = v0 ± v1"], 2, (OPERAND, OPERAND, ANSWER)),
    ],
)
@pytest.mark.parametrize("order", ["in_order", "reversed"])
def test_a_role_follows_from_what_the_answer_depends_on(equations, asked, expected, order):
    assert variable_roles(rows(written(equations, order, asked))) == dict(enumerate(expected))


TEXT = "C=#±B,A=#±#,B=#±A;C=?"


def test_the_order_of_rows_does_not_matter():
    shuffled = rows(TEXT)
    random.Random(0).shuffle(shuffled)
    assert variable_roles(shuffled) == {0: NEEDED, 1: NEEDED, 2: ANSWER}


def test_hidden_signs_do_no_harm():
    """Tokens such as ` =?` and `±A` complete the second of their symbols."""
    signs = [i for i, symbol in enumerate(TEXT) if symbol in "=±"]
    assert variable_roles(rows(TEXT, signs)) == {0: NEEDED, 1: NEEDED, 2: ANSWER}


@pytest.mark.parametrize("hidden", [i for i, s in enumerate(TEXT) if s not in "=±"])
def test_where_a_variable_number_or_separator_is_hidden_no_role_is_claimed(hidden):
    """Other signs are hidden as well."""
    signs = [i for i, symbol in enumerate(TEXT) if symbol in "=±"]
    for places in ([hidden], [hidden, *signs]):
        assert variable_roles(rows(TEXT, places)) == {0: None, 1: None, 2: None}


@pytest.mark.parametrize(
    "text",
    [
        "A=#,A=#±#,B=#±A;B=?",  # two equations of A
        "B=#±A;B=?",  # none of A, which the answer depends on
        "A=#,B=#±A;C=?",  # none of the answer
        "A=#,B=#±A;",  # no question
    ],
)
def test_a_problem_that_leaves_its_variables_open_has_no_roles(text):
    assert set(variable_roles(rows(text)).values()) == {None}


def test_a_variable_without_an_equation_has_no_role():
    assert variable_roles(rows("A=#,B=#±A;B=?")) == {0: OPERAND, 1: ANSWER, 2: None}


def test_variables_with_the_same_role_are_counted():
    assert role_ranks({0: NEEDED, 1: NEEDED, 2: ANSWER}) == {0: 0, 1: 1, 2: 0}
    assert role_ranks({0: DISTRACTOR, 1: NEEDED, 2: ANSWER}) == {0: 0, 1: 0, 2: 0}
    assert role_ranks({0: None, 1: None}) == {0: 0, 1: 1}


def test_a_label_says_the_role_if_it_is_known():
    assert role_label(1, ANSWER) == "B, the answer"
    assert role_label(0, NEEDED) == "A, needed value"
    assert role_label(0, None) == "A"


def worded(text, hidden=()):
    """Probe rows of the words of a problem and of a chain `A has #`."""
    problem = text.split()
    return [
        {
            "variable": variable,
            "relative_position": index - len(problem),
            "symbol": symbol,
            "symbol_index": None if index in hidden else index,
            "equation": -1 - problem[index:].count("."),
        }
        for index, symbol in enumerate([*problem, "A", "has", "#", "⏎"])
        for variable in range(3)
    ]


SENTENCES = "B has # ± apples than A . A has # apples . C has # plus # apples . How many has B ?"


def test_roles_are_read_from_sentences():
    assert variable_roles(worded(SENTENCES)) == {0: OPERAND, 1: ANSWER, 2: DISTRACTOR}


def test_a_sentence_with_a_hidden_word_leaves_roles_open():
    for hidden in (1, 6, 7, 8):
        assert set(variable_roles(worded(SENTENCES, [hidden])).values()) == {None}


def test_a_question_that_names_no_variable_leaves_roles_open():
    assert set(variable_roles(worded("A has # apples . Who ?")).values()) == {None}


def test_digits_have_names_and_colours_of_their_own_and_no_roles():
    digits = [{**row, "variable": n} for row in rows("A=#,B=#±A;B=?") for n in (0, 1, 26, 27, 53)]
    roles = variable_roles(digits)
    assert roles == {0: OPERAND, 1: ANSWER, 26: None, 27: None, 53: None}
    assert [role_label(v, role) for v, role in roles.items()] == [
        *("A, operand", "B, the answer", "A ones", "B ones", "B tens"),
    ]
    colours = role_colours(roles)
    assert len(set(colours.values())) == 5
    assert {v: colours[v] for v in (0, 1)} == role_colours({0: OPERAND, 1: ANSWER})
    assert {row["variable"] for row in of_values(digits)} == {0, 1}
    assert of_values([{"row": 3}]) == [{"row": 3}]

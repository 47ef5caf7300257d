"""Problems: their text and chain of thought, as in the task description."""

import pytest

from think_to_talk.formulas.problems import Problem
from think_to_talk.formulas.templates import Form

NUMBER = Form((None,))


def binary(*operands, operator):
    return Form(operands, operator)


# The examples of the task description, word for word.
EXAMPLES = [
    (
        Problem(
            ("o", "z"), (NUMBER, binary(None, 0, operator="-")), ((4,), (4,)), (4, 0), (1, 0), 1
        ),
        "z = 4 - o , o = 4 ; z =?",
        " z = 4 - o , o = 4 , z = 4 - o , z = 4 - 4 , z = 0\n",
    ),
    (
        Problem(
            ("o", "z"),
            (binary(None, None, operator="+"), binary(None, 0, operator="+")),
            ((4, 5), (0,)),
            (9, 9),
            (0, 1),
            1,
        ),
        "o = 4 + 5 , z = 0 + o ; z =?",
        " z = 0 + o , o = 4 + 5 , o = 9 , z = 0 + o , z = 0 + 9 , z = 9\n",
    ),
    (
        Problem(
            ("o", "z", "q"),
            (
                binary(None, None, operator="+"),
                binary(None, None, operator="+"),
                binary(None, 1, operator="-"),
            ),
            ((4, 5), (0, 5), (7,)),
            (9, 5, 2),
            (2, 1, 0),
            2,
        ),
        "q = 7 - z , z = 0 + 5 , o = 4 + 5 ; q =?",
        " q = 7 - z , z = 0 + 5 , z = 5 , q = 7 - z , q = 7 - 5 , q = 2\n",
    ),
    (
        Problem(
            ("b", "j", "l"),
            (
                binary(None, None, operator="+"),
                binary(None, 0, operator="-"),
                binary(None, 1, operator="+"),
            ),
            ((3, 1), (7,), (5,)),
            (4, 3, 8),
            (2, 1, 0),
            2,
        ),
        "l = 5 + j , j = 7 - b , b = 3 + 1 ; l =?",
        " l = 5 + j , j = 7 - b , b = 3 + 1 , b = 4 , j = 7 - b , j = 7 - 4 , j = 3 , "
        "l = 5 + j , l = 5 + 3 , l = 8\n",
    ),
]


@pytest.mark.parametrize(("problem", "source", "target"), EXAMPLES)
def test_examples_of_the_task_description_are_written_as_there(problem, source, target):
    row = problem.row()
    assert row["source"] == source
    assert row["target"] == target
    assert row["scratchpad"] == target.strip()


def test_a_copied_variable_is_solved_and_then_copied():
    problem = Problem(("q", "u"), (NUMBER, Form((0,))), ((3,), ()), (3, 3), (1, 0), 1)
    assert problem.source == "u = q , q = 3 ; u =?"
    assert problem.scratchpad == "u = q , q = 3 , u = q , u = 3"


def test_a_variable_used_twice_is_solved_once():
    twice = binary(0, 0, operator="+")
    problem = Problem(("q", "u"), (NUMBER, twice), ((3,), ()), (3, 6), (1, 0), 1)
    assert problem.scratchpad == "u = q + q , q = 3 , u = q + q , u = 3 + 3 , u = 6"

"""Expressions are read from a row's problem, with values in place of variables."""

import pytest
from support.expressions import row, texts

from think_to_talk.formulas.expressions import expression_texts, expressions


def test_variables_are_replaced_by_their_values():
    problem = row("b = 1 + a , a = 3 - 2 ; b =?", a=1, b=2)
    assert texts(problem) == ["3 - 2", "1 + 1"]
    assert [found.value for found in expressions(problem)] == [1, 2]


@pytest.mark.parametrize(
    ("equation", "text"),
    [
        ("z = 4 + 5", "4 + 5"),
        ("z = 5 + 4", "4 + 5"),
        ("z = 9 - 0", "9 - 0"),
        ("z = 9 + 0", "0 + 9"),
        ("z=2-1+8", "2 + 8 - 1"),
        ("z = 11 - 2", "11 - 2"),
    ],
)
def test_the_order_of_added_numbers_does_not_matter(equation, text):
    assert texts(row(f"{equation} ; z =?", z=9)) == [text]


def test_a_number_and_a_copy_have_no_operator():
    found = expressions(row("a = 7 , b = a ; b =?", a=7, b=7))
    assert [expression.text for expression in found] == ["7", "7"]
    assert not any(expression.has_operator for expression in found)


@pytest.mark.parametrize(
    "source", ["a = 3 , z =?", "a = 1 + 2 , a = 2 + 1 ; a =?", "a is 3 ; a =?", "a = 3 + q ; a =?"]
)
def test_what_cannot_be_read_has_no_expression(source):
    assert expressions(row(source, a=3)) == [None]


def test_rows_of_a_variable_have_expressions_as_soon_as_one_has_an_operator():
    rows = [
        row("a = 3 , b = 4 - a , c = 2 + 1 , d = 3 ; b =?", a=3, b=1, c=3, d=3),
        row("a = 1 , b = a + 4 , c = 3 , d = e ; b =?", a=1, b=5, c=3, d=3),
    ]
    # A number in all rows; always an operator; an operator in one row; unknown in one row.
    assert expression_texts(rows) == [None, ["4 - 3", "1 + 4"], ["1 + 2", "3"], None]

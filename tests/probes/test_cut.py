"""Expressions are cut into parts that are even and reproducible."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from support.expressions import row, texts

from think_to_talk.formulas.expressions import Expression, expressions
from think_to_talk.probes.cut import Cut, cut

#: All expressions of two single digits with a single digit as their value.
DIGITS = [
    Expression.of([(1, a), (sign, b)])
    for a in range(10)
    for sign in (1, -1)
    for b in range(10)
    if 0 <= a + sign * b <= 9
]


def test_the_cut_is_written_down_once():
    """Another machine or version must find these parts."""
    found = cut(DIGITS, 4, 42)
    texts = ("4 + 5", "9 - 0", "0 + 0", "9 - 9", "1 + 1")
    assert [found[text] for text in texts] == [3, 1, 0, 2, 2]


@given(st.sets(st.sampled_from(DIGITS)), st.integers(2, 12), st.integers(0, 100))
def test_values_are_spread_evenly_over_the_parts(union, n_folds, seed):
    parts = cut(union, n_folds, seed)
    assert set(parts) == {expression.text for expression in union}
    for value in [None, *range(10)]:
        sizes = Counter(dict.fromkeys(range(n_folds), 0))
        sizes.update(parts[e.text] for e in union if value in (None, e.value))
        assert set(sizes) == set(range(n_folds))
        assert max(sizes.values()) - min(sizes.values()) <= 1


@given(st.permutations(DIGITS))
def test_the_order_of_rows_does_not_matter(shuffled):
    assert cut(shuffled, 4, 42) == cut(DIGITS, 4, 42)


def test_seeds_cut_differently():
    first, second = (cut(DIGITS, 4, seed) for seed in (1, 2))
    assert sum(first[text] == second[text] for text in first) < len(first) / 2


def test_a_task_s_variables_are_cut_apart():
    rows = [
        row(f"a = {a} , b = {b} + a , c = b ; c =?", a=a, b=a + b, c=a + b)
        for a in range(5)
        for b in range(5)
    ]
    found = Cut.of(list(map(expressions, rows)), 4, 42)
    assert found.parts[0] is None
    assert found.parts[2] is None
    assert len(found.parts[1]) == 15
    parts = found.parts_of(list(map(expressions, rows[::-1])))
    assert parts[[0, 2]].unique().tolist() == [-1]
    assert parts[1].tolist() == [found.parts[1][texts(problem)[1]] for problem in rows[::-1]]
    assert found.warning is None


def test_a_number_is_an_expression_where_other_rows_have_an_operator():
    rows = [row("a = 3 ; a =?", a=3), row("a = 1 + 2 ; a =?", a=3)]
    found = Cut.of(list(map(expressions, rows)), 4, 42)
    assert set(found.parts[0]) == {"3", "1 + 2"}


def test_a_variable_that_cannot_be_read_in_every_row_has_no_parts_and_a_warning():
    rows = [
        row("a = 1 + 2 , b = 4 + 1 ; b =?", a=3, b=5),
        row("a = 2 + 2 , a = 1 + 3 , b = 2 + 1 ; b =?", a=4, b=3),
    ]
    found = Cut.of(list(map(expressions, rows)), 4, 42)
    assert found.parts[0] is None
    assert set(found.parts[1]) == {"1 + 4", "1 + 2"}
    assert found.warning.startswith("the expression of variable A cannot be read")

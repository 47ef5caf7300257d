"""Sampling: every problem of a space is sound, and each is drawn once."""

import re
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from support.repository import GENERAL_FEW_SHOT
from support.templates import KEYS, template

from think_to_talk.errors import InputError
from think_to_talk.formulas.sampling import ProblemSpace, draw_problems, draw_rows
from think_to_talk.formulas.templates import Template


def solved(row):
    """The values of a row's variables, by Python's own arithmetic."""
    values = {}
    equations = row["source"].split(" ; ")[0].split(" , ")
    while len(values) < len(equations):
        for equation in equations:
            name, expression = equation.split(" = ")
            if all(word in values for word in re.findall("[a-z]", expression)):
                values[name] = eval(expression, {}, dict(values))
    return values


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**18), st.sampled_from(range(6)))
def test_every_problem_of_a_space_is_sound(index, which):
    entry = [
        template(["v0 = num", "v1 = num ± v0"]),
        template(["v0 = num ± num", "v1 = num ± v0"], "in_order"),
        template(["v0 = num ± num", "v1 = num ± num", "v2 = num ± v1"]),
        template(["v0 = num ± num", "v1 = num ± v0", "v2 = v0 ± v1", "v3 = v2 ± num"], "shuffled"),
        template(**GENERAL_FEW_SHOT["few_shot"]),
        template(["v0 = num", "v1 = v0 - num"], values=[2, 7], letters=3, operators=["-"]),
    ][which]
    space = ProblemSpace(Template.from_config(entry))
    row = space[index % space.size].row()
    low, high = entry["values"]
    values = solved(row)
    asked = row["source"].split(" ; ")[1].split()[0]
    assert list(row) == KEYS
    questions = [question.split()[0] for question in row["intermediate_questions"]]
    assert dict(zip(questions, row["intermediate_answers"], strict=True)) == values
    assert row["original_answer"] == str(values[asked])
    assert row["scratchpad"].endswith(f"{asked} = {values[asked]}")
    assert row["target"] == f" {row['scratchpad']}\n"
    assert all(low <= int(digit) <= high for digit in re.findall(r"\d+", row["source"]))
    assert all(low <= value <= high for value in values.values())
    # Every equation of the chain is true.
    for equation in row["scratchpad"].split(" , "):
        name, expression = equation.split(" = ")
        assert eval(expression, {}, dict(values)) == values[name]


def test_indexing_a_space_gives_each_of_its_problems_once():
    entry = template(["v0 = num ± num", "v1 = num ± v0"], values=[0, 3], letters=3)
    space = ProblemSpace(Template.from_config(entry))
    numbers = range(4)
    expected = {
        f"{b} = {z} {op2} {a} , {a} = {x} {op1} {y} ; {b} =?"
        for a in "abc"
        for b in "abc"
        if a != b
        for op1 in "+-"
        for op2 in "+-"
        for x in numbers
        for y in numbers
        for z in numbers
        if 0 <= (v0 := eval(f"{x}{op1}{y}")) <= 3 and 0 <= eval(f"{z}{op2}{v0}") <= 3
    }
    sources = [space[i].source for i in range(space.size)]
    assert len(sources) == len(expected)
    assert set(sources) == expected


#: Of 20,000 published few-shot examples, the share of each right-hand side of the first two
#: variables.
PUBLISHED = [
    {"num": 0.641, "num ± num": 0.359},
    {"num": 0.319, "v": 0.326, "num ± num": 0.177, "v ± num": 0.091, "num ± v": 0.087},
]


def test_general_few_shot_examples_have_the_shares_of_the_published_ones():
    task = Template.from_config(template(**GENERAL_FEW_SHOT["few_shot"]))
    problems = list(islice(draw_problems(task, 1, set()), 4000))
    for variable, shares in enumerate(PUBLISHED):
        found = Counter(
            " ± ".join("num" if operand is None else "v" for operand in form.operands)
            for form in (problem.forms[variable] for problem in problems)
        )
        assert set(found) == set(shares)
        counts = [[found[kind] for kind in shares], [20_000 * share for share in shares.values()]]
        assert chi2_contingency(counts).pvalue > 0.01


def test_alternatives_are_alike_unless_they_share_a_place_or_are_rejected():
    equations = ["v0 = num | num ± num / num - num", "v1 = v0"]
    shares = {}
    for draw in ("even", "rejection"):
        task = Template.from_config(template(equations, draw=draw))
        assert task.weights == ((0.5, 0.25, 0.25), (1,))
        problems = islice(draw_problems(task, 1, set()), 3000)
        shares[draw] = Counter(len(problem.numbers[0]) for problem in problems)[1] / 3000
    # Of two numbers 55 in 100 have a sum in range, and 55 a difference.
    assert shares["even"] == pytest.approx(0.5, abs=0.03)
    assert shares["rejection"] == pytest.approx(1 / 1.55, abs=0.03)


def test_all_problems_of_a_small_space_can_be_drawn_and_not_one_more():
    task = template(["v0 = num", "v1 = num ± v0"], values=[0, 1], letters=2, shots=1)
    small = Template.from_config(task)
    assert ProblemSpace(small).size == 12
    assert len({row["source"] for row in draw_rows(small, 12, 1, set())}) == 12
    with pytest.raises(InputError, match="only 12 distinct problems are left for 13 rows"):
        draw_rows(small, 13, 1, set())


def test_a_ten_step_level_is_drawn_as_easily_as_a_short_one():
    equations = ["v0 = num ± num", *(f"v{i} = num ± v{i - 1}" for i in range(1, 10))]
    rows = draw_rows(Template.from_config(template(equations)), 100, 1, set())
    assert all(len(row["intermediate_answers"]) == 10 for row in rows)

"""Derivations: the steps that each variable takes, and which of them the answer needs."""

import pytest
from support.templates import template

from think_to_talk.formulas.derivations import Derivation
from think_to_talk.formulas.templates import Template


def derived(*equations, **entry):
    return Derivation.of(Template.from_config(template(list(equations), **entry)))


def test_the_levels_take_the_paper_s_numbers_of_steps(tasks):
    found = {name: Derivation.of(Template.from_config(task)) for name, task in tasks.items()}
    assert [found[f"level-{i}"].steps(found[f"level-{i}"].asked) for i in range(1, 6)] == [
        *(1, 2, 2, 2, 3)
    ]
    assert [found["level-1"].steps(v) for v in (0, 1)] == [0, 1]
    # Level 4's first variable is a distractor.
    assert [found["level-4"].is_needed(v) for v in (0, 1, 2)] == [False, True, True]


def test_a_number_and_its_copy_take_no_step_and_need_not_be_computed():
    found = derived("v0 = num", "v1 = v0", "v2 = num + v1")
    assert [found.steps(variable) for variable in range(3)] == [0, 0, 1]
    assert [found.is_needed(variable) for variable in range(3)] == [False, False, True]


def test_a_value_that_is_used_twice_is_computed_once():
    found = derived("v0 = num ± num", "v1 = num + v0", "v2 = v0 + v1")
    assert [found.steps(variable) for variable in range(3)] == [1, 2, 3]


def test_alternatives_that_are_derived_alike_are_one_derivation():
    found = derived("v0 = num", "v1 = num ± v0 | v0 ± num / num + num")
    assert found is not None
    assert found.steps(1) == 1


@pytest.mark.parametrize(
    "entry",
    [
        template(["v0 = num | num ± num", "v1 = num + v0"]),
        template(["v0 = num ± num", "v1 = num + v0 / num + num"]),
        template(["v0 = num", "v1 = num + v0"], ask="any"),
    ],
)
def test_problems_that_differ_have_no_derivation_in_common(entry):
    assert Derivation.of(Template.from_config(entry)) is None

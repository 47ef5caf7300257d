"""Counterfactual pairs: what differs within a pair, and what must not."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support.repository import REPOSITORY

from think_to_talk.errors import InputError
from think_to_talk.formulas.altered_chains import draw_inconsistent_pairs, intermediate_variables
from think_to_talk.formulas.counterfactuals import draw_pairs
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.edits import Edit
from think_to_talk.formulas.rows import base_row
from think_to_talk.formulas.templates import Template

SIZES = {"train": 20, "valid": 20, "test": 50, "probing_train": 50}
LEVELS = [f"level-{i}" for i in range(1, 6)]
EDITS = ("first-formula", "second-formula", "random")
SCHEMA = yaml.safe_load((REPOSITORY / "schemas/pair_row.schema.yaml").read_text())


def pairs_of(tasks, level, edit, n=100, seed=42):
    task = tasks[level]
    splits = [row for rows in generate_splits(task, SIZES, seed).values() for row in rows]
    change = Edit.from_config(task["edits"][edit], Template.from_config(task))
    return list(draw_pairs(change, n, seed, splits)), splits


def solve(source):
    """The value of each letter, computed independently of the package."""
    equations = dict(part.split(" = ") for part in source.split(" ; ")[0].split(" , "))
    values = {}
    while len(values) < len(equations):
        for letter, text in equations.items():
            known = re.sub(r"[a-z]", lambda match: str(values.get(match[0], match[0])), text)
            if not re.search(r"[a-z]", known):
                values[letter] = eval(known)
    return values


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("level", LEVELS)
def test_both_problems_are_right_and_differ_in_the_edited_numbers_alone(tasks, level, edit):
    pairs, _ = pairs_of(tasks, level, edit)
    check = Draft202012Validator(SCHEMA)
    places = {(int(place[1]), int(place[3]) - 1) for place in tasks[level]["edits"][edit]}
    assert len(pairs) == 100
    for pair in pairs:
        check.validate(pair)
        base = base_row(pair)
        for row in (pair, base):
            values = solve(row["source"])
            letters = [question[0] for question in row["intermediate_questions"]]
            assert row["intermediate_answers"] == [values[letter] for letter in letters]
            assert row["original_answer"] == str(values[row["source"].split(" ; ")[1][0]])
            assert row["scratchpad"].endswith(f"= {row['original_answer']}")
        assert pair["original_answer"] != base["original_answer"]
        assert pair["intermediate_questions"] == base["intermediate_questions"]
        # The same symbols in the same places but for numbers, in problem and chain.
        for key in ("source", "target"):
            assert re.sub(r"\d", "#", pair[key]) == re.sub(r"\d", "#", base[key])
        # Exactly the declared operands of the problem have changed.
        changed = set()
        for variable, question in enumerate(pair["intermediate_questions"]):
            operands, base_operands = (
                re.search(rf"{question} ([^,;]*)", row["source"])[1].split()[::2]
                for row in (pair, base)
            )
            changed |= {
                (variable, i) for i in range(len(operands)) if operands[i] != base_operands[i]
            }
        assert changed == places


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("level", LEVELS)
def test_pairs_repeat_no_problem_of_the_splits_or_of_their_own(tasks, level, edit):
    pairs, splits = pairs_of(tasks, level, edit)
    problems = [row["source"] for pair in pairs for row in (pair, base_row(pair))]
    assert len(set(problems)) == 200
    assert not set(problems) & {row["source"] for row in splits}


def test_pairs_carry_the_few_shot_examples_of_their_splits(tasks):
    pairs, splits = pairs_of(tasks, "level-3", "random", n=3)
    context = splits[-1]["few_shot_context"]
    assert context.count("\n") == 3
    for pair in pairs:
        assert pair["few_shot_context"] == pair["base_few_shot_context"] == context


@settings(max_examples=10, deadline=None)
@given(st.integers(min_value=0, max_value=2**31))
def test_a_seed_always_draws_the_same_pairs(tasks, seed):
    first, _ = pairs_of(tasks, "level-4", "random", n=5, seed=seed)
    again, _ = pairs_of(tasks, "level-4", "random", n=5, seed=seed)
    other, _ = pairs_of(tasks, "level-4", "random", n=5, seed=seed + 1)
    assert first == again != other


@pytest.mark.parametrize("level", LEVELS)
def test_an_inconsistent_chain_is_right_but_for_one_result(tasks, level):
    task = tasks[level]
    template = Template.from_config(task)
    splits = [row for rows in generate_splits(task, SIZES, 42).values() for row in rows]
    pairs = list(draw_inconsistent_pairs(template, 50, 42, splits))
    variables = intermediate_variables(template)
    assert len(pairs) == 50 * len(variables) > 0
    for pair in pairs:
        Draft202012Validator(SCHEMA).validate(pair)
        assert pair["source"] == pair["base_source"]
        assert pair["source"] not in {row["source"] for row in splits}
        assert pair["original_answer"] != pair["base_original_answer"]
        wrong = pair["intermediate_questions"][pair["altered_variable"]][0]
        equations = dict(part.split(" = ") for part in pair["source"].split(" ; ")[0].split(" , "))
        stated = {}
        for equation in pair["scratchpad"].split(" , "):
            letter, right = equation.split(" = ")
            if letter == wrong and right.isdigit():
                assert right != str(solve(pair["source"])[wrong])
                stated[letter] = right
            elif right != equations[letter]:
                # Substituted, or a result: it follows from what the chain has stated.
                before = {**stated, letter: None}
                text = " ".join(str(before.get(s, s)) for s in equations[letter].split())
                assert right in (text, str(eval(text)))
                if right.isdigit():
                    stated[letter] = right


def test_the_chains_of_pairs_are_what_the_task_asks_for(tasks):
    task = {**tasks["level-3"], "chain": "none"}
    splits = [row for rows in generate_splits(task, SIZES, 42).values() for row in rows]
    change = Edit.from_config(task["edits"]["first-formula"], Template.from_config(task))
    whole, _ = pairs_of(tasks, "level-3", "first-formula", n=20)
    for pair, of_whole in zip(draw_pairs(change, 20, 42, splits, "none"), whole, strict=True):
        assert pair["source"] == of_whole["source"]
        for row in (pair, base_row(pair)):
            asked = row["source"].split(" ; ")[1][0]
            assert row["target"] == f" {asked} = {row['original_answer']}\n"
            assert row["few_shot_context"] == splits[-1]["few_shot_context"]


def test_an_edit_changes_the_answer_unless_all_it_changes_are_distractors(tasks):
    template = Template.from_config(tasks["level-4"])
    kinds = {
        places: Edit.from_config(places, template).is_of_distractors
        for places in (("v0.1",), ("v0.1", "v0.2"), ("v0.1", "v1.2"), ("v2.1",))
    }
    assert list(kinds.values()) == [True, True, False, False]


def test_a_distractor_is_no_intermediate_variable(tasks):
    assert intermediate_variables(Template.from_config(tasks["level-4"])) == [1]
    assert intermediate_variables(Template.from_config(tasks["level-5"])) == [0, 1]


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (["v0"], "'v0' must read 'v0.2'"),
        (["v2.1"], "with a variable from v0 to v1"),
        (["v1.2"], "'v1.2': v1's equation has no number as that operand"),
        (["v0.3"], "'v0.3': v0's equation has no number as that operand"),
        (["v0.0"], "'v0.0': v0's equation has no number as that operand"),
    ],
)
def test_a_place_that_is_no_number_is_named(tasks, places, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Edit.from_config(places, Template.from_config(tasks["level-3"]))


def test_too_few_pairs_are_an_error_that_says_how_many_there_are(tasks):
    task = {**tasks["level-1"], "letters": 2, "values": [0, 1]}
    edit = Edit.from_config(["v1.1"], Template.from_config(task))
    with pytest.raises(InputError, match=r"only \d of 100 pairs can be drawn"):
        list(draw_pairs(edit, 100, 0, []))

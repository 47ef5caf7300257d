"""Formulas: the problems and chains of thought of the task description, and their sampling."""

import hashlib
import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import GENERAL_FEW_SHOT

from think_to_talk import datasets
from think_to_talk.errors import InputError
from think_to_talk.formulas import Form, Problem, ProblemSpace, Template, draw_rows

PAPER_SIZES = {"train": 100, "valid": 2000, "test": 2000, "probing_train": 10_000}
SMALL_SIZES = {"train": 10, "valid": 20, "test": 30, "probing_train": 40}
NUMBER = Form((None,))
KEYS = [
    "source",
    "target",
    "original_answer",
    "intermediate_questions",
    "intermediate_answers",
    "scratchpad",
]


def template(equations, order="reversed", **entry):
    defaults = {"operators": ["+", "-"], "values": [0, 9], "letters": 26, "ask": "last", "shots": 3}
    return {**defaults, "equations": equations, "order": order, **entry}


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


@pytest.mark.parametrize(
    ("task", "shape", "symbols"),
    [
        ("level-1", "B = # ± A , A = # ; B =?", 2),
        ("level-2", "A = # ± # , B = # ± A ; B =?", 2),
        ("level-3", "B = # ± A , A = # ± # ; B =?", 2),
        ("level-4", "C = # ± B , B = # ± # , A = # ± # ; C =?", 3),
        ("level-5", "C = # ± B , B = # ± A , A = # ± # ; C =?", 3),
    ],
)
def test_the_five_levels_have_the_shapes_of_the_paper(tasks, task, shape, symbols):
    for row in datasets.generate_splits(tasks[task], SMALL_SIZES, 42)["test"]:
        names = {
            q.split()[0]: chr(ord("A") + i) for i, q in enumerate(row["intermediate_questions"])
        }
        assert len(names) == symbols
        canonical = "".join(names.get(c, "#" if c.isdigit() else c) for c in row["source"])
        assert re.sub("[+-]", "±", canonical) == shape


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


def test_no_problem_repeats_within_or_across_splits(tasks):
    for task in tasks.values():
        splits = datasets.generate_splits(task, PAPER_SIZES, 42)
        sources = [row["source"] for rows in splits.values() for row in rows]
        assert {split: len(rows) for split, rows in splits.items()} == PAPER_SIZES
        assert len(sources) == len(set(sources))


def test_rows_have_the_documented_keys_and_the_first_shots_as_context(tasks):
    splits = datasets.generate_splits(tasks["level-5"], SMALL_SIZES, 42)
    shots = "".join(row["source"] + row["target"] for row in splits["train"][:3])
    for split, rows in splits.items():
        for row in rows:
            prompted = split in ("test", "probing_train")
            assert list(row) == ([*KEYS, "few_shot_context"] if prompted else KEYS)
            assert row.get("few_shot_context", shots) == shots


def test_the_same_seed_gives_the_same_bytes_on_every_machine(tasks):
    rows = datasets.generate_splits(tasks["level-5"], SMALL_SIZES, 42)
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    assert digest == "2d363e0be15ef4f9b74618b99a7e22696f1bf9e15b9ed013379919b85bde8461"
    assert datasets.generate_splits(tasks["level-5"], SMALL_SIZES, 43) != rows


def test_splits_are_seeded_like_the_paper(tasks):
    """42 for train, 43 for valid, 44 for test, 45 for probing_train."""
    space = Template.from_config(tasks["level-5"])
    splits = datasets.generate_splits(tasks["level-5"], SMALL_SIZES, 42)
    for seed, split in enumerate(["train", "valid", "test", "probing_train"], start=42):
        alone = draw_rows(space, SMALL_SIZES[split], seed, set())
        assert [row["source"] for row in splits[split]] == [row["source"] for row in alone]


def test_general_few_shot_prompts_come_before_the_task_s_own_problems():
    few_shot = template(**GENERAL_FEW_SHOT["few_shot"])
    task = template(**{**GENERAL_FEW_SHOT, "few_shot": few_shot})
    splits = datasets.generate_splits(task, SMALL_SIZES | {"train": 100}, 42)
    context = splits["test"][0]["few_shot_context"]
    shots = context.splitlines()
    assert len(shots) == 50
    assert all(len(shot.split(" ; ")[0].split(" , ")) == 3 for shot in shots)
    right_sides = " ".join(shots)
    assert re.search(r"= [a-z] [,;]", right_sides), "a copied variable"
    assert re.search(r"= [a-z] [+-] \d", right_sides), "variable first"
    assert re.search(r"= \d [+-] [a-z]", right_sides), "number first"
    assert len({shot.split(" ; ")[1][:1] == shot.split(" = ")[0] for shot in shots}) == 2
    assert re.fullmatch(
        r". = \d [+-] . , . = \d [+-] \d , . = \d [+-] \d ; . =\?", splits["test"][0]["source"]
    )


def test_all_problems_of_a_small_space_can_be_drawn_and_not_one_more():
    task = template(["v0 = num", "v1 = num ± v0"], values=[0, 1], letters=2, shots=1)
    small = Template.from_config(task)
    assert ProblemSpace(small).size == 12
    assert len({row["source"] for row in draw_rows(small, 12, 1, set())}) == 12
    with pytest.raises(InputError, match="only 12 distinct problems are left for 13 rows"):
        draw_rows(small, 13, 1, set())


@pytest.mark.parametrize(
    ("entry", "sizes", "message"),
    [
        (template(["v0 = num", "v1 = num ± v0"], letters=2), PAPER_SIZES, "220 distinct problems"),
        (template(["v0 = num + num"], values=[6, 9]), SMALL_SIZES, "0 distinct problems"),
        (template(["v0 = num", "v1 = num"], letters=1), SMALL_SIZES, "only 1 allowed"),
        (template(["v0 = num + v1", "v1 = num"]), SMALL_SIZES, "'v1' in equation"),
        (template(["v0 = num * num"]), SMALL_SIZES, r"operator '\*'"),
        (template(["v1 = num"]), SMALL_SIZES, "must read 'v0 = ...'"),
        (template(["v0 = num + num + num"]), SMALL_SIZES, "one operand, or two"),
        (template(["v0 = num"], values=[5, 2]), SMALL_SIZES, "is empty"),
        (template(["v0 = num ± num"], shots=11), SMALL_SIZES, "only 10 rows"),
    ],
)
def test_an_unsatisfiable_template_is_an_error_at_once(entry, sizes, message):
    started = time.perf_counter()
    with pytest.raises(InputError, match=message):
        datasets.check_satisfiable(entry, sizes)
    assert time.perf_counter() - started < 1


def test_a_ten_step_level_is_drawn_as_easily_as_a_short_one():
    equations = ["v0 = num ± num", *(f"v{i} = num ± v{i - 1}" for i in range(1, 10))]
    rows = draw_rows(Template.from_config(template(equations)), 100, 1, set())
    assert all(len(row["intermediate_answers"]) == 10 for row in rows)

"""Wordings: what they write, that it is read back, and what is refused."""

from collections import Counter, defaultdict

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.bad_input import cases
from support.repository import REPOSITORY
from support.templates import SMALL_SIZES, template
from support.wordings import APPLES, LEDGER, NAMES, WORDINGS

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.schemas import StrictValidator
from think_to_talk.formulas.ceilings import ceilings
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.existing_datasets import read_dataset
from think_to_talk.formulas.expressions import expressions
from think_to_talk.formulas.problems import Problem
from think_to_talk.formulas.sampling import ProblemSpace
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.formulas.templates import Form, Template
from think_to_talk.formulas.wording_entries import task_words
from think_to_talk.formulas.wordings import SYMBOLIC, Statement
from think_to_talk.study.configuration import load_schema

TWO_STEPS = ["v0 = num ± num", "v1 = v0 ± num"]
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
#: The templates of the paper's levels, and one with copies and every order of operands.
TEMPLATES = {
    **{level: (entry["equations"], entry["order"]) for level, entry in CONFIG["tasks"].items()},
    "copies": (["v0 = num", "v1 = v0 | num ± v0", "v2 = v0 ± v1 | v1 ± num | num"], "shuffled"),
}
WORDED = {name: {**wording, "copy": LEDGER["copy"]} for name, wording in WORDINGS.items()}


def worded(wording, **entry):
    return Template.from_config(template(TWO_STEPS, names=NAMES, wording=wording, **entry))


def test_a_problem_is_written_in_sentences():
    forms = (Form((None, None), "+"), Form((0, None), "-"))
    wording = worded(APPLES).wording
    problem = Problem(("Bob", "Alice"), forms, ((4, 5), (2,)), (9, 7), (1, 0), 1, wording)
    row = problem.row()
    assert row["source"] == (
        "Alice has 2 fewer apples than Bob. Bob has 4 plus 5 apples. "
        "How many apples does Alice have?"
    )
    assert row["target"] == (
        " Alice has 2 fewer apples than Bob. Bob has 4 plus 5 apples. Bob has 9 apples. Alice has "
        "2 fewer apples than Bob. Alice has 9 minus 2 apples. Alice has 7 apples\n"
    )
    assert row["symbolic_source"] == "Alice = Bob - 2 , Bob = 4 + 5 ; Alice =?"
    words = {"more": "+", "fewer": "-", "plus": "+", "minus": "-"}
    assert row["operator_words"] == words
    assert row["intermediate_questions"] == ["Bob =", "Alice ="]


@pytest.mark.parametrize("level", TEMPLATES)
@pytest.mark.parametrize("name", [None, *WORDED])
@cases(20)
@given(st.data())
def test_every_problem_and_chain_is_read_back_from_its_text(name, level, data):
    equations, order = TEMPLATES[level]
    entry = template(equations, order, values=[0, data.draw(st.sampled_from([9, 12]))])
    if name is not None:
        entry |= {"names": NAMES, "wording": WORDED[name]}
    space = ProblemSpace(Template.from_config(entry))
    problem = space[data.draw(st.integers(0, space.size - 1))]
    statements = [problem.statement(variable) for variable in problem.order]
    asked = problem.names[problem.asked]
    wording = problem.wording
    assert wording.read_source(problem.source) == (statements, asked)
    assert wording.read_chain(problem.scratchpad) == list(problem.solve())
    # Spaces do not matter, and symbols are those of the symbolic text in another guise.
    spaced = " ".join(text_symbols(problem.source))
    assert wording.read_source(spaced) == (statements, asked)
    assert SYMBOLIC.source(*wording.read_source(problem.source)) == problem.row().get(
        "symbolic_source", problem.source
    )


def test_a_text_of_another_wording_is_refused():
    wording = worded(APPLES).wording
    with pytest.raises(InputError, match="'Bob eats 4 apples' is no sentence of the wording"):
        wording.read_chain("Bob eats 4 apples")
    with pytest.raises(InputError, match=r"'Who\?' is no question of the wording"):
        wording.read_source("Bob has 4 apples. Who?")
    assert wording.read_chain("Bob has 4 apples") == [Statement("Bob", (4,))]


def test_few_shot_examples_are_written_as_the_problems_are():
    few_shot = template(["v0 = num", "v1 = num ± v0"], names=NAMES)
    task = template(TWO_STEPS, names=NAMES, wording=APPLES, few_shot=few_shot)
    splits = generate_splits(task, SMALL_SIZES, 1)
    for row in splits["train"]:
        assert "apples" in row["source"]
    assert splits["test"][0]["few_shot_context"].count("have?") == 3


def test_rows_of_sentences_are_rows_of_a_dataset_but_not_of_an_existing_one(tmp_path):
    schema = load_schema("dataset_row", REPOSITORY / "schemas")
    rows = generate_splits(template(TWO_STEPS, names=NAMES, wording=APPLES), SMALL_SIZES, 1)
    for row in rows["test"]:
        StrictValidator(schema).validate(row)
    write_jsonl(tmp_path / "test.jsonl", rows["test"])
    with pytest.raises(InputError, match="line 1, key 'symbolic_source': expected symbols; give"):
        read_dataset(tmp_path / "test.jsonl", schema)


def test_an_answer_alone_is_the_chain_s_last_sentence():
    task = template(TWO_STEPS, names=NAMES, wording=LEDGER, chain="none")
    for row in generate_splits(task, SMALL_SIZES, 1)["test"]:
        name = row["intermediate_questions"][1].split()[0]
        assert row["target"] == f" so {name}'s is {row['original_answer']}$\n"


def test_expressions_of_sentences_are_those_of_symbols():
    symbolic = generate_splits(template(TWO_STEPS, names=NAMES), SMALL_SIZES, 1)["test"]
    sentences = generate_splits(template(TWO_STEPS, names=NAMES, wording=APPLES), SMALL_SIZES, 1)
    # The same draws, other texts.
    assert [row["symbolic_source"] for row in sentences["test"]] == [
        row["source"] for row in symbolic
    ]
    assert list(map(expressions, sentences["test"])) == list(map(expressions, symbolic))


@pytest.mark.parametrize("order", ["in_order", "reversed", "shuffled"])
@pytest.mark.parametrize("wording", WORDINGS.values(), ids=WORDINGS)
def test_ceilings_of_sentences_are_those_of_a_list_of_all_problems(wording, order):
    task = worded(wording, order=order, values=[0, 3])
    space = ProblemSpace(task)
    problems = [space[index] for index in range(space.size)]
    for variable in range(2):
        found = ceilings(task, variable)
        texts = []
        for problem in problems:
            places = {}
            texts.append(
                tuple(
                    places.setdefault(symbol, len(places)) if symbol in NAMES else symbol
                    for symbol in text_symbols(problem.source)
                )
            )
        assert len(found) == len(texts[0])
        for end, ceiling in enumerate(found, start=1):
            groups = defaultdict(Counter)
            for text, problem in zip(texts, problems, strict=True):
                groups[text[:end]][problem.values[variable]] += 1
            best = sum(max(values.values()) for values in groups.values())
            assert ceiling == pytest.approx(best / len(problems), abs=1e-12)


def test_the_words_of_a_task_are_its_names_and_those_of_its_wording():
    words = task_words(template(TWO_STEPS, names=NAMES, wording=APPLES))
    assert words[:5] == NAMES
    sentence = ["has", "more", "apples", "than", "fewer", "plus", "minus"]
    assert words[5:] == [*sentence, "How", "many", "does", "have", "?", "."]
    assert task_words(template(TWO_STEPS)) == []


#: {what is wrong: (change of the wording, the message)}.
REFUSED = {
    "the same text twice": (
        {"step": {"+": "{x} has {a} and {b}", "-": "{x} has {a} and {b}"}},
        "wording.step: + and - write the same text '{x} has {a} and {b}', which could not be read",
    ),
    "no placeholder": (
        {"equation": "{x} has {a} {op} some"},
        "wording.equation: '{x} has {a} {op} some' has no {b}, expected {x}, {a}, {op}, {b}",
    ),
    "no operator": (
        {"step": "{x} has {a} and {b}"},
        "wording.step: '{x} has {a} and {b}' has no {op}",
    ),
    "a placeholder twice": ({"number": "{x} has {value} {value}"}, "has 2 times {value}"),
    "an unknown placeholder": (
        {"number": "{x} has {a}"},
        "wording.number: unknown placeholder {a}, expected {x}, {value}",
    ),
    "an operator beside two texts": (
        {"step": {"+": "{x} has {a} {op} {b}", "-": "{x} is {a} {op} {b}"}},
        "wording.step.+: unknown placeholder {op}, expected {x}, {a}, {b}",
    ),
    "the name last": (
        {"number": "{value} has {x}"},
        "begins with {value}, expected {x} as the first",
    ),
    "a joined placeholder": ({"number": "{x} has {value}th"}, "joins a placeholder with a letter"),
    "joined placeholders": ({"copy": "{x}{a}"}, "wording.copy: '{x}{a}' joins a placeholder with"),
    "a digit": ({"number": "{x} has 2 times {value}"}, "has '2', expected words and signs other"),
    "two sentences": ({"number": "{x} won. It has {value}"}, "has '.', expected words and signs"),
    "a brace": ({"number": "{x} has {{value}}"}, "wording.number: '{x} has {{value}}'"),
    "another order": (
        {"step": {"+": "{x} has {a} plus {b}", "-": "{x} has {b} off {a}"}},
        "wording.step: '{x} has {a} plus {b}' and '{x} has {b} off {a}' have their placeholders at",
    ),
    "another length": (
        {"step": {"+": "{x} has {a} plus {b}", "-": "{x} has {a} less than {b}"}},
        "have their placeholders at other symbols, expected texts that differ in words alone",
    ),
    "no question": (
        {"question": "Tell {x}"},
        "wording.question: 'Tell {x}', expected a text that ends",
    ),
    "two questions": ({"question": "Who? {x}?"}, "wording.question: 'Who? {x}?' has '?'"),
    "no separator": (
        {"separator": " and "},
        "wording.separator: ' and ', expected one of ',', ';'",
    ),
    "a name as a word": (
        {"number": "{x} has bob {value}"},
        "names: 'Bob' is a word of the wording",
    ),
    "a variable's symbol": (
        {"number": "{x} has {value} A"},
        "wording: figures write 'A' for a variable",
    ),
    "a number's symbol": (
        {"number": "{x} is #{value}"},
        "wording: figures write '#' for a variable",
    ),
    "an operator elsewhere": (
        {"number": "{x} has {value} more"},
        "wording: 'more' stands for an operator and for something else",
    ),
    "a sign elsewhere": (
        {"number": "{x}-box has {value}"},
        "wording: '-' stands for an operator and for something else",
    ),
    "operators exchanged": (
        {"step": {"+": "{x} has {a} fewer {b}", "-": "{x} has {a} more {b}"}},
        "stands for an operator and for something else",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_wording_that_could_not_be_read_back_is_refused(what):
    change, message = REFUSED[what]
    with pytest.raises(InputError) as refused:
        worded({**APPLES, **change})
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_copy_needs_a_text_where_there_are_copies():
    with pytest.raises(InputError, match="wording has no 'copy', which the task's equations need"):
        Template.from_config(template(["v0 = num", "v1 = v0"], names=NAMES, wording=APPLES))


def test_letters_are_refused_where_a_word_is_one_of_them():
    with pytest.raises(InputError, match="names: 's' is a word of the wording, too"):
        Template.from_config(template(TWO_STEPS, wording=LEDGER))

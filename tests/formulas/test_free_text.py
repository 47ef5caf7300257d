"""Datasets in free text: rows are taken over as they mark themselves, or refused in one line."""

import copy

import pytest
from support.free_text import SCHEMA, SETTINGS, free_text_row, free_text_rows, write_rows
from support.repository import REPOSITORY

from think_to_talk.errors import InputError
from think_to_talk.files.schemas import StrictValidator
from think_to_talk.formulas.answer_patterns import check_pattern, read_answer
from think_to_talk.formulas.existing_datasets import read_dataset
from think_to_talk.formulas.expressions import Expression, expression_texts, expressions
from think_to_talk.formulas.free_text import read_free_text
from think_to_talk.formulas.rows import is_correct
from think_to_talk.study.configuration import load_schema


def read(path, *rows, settings=SETTINGS, values=(0, 199)):
    return read_free_text(write_rows(path, rows), SCHEMA, settings, values)


def test_rows_are_taken_over_with_the_keys_of_all_datasets(tmp_path):
    row = {**free_text_row("Zoë", 4, 9), "answer": 13, "few_shot_context": "a\n"}
    row["targets"] = {"B": 13, "A": 4}
    found, other = read(tmp_path / "rows.jsonl", row, {**free_text_row(), "few_shot_context": ""})
    assert found == {
        "source": row["source"],
        "target": row["target"],
        "original_answer": "13",
        "intermediate_questions": ["A =", "B ="],
        "intermediate_answers": [4, 13],
        "scratchpad": "4 plus 9 is 13. The answer is 13.",
        "spans": row["spans"],
        "few_shot_context": "a\n",
        "answer_pattern": SETTINGS["answer_pattern"],
    }
    validator = StrictValidator(load_schema("dataset_row", REPOSITORY / "schemas"))
    assert [list(validator.iter_errors(each)) for each in (found, other)] == [[], []]


def span(number, **changes):
    """A row whose span of this number, from 1, is changed."""
    row = free_text_row()
    row["spans"][number - 1] |= changes
    return row


def without(number):
    row = free_text_row()
    del row["spans"][number - 1]
    return row


BAD = {
    "out of range": (
        span(9, end=40),
        "spans",
        "span 9 (B, 30 to 40 of target) is out of range: the text has 32 characters",
    ),
    "the newline": (
        span(9, start=31, end=33),
        "spans",
        "span 9 (B, 31 to 33 of target) is out of range: the text has 32 characters",
    ),
    "backwards": (
        span(2, start=10, end=9),
        "spans",
        "span 2 (A, 10 to 9 of source) ends before it begins; expected start < end",
    ),
    "a space": (
        span(2, start=8),
        "spans",
        "span 2 (A, 8 to 10 of source) is ' 3'; mark it without the spaces around it",
    ),
    "overlapping": (
        span(3, start=9, end=17),
        "spans",
        "span 3 (#, 9 to 17 of source) overlaps span 2; mark spans apart from each other",
    ),
    "out of order": (
        span(3, start=4, end=8),
        "spans",
        "span 3 (#, 4 to 8 of source) is written before span 2; give spans in the order of writing",
    ),
    "the chain before the problem": (
        {
            **free_text_row(),
            "spans": [*free_text_row()["spans"][4:], *free_text_row()["spans"][:4]],
        },
        "spans",
        "span 6 (who, 0 to 3 of source) is written before span 5; give spans in the order of "
        "writing",
    ),
    "a problem's equation in the chain": (
        span(5, equation=-1),
        "spans",
        "span 5 (A, 1 to 2 of target) has equation -1; expected -1, -2 ... in the source and 0, 1 "
        "... in the target",
    ),
    "equations that decrease": (
        span(2, equation=-3),
        "spans",
        "span 2 (A, 9 to 10 of source) has equation -3, span 1 before it -2; equations cannot "
        "decrease",
    ),
    "another label": (
        span(7, label="7"),
        "spans",
        "span 7 is 7 of equation 0 in the target, line 1 has # of equation 0 in the target; the "
        "rows of a task share one axis",
    ),
    "a span less": (
        without(3),
        "spans",
        "8 spans, line 1 has 9; the rows of a task share one axis",
    ),
    "no span of the source": (
        {**free_text_row(), "spans": free_text_row()["spans"][4:]},
        "spans",
        "no span of the source, expected at least one",
    ),
    "a target out of values": (
        {**free_text_row(), "targets": {"A": 3, "B": 100}},
        "targets",
        "B is 100, the task's values are 0 to 99: set its `values`",
    ),
    "other names": (
        {**free_text_row(), "targets": {"A": 3, "C": 8}},
        "targets",
        "A, C, expected A, B",
    ),
    "a target less": (
        {**free_text_row(), "targets": {"A": 3}},
        "targets",
        "1 targets, line 1 has 2",
    ),
    "another answer": (
        {**free_text_row(), "answer": "9"},
        "answer",
        "'9', but free_text.answer_pattern reads '8' in the target",
    ),
    "no answer in the chain": (
        {**free_text_row(), "target": free_text_row()["target"].replace("answer", "result")},
        "answer",
        "'8', but free_text.answer_pattern reads None in the target",
    ),
    "an expression of no target": (
        {**free_text_row(), "expressions": {"C": "3 + 5"}},
        "expressions",
        "'C' is none of the targets A, B",
    ),
    "expressions in some rows": (
        {**free_text_row(), "expressions": {"B": "3 + 5"}},
        "expressions",
        "of B, line 1 has those of none",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_row_that_contradicts_itself_or_the_first_is_refused(tmp_path, kind):
    row, key, message = BAD[kind]
    path = tmp_path / "rows.jsonl"
    with pytest.raises(InputError) as caught:
        read(path, free_text_row(), row, values=(0, 99))
    assert str(caught.value) == f"{path}, line 2, key {key!r}: {message}"


def test_what_is_wrong_with_the_first_row_is_said_of_it(tmp_path):
    path = tmp_path / "rows.jsonl"
    with pytest.raises(InputError, match=r"rows.jsonl, line 1, key 'spans': no span of the target"):
        read(path, {**free_text_row(), "spans": free_text_row()["spans"][:4]})


NOT_OF_THE_SCHEMA = {
    "no answer": ({"answer": ...}, ": 'answer' is a required property"),
    "no spans": ({"spans": ...}, ": 'spans' is a required property"),
    "no targets": ({"targets": {}}, ", key 'targets': {} should be non-empty"),
    "text as a class": ({"targets": {"A": "yes"}}, ", key 'targets', key 'A': 'yes' is not of typ"),
    "an unknown key": ({"label": 1}, ": Additional properties are not allowed ('label' was"),
    "two lines": ({"target": " a\nb\n"}, ", key 'target': ' a\\nb\\n' does not match"),
    "no newline": ({"target": " a"}, ", key 'target': ' a' does not match"),
    "a lower-case name": ({"targets": {"a": 1}}, ", key 'targets': 'a' does not match"),
}


@pytest.mark.parametrize("kind", NOT_OF_THE_SCHEMA)
def test_a_row_that_does_not_fit_the_schema_is_refused(tmp_path, kind):
    changes, message = NOT_OF_THE_SCHEMA[kind]
    row = {**free_text_row(), **changes}
    row = {key: value for key, value in row.items() if value is not ...}
    path = tmp_path / "rows.jsonl"
    with pytest.raises(InputError) as caught:
        read(path, row)
    assert str(caught.value).startswith(f"{path}, line 1{message}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": "question"}, "key 'text': 'question' is not one of ['source', 'target']"),
        ({"start": -1}, "key 'start': -1 is less than the minimum of 0"),
        ({"label": "?"}, "key 'label': '?' does not match "),
        ({"label": "two words"}, "key 'label': 'two words' does not match "),
        ({"equation": 0.5}, "key 'equation': 0.5 is not of type 'integer'"),
    ],
)
def test_a_span_that_does_not_fit_the_schema_is_refused(tmp_path, changes, message):
    path = tmp_path / "rows.jsonl"
    with pytest.raises(InputError) as caught:
        read(path, span(2, **changes))
    assert str(caught.value).startswith(f"{path}, line 1, key 'spans', key 1, {message}")


def test_marked_rows_are_none_in_symbols(tmp_path):
    symbols = {
        **{"source": "a = 3 ; a =?", "target": " a = 3\n", "scratchpad": "a = 3"},
        **{"original_answer": "3", "intermediate_questions": ["a ="], "intermediate_answers": [3]},
    }
    path = write_rows(tmp_path / "rows.jsonl", [{**symbols, "spans": free_text_row()["spans"]}])
    with pytest.raises(InputError) as caught:
        read_dataset(path, load_schema("dataset_row", REPOSITORY / "schemas"))
    assert str(caught.value) == (
        f"{path}, line 1, key 'spans': expected symbols; marked spans are of a task with "
        "`free_text: {}`"
    )


def test_expressions_are_those_that_rows_give(tmp_path):
    given = [
        {**row, "expressions": {"B": f"{row['targets']['A']} and more"}}
        for row in free_text_rows(6)
    ]
    rows = read(tmp_path / "rows.jsonl", *given)
    for row, found in zip(given, map(expressions, rows), strict=True):
        a, b = row["targets"].values()
        assert found == [Expression(a, "", False), Expression(b, f"{a} and more", True)]
    assert expression_texts(rows) == [None, [row["expressions"]["B"] for row in given]]
    bare = [{key: row[key] for key in row if key != "expressions"} for row in rows]
    assert expression_texts(bare) == [None, None]


def test_a_chain_is_correct_if_its_final_answer_is(tmp_path):
    [row] = read(tmp_path / "rows.jsonl", free_text_row())
    assert is_correct("The answer is 9. No: the answer is 8.", row)
    assert not is_correct("The answer is 8, or the answer is 80", row)
    assert not is_correct("8", row)
    assert not is_correct("so\nThe answer is 8", row)
    [row] = read(tmp_path / "rows.jsonl", free_text_row(), settings={})
    assert is_correct("3 plus 5  is 8. The answer is 8.", row)
    assert not is_correct("The answer is 8.", row)


def test_an_answer_pattern_has_one_group():
    check_pattern(r"#### (-?\d+)")
    assert read_answer("#### 7 #### -12", r"#### (-?\d+)") == "-12"
    assert read_answer("none", r"(\d)") is None
    with pytest.raises(InputError, match=r"^'is \[' is no regular expression \(unterminated"):
        check_pattern("is [")
    for pattern, n in ((r"\d+", 0), (r"(a)(b)", 2)):
        with pytest.raises(InputError) as caught:
            check_pattern(pattern)
        assert str(caught.value) == (
            f"{pattern!r} has {n} groups, expected one, which is the final answer, such as "
            r"'answer is (\d+)'"
        )


def test_the_rows_are_not_changed_by_reading(tmp_path):
    row = free_text_row()
    before = copy.deepcopy(row)
    read(tmp_path / "rows.jsonl", row)
    assert row == before

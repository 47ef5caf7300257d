"""Existing datasets: rows that contradict themselves are refused by file, line and key."""

import json

import pytest
from support.repository import REPOSITORY

from think_to_talk.errors import InputError
from think_to_talk.formulas.existing_datasets import read_dataset
from think_to_talk.study.configuration import load_schema

ROW = {
    "source": "a = 3 + 2 , b = 1 + a ; b =?",
    "target": " b = 1 + a , a = 3 + 2 , a = 5 , b = 1 + a , b = 1 + 5 , b = 6\n",
    "original_answer": "6",
    "intermediate_questions": ["a =", "b ="],
    "intermediate_answers": [5, 6],
    "scratchpad": "b = 1 + a , a = 3 + 2 , a = 5 , b = 1 + a , b = 1 + 5 , b = 6",
}


def chain(text):
    return {"scratchpad": text, "target": f" {text}\n"}


@pytest.fixture(scope="module")
def schema():
    return load_schema("dataset_row", REPOSITORY / "schemas")


def read(path, schema, row, line_end="\n"):
    content = "".join(json.dumps(one) + line_end for one in (ROW, row))
    path.write_bytes(content.encode())
    return read_dataset(path, schema)


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        (
            {"intermediate_answers": [4, 6]},
            "source",
            "'a = 3 + 2' gives 5, intermediate_answers gives a = 4",
        ),
        (
            {"intermediate_answers": [5, 7]},
            "original_answer",
            "'6', intermediate_answers gives b = 7",
        ),
        (
            chain("b = 1 + a , a = 3 + 2 , a = 4 , b = 1 + a , b = 1 + 5 , b = 6"),
            "scratchpad",
            "'a = 4' gives 4, intermediate_answers gives a = 5",
        ),
        (
            {"original_answer": "7", **chain("b = 1 + a , a = 5 , b = 7")},
            "original_answer",
            "'7', intermediate_answers gives b = 6",
        ),
        (chain("a = 3 + 2 , a = 5 , a = 6"), "scratchpad", "'a = 6' gives 6"),
        (chain("b = 1 + c , b = 6"), "scratchpad", "'c' is not in intermediate_questions"),
        (chain("b is 1 + a , b = 6"), "scratchpad", "'b is 1 + a', expected an equation"),
        (
            {"source": "a1 = 3 + 2 , b = 1 + a1 ; b =?", "intermediate_questions": ["a1 =", "b ="]},
            "intermediate_questions",
            "variable 'a1', expected letters",
        ),
        (
            {"intermediate_questions": ["é =", "b ="]},
            "intermediate_questions",
            "variable 'é', expected letters from a to z",
        ),
        (
            {"intermediate_questions": ["b =", "b ="]},
            "intermediate_questions",
            "variable 'b' found twice",
        ),
        ({"source": "a = 3 + 2 , b = 1 + a ; c =?"}, "source", "asks for 'c', expected one of"),
        ({"source": "b = 1 + a ; b =?"}, "source", "no equation of the variable 'a'"),
        (
            {"source": "a = 3 + 2 , b = 1 + a ; a =?"},
            "original_answer",
            "'6', intermediate_answers gives a = 5",
        ),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(tmp_path, schema, changes, key, message):
    path = tmp_path / "rows.jsonl"
    with pytest.raises(InputError) as caught:
        read(path, schema, {**ROW, **changes})
    assert str(caught.value).startswith(f"{path}, line 2, key {key!r}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["b = 6", "; b = 6", "b = 1 + a , a = 3 + 2 ; b = 6"])
def test_a_chain_may_be_cut_or_left_out(tmp_path, schema, text):
    row = {**ROW, **chain(text)}
    assert read(tmp_path / "rows.jsonl", schema, row) == [ROW, row]


def test_the_chains_are_what_the_task_asks_for(tmp_path, schema):
    path = tmp_path / "rows.jsonl"
    row = {**ROW, "few_shot_context": ROW["source"] + ROW["target"]}
    read(path, schema, row)
    cut = read_dataset(path, schema, 3)[1]
    written = "b = 1 + a , a = 3 + 2 , a = 5 ; b = 6"
    assert cut == {**row, **chain(written), "few_shot_context": f"{ROW['source']} {written}\n"}
    with pytest.raises(InputError, match=f"^{path}: chain: 6 equations are asked for"):
        read_dataset(path, schema, 6)


def test_crlf_is_a_newline_at_the_end_of_lines_and_within_strings(tmp_path, schema):
    row = {**ROW, "few_shot_context": f"{ROW['source']}{ROW['target']}"}
    windows = {
        key: value.replace("\n", "\r\n") if isinstance(value, str) else value
        for key, value in row.items()
    }
    assert read(tmp_path / "rows.jsonl", schema, windows, "\r\n") == [ROW, row]

"""Probe rows of the published code: where their positions are, and what of them is refused."""

import json

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator
from support.checkpoints import SIZES, byte_level, metaspace
from support.repository import REPOSITORY

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.probes.published_rows import read_published_rows
from think_to_talk.tokens.prompts import align, tokenize

SCHEMA, OURS = (
    yaml.safe_load((REPOSITORY / f"schemas/{name}.schema.yaml").read_text())
    for name in ("published_probe_row", "probe_row")
)
LAYERS = (0, 4)


def rows_of(task):
    return generate_splits(task, SIZES, 42)["test"]


def published(tokens, answers, seed=0):
    """Rows as the published code writes them. answers: [test rows, variables]."""
    rng, numbers = np.random.default_rng(seed), list(range(len(answers)))
    rows = []
    for layer in LAYERS:
        for position, token in enumerate(tokens):
            for variable, values in enumerate(np.transpose(answers)):
                said = np.where(rng.random(len(values)) < 0.5, values, 0)
                rows.append(
                    {
                        "layer": layer,
                        "position": position,
                        "intermediate_answer": variable,
                        "score": float(np.float32(np.mean(said == values))),
                        "token": token,
                        "predictions": [float(value) for value in said],
                        "answer": [float(value) for value in values],
                        "sample_ids": numbers,
                    }
                )
    return rows


@pytest.fixture
def level_3(tasks, tmp_path):
    """Dataset of level 3, published rows of it, and what reads changed ones."""
    dataset = rows_of(tasks["level-3"])
    tokenizer = byte_level([row["source"] + row["target"] for row in dataset])
    first = next(tokenize(tokenizer, dataset[:1], 0))
    tokens = tokenizer.convert_ids_to_tokens([*first.problem, *first.gold])[:-1]
    rows = published(tokens, [row["intermediate_answers"] for row in dataset])

    def read(changed, dataset=dataset):
        write_jsonl(tmp_path / "rows.jsonl", changed)
        return read_published_rows(tmp_path / "rows.jsonl", SCHEMA, dataset)

    return dataset, rows, read


@pytest.mark.parametrize("level", range(1, 6))
@pytest.mark.parametrize("build", [byte_level, metaspace])
def test_positions_are_where_the_tokenized_problems_have_them(tasks, tmp_path, level, build):
    """They come from the tokens alone: the tokenizer is not known."""
    dataset = rows_of(tasks[f"level-{level}"])
    tokenizer = build([row["source"] + row["target"] for row in dataset])
    tokenized = list(tokenize(tokenizer, dataset, 0))
    layout = align(tokenizer, dataset, tokenized)
    # The published rows have the tokens of some row, and no newline at its end.
    some = tokenized[7]
    tokens = tokenizer.convert_ids_to_tokens([*some.problem, *some.gold])[:-1]
    rows = published(tokens, [row["intermediate_answers"] for row in dataset])
    write_jsonl(tmp_path / "rows.jsonl", rows)
    found = read_published_rows(tmp_path / "rows.jsonl", SCHEMA, dataset)
    assert len(found) == len(rows)
    for row in found:
        Draft202012Validator(OURS).validate(row)
        place = layout.place(row["position"])
        assert {key: row[key] for key in place} == place


def test_scores_are_the_published_ones(level_3):
    _, rows, read = level_3
    found = {(r["layer"], r["position"], r["variable"]): r for r in read(rows[::-1])}
    for row in rows:
        ours = found[row["layer"], row["position"], row["intermediate_answer"]]
        assert ours["score"] == pytest.approx(row["score"], abs=1e-6)
        assert ours["ci_low"] < ours["score"] < ours["ci_high"]
        assert ours["answer"] == row["answer"]
        assert ours["predictions"] == row["predictions"]


def test_a_test_row_that_is_too_short_for_a_position_is_wrong_there(level_3):
    _, rows, read = level_3
    last = rows[-1]
    n = len(last["answer"])
    for key in ("predictions", "answer", "sample_ids"):
        last[key] = last[key][1:]
    right = sum(a == b for a, b in zip(last["answer"], last["predictions"], strict=True))
    last["score"] = right / n
    found = read(rows)[-1]
    assert found["score"] == right / n
    assert found["n_test"] == n
    assert found["predictions"][0] == -1


def without_a_key(rows):
    del rows[3]["token"]


def without_a_probe(rows):
    del rows[3]


def without_a_position(rows):
    rows[:] = [row for row in rows if row["position"] != 2]


def twice(rows):
    rows.append(rows[0])


def another_answer(rows):
    rows[5]["answer"][1] = (rows[5]["answer"][1] + 1) % 10


def another_score(rows):
    rows[5]["score"] = 1 - rows[5]["score"] / 2


def a_fraction(rows):
    rows[5]["predictions"][0] = 0.5


def a_bos_token(rows):
    for row in rows:
        row["token"] = "<s>" if row["position"] == 0 else row["token"]


def a_problem_alone(rows):
    end = next(row["position"] for row in rows if "?" in row["token"])
    rows[:] = [row for row in rows if row["position"] <= end]


def a_third_variable(rows):
    rows += [{**row, "intermediate_answer": 2} for row in rows if row["intermediate_answer"] == 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_a_key, r"line 4: 'token' is a required property"),
        (without_a_probe, r"no row of layer 0, position 1, intermediate_answer 1, expected one"),
        (without_a_position, r"no row of position 2, expected all from 0 on"),
        (twice, r"line \d+: a second row of layer 0, position 0, intermediate_answer 0"),
        (another_answer, r"line 6, key 'answer': \d for test row 1, an earlier line has \d"),
        (another_score, r"line 6, key 'score': 0.\d+, but \d+ of \d+ predictions are right"),
        (a_fraction, r"line 6, key 'predictions', key 0: 0.5 is not a multiple of 1"),
        (a_bos_token, r"token 0, '<s>': '<' is not a symbol of problems"),
        (a_problem_alone, r"the last token is .*\?', expected a chain of thought"),
        (a_third_variable, r"intermediate_answer is up to 2, but .* have 2 variables"),
    ],
)
def test_rows_that_contradict_themselves_are_refused(level_3, change, message):
    _, rows, read = level_3
    rows = json.loads(json.dumps(rows))
    change(rows)
    with pytest.raises(InputError, match=message):
        read(rows)


@pytest.mark.parametrize("level", [1, 2, 4, 5])
def test_rows_of_another_task_are_refused(level_3, tasks, level):
    _, rows, read = level_3
    with pytest.raises(InputError, match=r"where problems of the task, such as .*: name the rows"):
        read(rows, rows_of(tasks[f"level-{level}"]))

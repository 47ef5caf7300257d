"""A small study whose problems are sentences, from problems to pictures, patching included."""

import pytest
from support.configs import tiny
from support.studies import study_of
from support.wordings import APPLES, NAMES

from think_to_talk.files.jsonl import read_jsonl

PROBLEM = "B has # ± apples than A . A has # apples . How many apples does B have ?"

WORDED = {
    "seeds": [1],
    "splits": {"train": 10, "valid": 10, "test": 30, "probing_train": 90},
    "probes": {"train_on": "all", "folds": 2, "min_train_rows": 20},
    "logit_lens": True,
    "forced_answers": True,
    "interventions": {"pairs": 10, "probes": True, "free_writing": True},
    "steering": {"enabled": True, "problems": 5, "factors": [2], "controls": 1},
    "timing": {"threshold": 0.3},
    "tasks": {
        **{f"level-{i}": None for i in range(2, 6)},
        "level-1": {
            "equations": ["v0 = num", "v1 = v0 ± num"],
            "names": NAMES,
            "wording": {**APPLES, "cut": "So {x} has {value} apples"},
            "edits": {"first-formula": None, "second-formula": None, "random": ["v0.1"]},
        },
    },
    "models": {"tiny": tiny(steps=150, rows=1500, hidden_size=64, cut=0.3)},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    study = study_of(tmp_path_factory.mktemp("worded") / "study", WORDED)
    study.output = study.snakemake()
    return study


def test_sentences_are_studied_from_problems_to_figures(finished):
    results = finished.folder / "results"
    rows = read_jsonl(results / "formulas/seed-1/level-1/test.jsonl")
    assert all(row["source"].endswith(" have?") for row in rows)
    probes = read_jsonl(results / "tiny/seed-1/probes/level-1.jsonl")
    symbols = {row["symbol_index"]: row["symbol"] for row in probes}
    assert [symbols[index] for index in range(len(PROBLEM.split()))] == PROBLEM.split()
    ceilings = read_jsonl(results / "formulas/ceilings/level-1.jsonl")
    assert {row["symbol_index"] for row in ceilings} == set(range(len(PROBLEM.split())))
    # An operand is readable where it has just been written.
    number = [i for i, symbol in symbols.items() if symbol == "#"][1]
    read = [row for row in probes if row["symbol_index"] == number and row["variable"] == 0]
    assert max(row["score"] for row in read) > 0.8
    timing = read_jsonl(results / "summary/timing.jsonl")
    assert {row["variable"]: row["t_text"] for row in timing} == dict.fromkeys(
        range(2), number - len(PROBLEM.split())
    )
    for figure in ("level-1", "overview", "logit_lens", "patching/level-1"):
        assert (results / f"summary/figures/tiny/seed-1/{figure}.png").is_file()


def test_numbers_of_sentences_are_read_by_the_logit_lens_and_after_patches(finished):
    results = finished.folder / "results"
    lens = read_jsonl(results / "tiny/seed-1/logit_lens/level-1.jsonl")
    assert {row["symbol"] for row in lens} >= {"apples", "#", "⏎"}
    patching = read_jsonl(results / "tiny/seed-1/patching/level-1.jsonl")
    assert {row["edit"] for row in patching} == {"random"}
    # Of the chain's five sentences, two state a variable's value.
    assert {(row["answer_equation"], row["variable"]) for row in patching} == {(1, 0), (4, 1)}
    # The operand is copied from its sentence in the problem, -2, and from no other one.
    success = {
        (row["equation"], tuple(row["layers"])): row["success"]
        for row in patching
        if row["kind"] == "sliding" and row["answer_equation"] == 1 and row["rows"] == "all"
    }
    assert success[-2, (0,)] > success[-3, (0,)] == success[-1, (0,)]


def test_chains_of_sentences_are_altered_and_steered(finished):
    results = finished.folder / "results/tiny/seed-1"
    for stage in ("inconsistent_chains", "steering", "free_writing"):
        rows = read_jsonl(results / f"{stage}/level-1.jsonl")
        assert rows
    (row, *_) = [r for r in read_jsonl(results / "inconsistent_chains/level-1.jsonl") if r["n"]]
    assert row["equation"] == 1
    assert all(answer.isdigit() for answer in row["outputs"])
    steered = read_jsonl(results / "steering/level-1.jsonl")
    assert {row["variable"] for row in steered} == {0, 1}
    values = [value for row in steered for value in row["values"]]
    assert values
    assert any(value is not None for value in values)


def test_chains_of_sentences_are_cut_by_words(finished):
    results = finished.folder / "results"
    rows = read_jsonl(results / "tiny/seed-1/forced_answers/level-1.jsonl")
    assert [row["cut"] for row in rows] == list(range(5))
    # At the last word of each sentence of the chain, and before the first.
    assert [row["symbol"] for row in rows] == ["?", "A", "apples", "A", "apples"]
    # It has learned to say a number there, if not yet which.
    assert min(row["digit_mass"] for row in rows) > 0.8
    clocks = read_jsonl(results / "tiny/seed-1/clocks.jsonl")
    assert {row["variable"]: row["cuts"] for row in clocks} == {0: None, 1: 5}
    assert "leaves out" not in finished.output.stdout + finished.output.stderr

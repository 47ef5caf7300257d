"""A small study whose rows do not tokenize alike, from problems to pictures."""

import pytest
from support.configs import tiny
from support.explorer import study_in
from support.studies import study_of

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.tokens.layout import Layout

WORDS = ["apple", "kiwi", "Plum"]

RAGGED = {
    "seeds": [1],
    "splits": {"train": 10, "valid": 10, "test": 30, "probing_train": 90},
    "keep_hidden_states": True,
    "probes": {"train_on": "all", "folds": 2, "min_train_rows": 20, "targets": "digits"},
    "controls": {"labels": True, "thresholds": [0.5, 0.9]},
    "logit_lens": True,
    "forced_answers": True,
    "steering": {"enabled": True, "problems": 12, "factors": [2], "controls": 1},
    "timing": {"threshold": 0.3},
    "interventions": {"pairs": 24, "free_writing": True, "probes": True},
    "tasks": {
        "level-1": {
            "names": WORDS,
            "values": [0, 30],
            "operators": ["+"],
            "edits": {"both": ["v0.1", "v1.1"]},
        },
        **{f"level-{i}": None for i in range(2, 6)},
    },
    "models": {"tiny": tiny(steps=150, rows=1500, hidden_size=64, cut=0.3)},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    study = study_of(tmp_path_factory.mktemp("ragged") / "study", RAGGED)
    study.output = study.snakemake()
    return study


def test_positions_are_symbols_from_problems_to_figures(finished):
    results = finished.folder / "results"
    rows = read_jsonl(results / "formulas/seed-1/level-1/test.jsonl")
    numbers = {s for row in rows for s in text_symbols(row["source"]) if s.isdigit()}
    assert {len(number) for number in numbers} == {1, 2}
    assert {question for row in rows for question in row["intermediate_questions"]} == {
        f"{word} =" for word in WORDS
    }
    path = results / "tiny/seed-1/hidden_states/level-1/test/00000.safetensors"
    stored = Shards.open([path], {"task": "level-1", "positions": "symbols"})
    layout = Layout.loads(stored.metadata["layout"])
    assert "".join(layout.symbols[: layout.n_problem]) == "B=#+A,A=#;B=?"
    probes = read_jsonl(results / "tiny/seed-1/probes/level-1.jsonl")
    assert {row["position"] for row in probes} == set(range(layout.n_positions))
    answers = [row["intermediate_answers"] for row in rows]
    names = {26: "ones", 27: "ones", 52: "tens", 53: "tens"}
    assert {row["variable"] for row in probes} == {0, 1, *names}
    for row in probes:
        own = [values[row["variable"] % 26] for values in answers]
        place = {"ones": 1, "tens": 0, None: slice(None)}[names.get(row["variable"])]
        assert row["answer"] == [int(f"{value:02}"[place]) for value in own]
        assert set(row["predictions"]) <= {-1, *range(10 if row["variable"] in names else 31)}
    # The number of the problem can be read where it has just been written.
    where = layout.symbols.index(";") - 1
    read = [row for row in probes if row["position"] == where and row["variable"] == 0]
    assert max(row["score"] for row in read) > 0.6
    weights = Shards.open([results / "tiny/seed-1/probes/level-1.safetensors"], {})
    assert weights.read("layer.0.bias").shape[-1] == 31
    assert weights.read("layer.0.digits.bias").shape == (layout.n_positions, 4, 10)
    timing = read_jsonl(results / "summary/timing.jsonl")
    assert [row["variable"] for row in timing] == [0, 1, *names]
    # The text determines a digit no later than the value.
    for row in timing:
        assert row["t_text"] <= timing[row["variable"] % 26]["t_text"]
    clocks = [row["sentence"] for row in read_jsonl(results / "tiny/seed-1/clocks.jsonl")]
    assert [sentence.split(": ")[0] for sentence in clocks] == [
        f"level-1, {name}"
        for name in ("A, operand", "B, the answer", "A ones", "B ones", "A tens", "B tens")
    ]
    assert "| 1 tens " in (results / "summary/timing.md").read_text()
    assert (results / "summary/figures/tiny/seed-1/level-1.png").is_file()
    (shown,) = study_in((results / "summary/explorer.html").read_text())["results"]
    named = {variable["name"]: variable for variable in shown["variables"]}
    assert list(named) == ["A", "B", "A ones", "B ones", "A tens", "B tens"]
    assert named["A tens"]["values"] == [value // 10 for value in named["A"]["values"]]
    log = (results / "logs/tokens/tiny/seed-1/level-1.log").read_text()
    assert "do not tokenize alike: its positions are symbols" in log


def test_forced_answers_are_whole_numbers_at_the_places_of_symbols(finished):
    results = finished.folder / "results"
    rows = read_jsonl(results / "tiny/seed-1/forced_answers/level-1.jsonl")
    # `B = # + A , A = # , B = # + A , B = # + # , B = #`: before it, and after each equation.
    assert [row["relative_position"] for row in rows] == [-1, 4, 8, 14, 20]
    answers = [
        int(row["original_answer"])
        for row in read_jsonl(results / "formulas/seed-1/level-1/test.jsonl")
    ]
    assert max(answers) > 9
    for row in rows:
        assert row["answer"] == answers
        assert set(row["predictions"]) <= {-1, *range(31)}
        assert 0 <= row["probability"] <= row["digit_mass"] <= 1
    (said,) = read_jsonl(results / "summary/forced_answers.jsonl")
    assert said["said_last"] == rows[-1]["accuracy"]
    assert (results / "summary/figures/tiny/seed-1/forced_answers.png").is_file()


def test_the_logit_lens_reads_the_first_token_of_numbers(finished):
    results = finished.folder / "results"
    rows = read_jsonl(results / "tiny/seed-1/logit_lens/level-1.jsonl")
    probes = read_jsonl(results / "tiny/seed-1/probes/level-1.jsonl")
    problems = read_jsonl(results / "formulas/seed-1/level-1/test.jsonl")
    assert {row["position"] for row in rows} == {row["position"] for row in probes}
    for row in rows:
        assert row["reads"] == "first token"
        values = [str(problem["intermediate_answers"][row["variable"]]) for problem in problems]
        assert [str(n)[0] for n in row["answer"]] == [value[0] for value in values]
        right = sum(map(int.__eq__, row["predictions"], row["answer"]))
        assert row["score"] == right / len(problems)
    assert (results / "summary/figures/tiny/seed-1/logit_lens.png").is_file()


def test_steering_moves_the_states_of_symbols_to_values_beyond_nine(finished):
    results = finished.folder / "results"
    rows = read_jsonl(results / "tiny/seed-1/steering/level-1.jsonl")
    probes = {
        (row["layer"], row["position"], row["variable"]): row
        for row in read_jsonl(results / "tiny/seed-1/probes/level-1.jsonl")
    }
    assert {row["variable"] for row in rows} == {0, 1}
    for row in rows:
        probe = probes[row["layer"], row["position"], row["variable"]]
        assert row["accuracy"] == probe["score"]
        assert row["symbol_index"] == probe["symbol_index"]
        # `B = # + A , A = # , B = # + A , B = # + # , B = #`
        assert row["value_position"] == {0: 8, 1: 24}[row["variable"]]
        assert row["relative_position"] < row["value_position"]
    assert rows[0]["solved"] > 0
    assert max(target for row in rows for target in row["targets"]) > 9
    (table, *_) = read_jsonl(results / "summary/steering.jsonl")
    assert table["task"] == "level-1"
    assert (results / "summary/figures/tiny/seed-1/steering.png").is_file()

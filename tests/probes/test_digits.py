"""Probes of the digits of values, beside those of the values: labels, folds and weights."""

import json
import random

import numpy as np
import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from safetensors.torch import load_file, safe_open
from sklearn.linear_model import LogisticRegression
from support.probes import IDENTITY, LBFGS, N_POSITIONS, write_split
from support.repository import REPOSITORY

from think_to_talk.files.jsonl import read_jsonl, read_probe_rows
from think_to_talk.formulas.expressions import expression_texts
from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.probes.fitting import fit_task
from think_to_talk.probes.settings import ProbeSettings
from think_to_talk.reading.probe_weights import read_probe_weights
from think_to_talk.timing.table import timing_rows

D, FOLDS = 24, 2
#: A position whose states show the tens of the first variable.
TENS = 4
#: The numbers of both variables' ones, tens and hundreds.
DIGITS = [26, 27, 52, 53, 78, 79]


def settings(**changes):
    entry = {"solver": "lbfgs", "train_on": "all", "min_train_rows": 20, "folds": FOLDS}
    return ProbeSettings.from_config({**entry, **LBFGS, "n_classes": 121, **changes})


def problems(n, seed):
    """Rows of two variables up to 120: A with an operator, B a number."""
    drawn, rows = random.Random(seed), []
    for _ in range(n):
        a, b, number = drawn.randrange(61), drawn.randrange(60), drawn.randrange(121)
        rows.append(
            {
                "source": f"a = {a} + {b} , b = {number} ; b =?",
                "intermediate_questions": ["a =", "b ="],
                "intermediate_answers": [a + b, number],
            }
        )
    return rows


def states_of(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(10, D, generator=torch.Generator().manual_seed(0))
    states = torch.randn(len(rows), N_POSITIONS, D, generator=generator)
    tens = torch.tensor([row["intermediate_answers"][0] // 10 % 10 for row in rows])
    states[:, TENS] += 2 * directions[tens]
    return {0: states}


def run(folder, probe_settings, n_train=300):
    paths, datasets = {}, {}
    for split, n, seed in (("probing_train", n_train, 1), ("test", 80, 2)):
        rows = problems(n, seed)
        states = states_of(rows, seed)
        paths[split], datasets[split] = write_split(folder, split, rows, states)
    files = folder / "rows.jsonl", folder / "weights.safetensors"
    fit_task(
        *(paths["probing_train"], paths["test"]),
        *(datasets["probing_train"], datasets["test"]),
        *(probe_settings, IDENTITY, *files),
    )
    return files


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    return run(tmp_path_factory.mktemp("digits"), settings(digits=3))


def rows_of(files, variable):
    return [row for row in read_probe_rows(files[0]) if row["variable"] == variable]


def test_digits_have_numbers_and_names_of_their_own(fitted):
    rows = read_probe_rows(fitted[0])
    assert sorted({row["variable"] for row in rows}) == [0, 1, *DIGITS]
    assert list(map(variable_symbol, DIGITS)) == [
        f"{name} {digit}" for digit in ("ones", "tens", "hundreds") for name in "AB"
    ]
    schema = yaml.safe_load((REPOSITORY / "schemas/probe_row.schema.yaml").read_text())
    for row in rows:
        Draft202012Validator(schema).validate(row)


def test_labels_are_the_digits_and_0_where_a_value_has_none(fitted):
    values = [row["intermediate_answers"] for row in problems(80, 2)]
    assert {len(str(value)) for value, _ in values} == {1, 2, 3}
    for number in DIGITS:
        variable, place = number % 26, number // 26 - 1
        digits = [int(f"{of_row[variable]:03}"[2 - place]) for of_row in values]
        most = max(digits.count(digit) for digit in digits)
        for row in rows_of(fitted, number):
            assert row["answer"] == digits
            assert row["chance"] == most / 80
            hits = sum(a == b for a, b in zip(row["predictions"], digits, strict=True))
            assert row["score"] == hits / 80


def test_the_digit_that_states_show_is_found_and_no_other(fitted):
    for number in DIGITS:
        scores = {row["position"]: row["score"] for row in rows_of(fitted, number)}
        if number == 52:
            assert scores.pop(TENS) > 0.9
        if number not in (78, 79):
            assert max(scores.values()) < 0.4


def test_a_probe_of_a_digit_is_that_of_scikit_learn(fitted):
    """On standardised features, with the same penalty; ten classes."""
    train, test = problems(300, 1), problems(80, 2)
    features, of_test = (states_of(r, s)[0][:, TENS].numpy() for r, s in ((train, 1), (test, 2)))
    mean, scale = features.mean(axis=0), features.std(axis=0)
    labels = np.array([row["intermediate_answers"][0] // 10 % 10 for row in train])
    probe = LogisticRegression(C=1 / (LBFGS["penalty"] * len(labels)), tol=1e-8, max_iter=10_000)
    probe.fit((features - mean) / scale, labels)
    expected = probe.predict((of_test - mean) / scale).tolist()
    row = next(row for row in rows_of(fitted, 52) if row["position"] == TENS)
    agree = sum(a == b for a, b in zip(row["predictions"], expected, strict=True))
    assert agree >= 79
    weights = load_file(fitted[1])
    # [positions, places and variables, classes, hidden]
    assert weights["layer.0.digits.weight"].shape == (N_POSITIONS, 6, 10, D)
    of_tens = weights["layer.0.digits.weight"][TENS, 2], weights["layer.0.digits.bias"][TENS, 2]
    logits = torch.tensor(of_test) @ of_tens[0].T + of_tens[1]
    assert logits.argmax(dim=1).tolist() == row["predictions"]


def test_held_out_probes_of_a_digit_never_saw_the_expression(fitted):
    weights = load_file(fitted[1])
    with safe_open(fitted[1], "pt") as file:
        parts = json.loads(file.metadata()["heldout_parts"])
    test = problems(80, 2)
    texts = expression_texts(test)[0]
    states = states_of(test, 2)[0][:, TENS]
    expected = []
    for text, state in zip(texts, states, strict=True):
        place = parts[0][text], TENS, 2
        scores = weights["layer.0.digits.heldout.weight"][place] @ state
        expected.append(int((scores + weights["layer.0.digits.heldout.bias"][place]).argmax()))
    row = next(row for row in rows_of(fitted, 52) if row["position"] == TENS)
    assert row["heldout_predictions"] == expected
    assert row["heldout_score"] > 0.8
    # B is a number, which has no expression to hold out.
    assert {row["heldout_score"] for row in rows_of(fitted, 53)} == {None}


def test_probes_of_values_are_the_same_with_and_without_digits(fitted, tmp_path):
    rows, weights = run(tmp_path, settings())
    both = [row for row in read_jsonl(fitted[0]) if row["variable"] < 2]
    assert both == read_jsonl(rows)
    for name, tensor in load_file(weights).items():
        assert torch.equal(load_file(fitted[1])[name].nan_to_num(7), tensor.nan_to_num(7))


def test_a_digit_that_is_always_the_same_is_named(tmp_path):
    with pytest.warns(UserWarning, match="variable A hundreds has the same label"):
        run(tmp_path, settings(digits=3, folds=0), n_train=30)


def test_timing_has_a_row_per_digit_with_intervals_over_the_variable_s_expressions(fitted):
    probes, test = read_probe_rows(fitted[0]), problems(80, 2)
    known = {0: [0.5, 0.5, 0.9], 52: [0.5, 1.0, 1.0]}
    ceilings = [
        {"symbol_index": index, "variable": variable, "ceiling": ceiling}
        for variable, of_variable in known.items()
        for index, ceiling in enumerate(of_variable)
    ]
    rows = timing_rows(probes, [], 0.85, IDENTITY, ceilings, expression_texts(test))
    by_variable = {row["variable"]: row for row in rows}
    assert list(by_variable) == [0, 1, *DIGITS]
    tens = by_variable[52]
    assert tens["t_star"] == TENS - 6
    assert tens["score_cluster_low"] <= tens["score"] <= tens["score_cluster_high"]
    # Of a number there is no expression, and so of its digits.
    assert by_variable[53]["acc_after_cluster_low"] is None
    assert by_variable[52]["acc_after_cluster_low"] is not None
    assert by_variable[0]["lag"] is None
    assert (tens["t_text"], tens["lag"]) == (-5, TENS - 1)
    assert by_variable[0]["t_star"] is by_variable[0]["t_text"] is by_variable[53]["t_text"] is None


def test_weights_are_read_with_the_rows_of_values(fitted, tmp_path):
    folder = tmp_path / "m/seed-1/probes"
    folder.mkdir(parents=True)
    (folder / "t.jsonl").write_bytes(fitted[0].read_bytes())
    (folder / "t.safetensors").write_bytes(fitted[1].read_bytes())
    read = read_probe_weights(tmp_path, "m", 1, "t", 0)
    assert read.variables == ["A", "B"]
    assert len(read.rows) == N_POSITIONS * 2 == read.weight.shape[0] * read.weight.shape[1]

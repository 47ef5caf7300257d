"""Probes of a task: from shards to scored rows and kept weights."""

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from safetensors.torch import load_file
from support.probes import IDENTITY, LBFGS, N_POSITIONS, TOKENS, write_split
from support.repository import REPOSITORY

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.intervals import wilson_interval
from think_to_talk.probes import fitting
from think_to_talk.probes.accuracy import NO_PREDICTION
from think_to_talk.probes.fitting import fit_task
from think_to_talk.probes.settings import ProbeSettings

D, LAYERS = 12, [0, 3]


def settings(**changes):
    entry = {
        "solver": "lbfgs",
        "train_on": "correct",
        "min_train_rows": 20,
        "folds": 0,
        **LBFGS,
        **changes,
    }
    return ProbeSettings.from_config(entry)


def make_split(folder, split, n, *, wrong=(), short=(), shards=2, constant=()):
    """Shards in which layer 3 shows the first variable from position 5 on; and the dataset."""
    generator = torch.Generator().manual_seed(len(split))
    answers = torch.randint(0, 10, (n, 2), generator=generator)
    answers[:, list(constant)] = 4
    directions = torch.randn(10, D, generator=torch.Generator().manual_seed(0))
    hidden = {layer: torch.randn(n, N_POSITIONS, D, generator=generator) for layer in LAYERS}
    hidden[3][:, 5:] += 6 * directions[answers[:, 0]][:, None]
    length = torch.full((n,), N_POSITIONS)
    length[list(short)] = 8
    correct = torch.ones(n, dtype=torch.uint8)
    correct[list(wrong)] = 0
    # Wrong rows say something else: training on them would be seen in the weights.
    hidden[3][list(wrong)] = 100.0
    rows = [{"intermediate_answers": row} for row in answers.tolist()]
    options = {"length": length, "correct": correct, "shards": shards}
    return *write_split(folder, split, rows, hidden, **options), answers


def run(folder, probe_settings, *, wrong=range(30), train=400, constant=(), **test_options):
    train_paths, train_dataset, _ = make_split(
        folder, "probing_train", train, wrong=wrong, constant=constant
    )
    test_paths, test_dataset, answers = make_split(folder, "test", 150, **test_options)
    rows, weights = folder / "rows.jsonl", folder / "weights.safetensors"
    fit_task(
        train_paths,
        test_paths,
        train_dataset,
        test_dataset,
        probe_settings,
        IDENTITY,
        rows,
        weights,
    )
    return read_jsonl(rows), load_file(weights), answers


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    return run(tmp_path_factory.mktemp("probes"), settings(), short=range(50), wrong=range(30))


def test_every_saved_layer_position_and_variable_has_a_row(fitted):
    rows, _, _ = fitted
    keys = [(row["layer"], row["position"], row["variable"]) for row in rows]
    expected = [(layer, t, v) for layer in LAYERS for t in range(N_POSITIONS) for v in range(2)]
    assert keys == expected


def test_rows_fit_their_schema(fitted):
    schema = yaml.safe_load((REPOSITORY / "schemas/probe_row.schema.yaml").read_text())
    validator = Draft202012Validator(schema)
    for row in fitted[0]:
        validator.validate(row)
        assert list(row) == list(schema["properties"])


def test_positions_are_described_on_the_symbol_axis(fitted):
    rows = {row["position"]: row for row in fitted[0]}
    assert [rows[t]["relative_position"] for t in range(N_POSITIONS)] == list(range(-6, 5))
    assert [rows[t]["equation"] for t in range(N_POSITIONS)] == [-2] * 4 + [-1] * 2 + [0] * 5
    assert rows[7]["symbol_index"] is None
    assert [rows[t]["symbol"] for t in (6, 7, 8)] == ["A", "=", "="]
    assert "".join(rows[t]["token"] for t in range(N_POSITIONS)) == TOKENS


def test_what_is_readable_is_found_and_nothing_else(fitted):
    rows, _, _ = fitted
    for row in rows:
        readable = row["layer"] == 3 and row["variable"] == 0 and row["position"] >= 5
        # A third of the test rows end at position 8.
        share = 1.0 if row["position"] < 8 else 2 / 3
        if readable:
            assert row["score"] > 0.97 * share
        else:
            assert row["score"] < 0.3


def test_a_test_row_that_is_too_short_counts_as_wrong(fitted):
    rows, _, _ = fitted
    for row in rows:
        ended = [i < 50 and row["position"] >= 8 for i in range(150)]
        assert [p == NO_PREDICTION for p in row["predictions"]] == ended
        hits = sum(p == a for p, a in zip(row["predictions"], row["answer"], strict=True))
        assert row["score"] == hits / row["n_test"] == hits / 150


def test_answers_chance_and_intervals(fitted):
    rows, _, answers = fitted
    for row in rows:
        assert row["answer"] == answers[:, row["variable"]].tolist()
        assert row["chance"] == max(row["answer"].count(digit) for digit in range(10)) / 150
        assert row["ci_low"] <= row["score"] <= row["ci_high"]
        assert row["sample_ids"] == list(range(150))
        assert row["n_train"] == 370


def test_wilson_s_interval():
    """Reference values from the closed form, by hand for 9 of 10."""
    low, high = wilson_interval(9, 10)
    z, p, n = 1.959963984540054, 0.9, 10
    centre, half = (p + z * z / (2 * n)), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    assert low == pytest.approx((centre - half) / (1 + z * z / n))
    assert high == pytest.approx((centre + half) / (1 + z * z / n))


def test_weights_reproduce_the_predictions_on_raw_hidden_states(fitted, tmp_path):
    rows, weights, _ = fitted
    make_split(tmp_path, "test", 150, short=range(50), shards=1)
    stored = load_file(tmp_path / "test-0.safetensors")
    for row in rows:
        weight = weights[f"layer.{row['layer']}.weight"][row["position"], row["variable"]]
        bias = weights[f"layer.{row['layer']}.bias"][row["position"], row["variable"]]
        predicted = (stored[f"layer.{row['layer']}"][:, row["position"]] @ weight.T + bias).argmax(
            1
        )
        shown = torch.tensor(row["predictions"])
        assert (predicted == shown)[shown != NO_PREDICTION].float().mean() > 0.99


def test_training_on_all_rows_includes_the_wrong_ones(tmp_path):
    rows, _, _ = run(tmp_path, settings(train_on="all"))
    assert {row["n_train"] for row in rows} == {400}


@pytest.mark.parametrize("n_correct", [0, 1, 10])
@pytest.mark.parametrize("solver", ["lbfgs", "sklearn"])
def test_too_few_correct_rows_give_null_scores_and_a_warning(tmp_path, n_correct, solver):
    message = rf"m on t \(seed 1\): only {n_correct} correct rows .* 20 needed"
    with pytest.warns(UserWarning, match=message):
        rows, weights, _ = run(tmp_path, settings(solver=solver), wrong=range(400 - n_correct))
    assert len(rows) == len(LAYERS) * N_POSITIONS * 2
    assert {row["score"] for row in rows} == {row["ci_low"] for row in rows} == {None}
    assert {row["predictions"] for row in rows} == {None}
    assert all(tensor.isnan().all() for tensor in weights.values())


@pytest.mark.parametrize("solver", ["lbfgs", "sklearn"])
def test_a_single_row_is_too_few_whatever_the_config_says(tmp_path, solver):
    with pytest.warns(UserWarning, match="variable [AB] has the same label in all 1 rows"):
        rows, _, _ = run(tmp_path, settings(solver=solver, min_train_rows=1), wrong=range(1, 400))
    assert {row["score"] for row in rows} == {None}


@pytest.mark.parametrize("solver", ["lbfgs", "sklearn"])
def test_a_variable_with_a_single_value_has_null_scores_and_the_others_have_theirs(
    tmp_path, solver
):
    with pytest.warns(UserWarning, match="variable B has the same label in all 370 rows"):
        rows, weights, _ = run(tmp_path, settings(solver=solver), constant=[1])
    for row in rows:
        assert (row["score"] is None) == (row["predictions"] is None) == (row["variable"] == 1)
    assert all(tensor[:, 1].isnan().all() for tensor in weights.values())
    assert not any(tensor[:, 0].isnan().any() for tensor in weights.values())


def test_probes_of_sgd_do_not_depend_on_how_positions_are_put_together(tmp_path, monkeypatch):
    entry = {"solver": "sgd", "learning_rate": 0.1, "epochs": 50, "seed": 42}
    probe_settings = ProbeSettings.from_config(
        {"train_on": "all", "min_train_rows": 20, "folds": 0, **entry}
    )
    weights = []
    for chunk_bytes in (1, 2**24):
        monkeypatch.setattr(fitting, "_CHUNK_BYTES", chunk_bytes)
        weights.append(run(tmp_path, probe_settings, train=60, wrong=())[1])
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], rtol=1e-3, atol=1e-5)


def test_the_number_of_probes_whose_loss_is_not_steady_is_said(tmp_path):
    entry = {"solver": "sgd", "learning_rate": 50.0, "epochs": 20, "seed": 42}
    probe_settings = ProbeSettings.from_config(
        {"train_on": "all", "min_train_rows": 20, "folds": 0, **entry}
    )
    with pytest.warns(UserWarning, match="the loss of 44 of 44 probes rose in a step of sgd"):
        run(tmp_path, probe_settings, train=60, wrong=())


def test_rows_that_are_not_the_dataset_s_are_refused(tmp_path):
    paths, dataset, answers = make_split(tmp_path, "probing_train", 40)
    write_jsonl(dataset, [{"intermediate_answers": row} for row in answers.tolist()[:-1]])
    outputs = (tmp_path / "rows.jsonl", tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match=r"40 rows, expected the 39 of .*: delete both"):
        fit_task(paths, paths, dataset, dataset, settings(), IDENTITY, *outputs)


@pytest.mark.parametrize(
    "options",
    [
        {"solver": "sklearn", **LBFGS},
        {"solver": "sgd", "learning_rate": 0.1, "epochs": 400, "seed": 1},
    ],
)
def test_the_other_solvers_find_the_same(tmp_path, options):
    entry = {"train_on": "correct", "min_train_rows": 20, "folds": 0, **options}
    rows, _, _ = run(tmp_path, ProbeSettings.from_config(entry), train=200)
    by_position = {
        row["position"]: row["score"] for row in rows if (row["layer"], row["variable"]) == (3, 0)
    }
    assert max(by_position[t] for t in range(5)) < 0.3
    assert min(by_position[t] for t in range(5, N_POSITIONS)) > 0.9
    assert {row["solver"] for row in rows} == {options["solver"]}

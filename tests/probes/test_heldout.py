"""Held-out probes: what they tell apart, what they are, and where there are none."""

import json
import random
import warnings

import pytest
import torch
from safetensors.torch import load_file, safe_open
from sklearn.linear_model import LogisticRegression
from support.probes import IDENTITY, LBFGS, N_POSITIONS, write_split

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.formulas.expressions import expressions
from think_to_talk.probes import heldout
from think_to_talk.probes.accuracy import NO_PREDICTION
from think_to_talk.probes.fitting import fit_task
from think_to_talk.probes.settings import ProbeSettings

#: Positions at which the states show the operands, the value, nothing, and the same in all rows.
PAIRS, VALUE, NOISE, SAME = range(4)
D = 160
FOLDS = 4
HELDOUT = ("heldout_score", "heldout_ci_low", "heldout_ci_high", "heldout_predictions")
SOLVERS = {
    "lbfgs": LBFGS,
    "sklearn": LBFGS,
    "sgd": {"learning_rate": 0.5, "epochs": 300, "seed": 1},
}


def settings(solver="lbfgs", **changes):
    entry = {"solver": solver, "train_on": "correct", "min_train_rows": 20, "folds": FOLDS}
    return ProbeSettings.from_config({**entry, **SOLVERS[solver], **changes})


def problems(n, seed):
    """Rows of two variables: A with an operator, B a number."""
    drawn = random.Random(seed)
    rows = []
    while len(rows) < n:
        a, b, number, sign = *(drawn.randrange(10) for _ in range(3)), drawn.choice("+-")
        value = a + b if sign == "+" else a - b
        if 0 <= value <= 9:
            source = f"a = {a} {sign} {b} , b = {number} ; b =?"
            questions, answers = ["a =", "b ="], [value, number]
            rows.append(
                {
                    "source": source,
                    "intermediate_questions": questions,
                    "intermediate_answers": answers,
                }
            )
    return rows


def states(rows, seed):
    """Hidden states [rows, positions, D] of which each position shows something else."""
    generator = torch.Generator().manual_seed(0)
    codes = {text: torch.randn(D, generator=generator) for text in ALL_PAIRS}
    values = torch.randn(10, D, generator=generator)
    noise = torch.Generator().manual_seed(seed)
    hidden = 0.1 * torch.randn(1000, N_POSITIONS, D, generator=noise)[: len(rows)]
    hidden[:, PAIRS] += torch.stack([codes[row["source"].split(" ,")[0]] for row in rows])
    hidden[:, VALUE] += values[[row["intermediate_answers"][0] for row in rows]]
    hidden[:, SAME] = torch.linspace(-1, 1, D)
    return hidden


ALL_PAIRS = [f"a = {a} {sign} {b}" for a in range(10) for sign in "+-" for b in range(10)]


def run(folder, probe_settings, *, n=800, train_rows=None, labels="answers", **train_options):
    """Fit a task; rows by (position, variable), all rows as written, and the weights' path."""
    train = problems(n, 0) if train_rows is None else train_rows
    test = problems(300, 1)
    length = torch.full((len(test),), N_POSITIONS)
    length[:50] = VALUE + 1
    splits = [
        write_split(folder, "probing_train", train, {2: states(train, 2)}, **train_options),
        write_split(folder, "test", test, {2: states(test, 3)}, length=length),
    ]
    paths, datasets = zip(*splits, strict=True)
    outputs = folder / "rows.jsonl", folder / "weights.safetensors"
    fit_task(*paths, *datasets, probe_settings, IDENTITY, *outputs, labels=labels)
    written = read_jsonl(outputs[0])
    return {(r["position"], r["variable"]): r for r in written}, written, outputs[1]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    return run(tmp_path_factory.mktemp("heldout"), settings())


@pytest.fixture(scope="module", params=SOLVERS)
def of_solver(request, fitted, tmp_path_factory):
    if request.param == "lbfgs":
        return fitted
    return run(tmp_path_factory.mktemp(request.param), settings(request.param))


def test_memorised_operands_are_told_from_the_value(of_solver):
    rows, _, _ = of_solver
    assert rows[PAIRS, 0]["score"] > 0.98
    assert rows[PAIRS, 0]["heldout_score"] < 0.3
    assert rows[VALUE, 0]["score"] > 0.98
    assert rows[VALUE, 0]["heldout_score"] > 0.98
    assert rows[NOISE, 0]["heldout_score"] < 0.3


def test_a_variable_without_an_operator_has_no_held_out_score(fitted):
    rows, _, path = fitted
    for position in range(N_POSITIONS):
        assert rows[position, 1]["score"] is not None
        assert [rows[position, 1][key] for key in HELDOUT] == [None] * 4
    assert load_file(path)["layer.2.heldout.weight"][:, :, 1].isnan().all()


def parts_of(path, rows):
    """The fold of each row's expression for the variable A, from the weights' metadata."""
    with safe_open(path, "pt") as stored:
        parts = json.loads(stored.metadata()["heldout_parts"])
    assert parts[1] is None
    return torch.tensor([parts[0][expressions(row)[0].text] for row in rows])


def test_a_score_is_the_share_of_all_test_rows_with_its_interval(fitted):
    row = fitted[0][PAIRS, 0]
    hits = sum(p == a for p, a in zip(row["heldout_predictions"], row["answer"], strict=True))
    assert row["heldout_score"] == hits / 300
    assert row["heldout_ci_low"] <= row["heldout_score"] <= row["heldout_ci_high"]


def test_a_test_row_that_is_too_short_counts_as_wrong(fitted):
    for position in range(N_POSITIONS):
        predictions = fitted[0][position, 0]["heldout_predictions"]
        ended = [i < 50 and position > VALUE for i in range(300)]
        assert [p == NO_PREDICTION for p in predictions] == ended


def test_stored_weights_and_parts_reproduce_the_predictions(of_solver):
    rows, _, path = of_solver
    test = problems(300, 1)
    parts, weights = parts_of(path, test), load_file(path)
    hidden = states(test, 3)
    for position in (PAIRS, VALUE, NOISE):
        weight, bias = (weights[f"layer.2.heldout.{name}"] for name in ("weight", "bias"))
        assert weight.shape == (FOLDS, N_POSITIONS, 2, 10, D)
        logits = torch.einsum("nkd,nd->nk", weight[parts, position, 0], hidden[:, position])
        predicted = (logits + bias[parts, position, 0]).argmax(dim=1)
        written = torch.tensor(rows[position, 0]["heldout_predictions"])
        same = (predicted == written)[written != NO_PREDICTION]
        assert same.float().mean() > 0.99


@pytest.fixture(scope="module")
def fitted_exactly(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heldout, "TOLERANCE_RATIO", 1)
        return run(tmp_path_factory.mktemp("exact"), settings(tolerance=1e-4))


@pytest.mark.parametrize("position", [PAIRS, VALUE, NOISE])
def test_the_predictions_are_those_of_a_loop_that_leaves_rows_out(fitted_exactly, position):
    """scikit-learn on the rows of the other folds only, standardised over all rows."""
    rows, _, path = fitted_exactly
    train, test = problems(800, 0), problems(300, 1)
    x, unseen = (states(*split)[:, position].double() for split in ((train, 2), (test, 3)))
    mean, std = x.mean(dim=0), x.std(dim=0, correction=0)
    x, unseen = (x - mean) / std, (unseen - mean) / std
    digits = torch.tensor([row["intermediate_answers"][0] for row in train])
    train_parts, test_parts = parts_of(path, train), parts_of(path, test)
    predicted = torch.zeros(300, dtype=torch.long)
    for fold in range(FOLDS):
        kept, own = train_parts != fold, test_parts == fold
        inverse_penalty = 1 / (LBFGS["penalty"] * int(kept.sum()))
        model = LogisticRegression(C=inverse_penalty, tol=1e-7, max_iter=5000)
        model.fit(x[kept].numpy(), digits[kept].numpy())
        predicted[own] = torch.from_numpy(model.predict(unseen[own].numpy()))
    written = torch.tensor(rows[position, 0]["heldout_predictions"])
    reached = written != NO_PREDICTION
    assert (predicted == written)[reached].float().mean() > 0.97


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_plain_probes_are_the_same_to_the_bit_without_folds(tmp_path, solver):
    found = []
    for folds in (0, FOLDS):
        _, written, path = run(tmp_path, settings(solver, folds=folds), n=200)
        stored = {name: t for name, t in load_file(path).items() if "heldout" not in name}
        found.append((written, {name: t.numpy().tobytes() for name, t in stored.items()}))
    (without, plain), (with_folds, same) = found
    assert plain == same
    assert {row[key] for row in without for key in HELDOUT} == {None}
    for row in (*without, *with_folds):
        for key in HELDOUT:
            del row[key]
    assert without == with_folds


def test_without_folds_no_held_out_weights_are_stored(tmp_path):
    _, _, path = run(tmp_path, settings(folds=0), n=100)
    assert set(load_file(path)) == {"layer.2.weight", "layer.2.bias"}
    with safe_open(path, "pt") as stored:
        assert "heldout_parts" not in stored.metadata()


def test_control_labels_have_no_held_out_probes(tmp_path):
    _, written, path = run(tmp_path, settings(), n=300, labels="control")
    assert {row[key] for row in written for key in HELDOUT} == {None}
    assert set(load_file(path)) == {"layer.2.weight", "layer.2.bias"}


def test_a_fold_with_too_few_rows_gives_null_and_a_warning(tmp_path):
    message = "without the expressions of one of 4 folds .* variable A has fewer than 90 rows"
    with pytest.warns(UserWarning, match=message):
        rows, _, path = run(tmp_path, settings(min_train_rows=90), n=100)
    assert rows[VALUE, 0]["score"] is not None
    assert {row[key] for row in rows.values() for key in HELDOUT} == {None}
    assert load_file(path)["layer.2.heldout.bias"].isnan().all()


def test_a_fold_without_which_one_value_is_left_gives_null(tmp_path):
    """Two expressions with a value each, in different folds."""
    train = [
        row for row in problems(2000, 0) if row["source"].startswith(("a = 9 - 0", "a = 1 + 1"))
    ]
    with pytest.warns(UserWarning, match="or a single label"):
        rows, _, _ = run(tmp_path, settings(), train_rows=train)
    assert rows[VALUE, 0]["score"] is not None
    assert rows[VALUE, 0]["heldout_score"] is None


def test_the_rows_that_a_position_reaches_decide(tmp_path):
    """Only 25 rows reach the later positions, and 20 are needed without any of the folds."""
    length = torch.full((800,), VALUE + 1)
    length[:25] = N_POSITIONS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows, _, _ = run(tmp_path, settings(), length=length)
    assert rows[VALUE, 0]["heldout_score"] is not None
    assert rows[NOISE, 0]["score"] is not None
    assert rows[NOISE, 0]["heldout_score"] is None


def test_wrong_rows_are_left_out_as_of_the_plain_probes(tmp_path, fitted):
    train = problems(900, 0)
    correct = torch.ones(900, dtype=torch.uint8)
    correct[800:] = 0
    rows, _, _ = run(tmp_path, settings(), train_rows=train, correct=correct)
    for key in HELDOUT:
        assert rows[PAIRS, 0][key] == fitted[0][PAIRS, 0][key]


def test_unreadable_expressions_give_null_and_one_warning(tmp_path):
    train = problems(200, 0)
    train[7]["source"] = "a = 1 + 2 , a = 2 + 1 , b = 3 ; b =?"
    with pytest.warns(UserWarning, match="variable A") as caught:
        rows, _, _ = run(tmp_path, settings(), train_rows=train)
    assert [str(warning.message) for warning in caught] == [
        "m on t (seed 1): the expression of variable A cannot be read from every row's source "
        "(expected one equation such as 'b = 1 + a'); its held-out scores are null"
    ]
    assert rows[VALUE, 0]["score"] is not None
    assert {row[key] for row in rows.values() for key in HELDOUT} == {None}


def test_equal_states_have_held_out_probes_too(fitted):
    """Merged into one row; a majority of the values that are left."""
    row = fitted[0][SAME, 0]
    assert row["score"] is not None
    assert row["heldout_score"] is not None

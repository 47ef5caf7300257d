"""Probe weights read from Python: applied to stored hidden states they give the stored rows."""

import shutil

import pytest
import torch

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.formulas.expressions import expressions
from think_to_talk.reading.hidden_states import read_hidden_states
from think_to_talk.reading.probe_weights import read_probe_weights


@pytest.fixture(scope="module", params=[0, 2])
def layer(request):
    return request.param


def applied(hidden, weight, bias):
    """The digits [rows, positions, variables] that probes say; -1 where a row has no position."""
    digits = (torch.einsum("rph,pvdh->rpvd", hidden.states, weight) + bias).argmax(dim=-1)
    beyond = torch.arange(digits.shape[1]) >= hidden.length[:, None]
    digits[beyond] = -1
    return digits


def test_they_give_the_stored_predictions_and_accuracies(results, layer):
    hidden = read_hidden_states(results, "m", 42, "level-1", layer)
    probe = read_probe_weights(results, "m", 42, "level-1", layer)
    digits = applied(hidden, probe.weight, probe.bias)
    right = (digits == hidden.labels[:, None]).double().mean(dim=0)
    assert probe.variables == hidden.variables
    assert len(probe.rows) == right.numel()
    for row in probe.rows.to_dict("records"):
        place = row["position"], row["variable"]
        assert right[place].item() == pytest.approx(row["score"])
        assert digits[:, *place].tolist() == row["predictions"]


def test_the_held_out_probe_of_a_row_s_fold_gives_its_held_out_prediction(results, layer):
    hidden = read_hidden_states(results, "m", 42, "level-1", layer)
    probe = read_probe_weights(results, "m", 42, "level-1", layer)
    assert probe.heldout_weight.shape == (2, *probe.weight.shape)
    assert probe.heldout_parts[0] is None
    variable = 1
    scored = probe.rows.query(f"variable == {variable}").dropna(subset="heldout_predictions")
    # Behind it, too few rows go on.
    position = int(scored["position"].max())
    problems = read_jsonl(results / "formulas/seed-42/level-1/test.jsonl")
    [stored] = probe.rows.query(f"position == {position} and variable == {variable}").to_dict(
        "records"
    )
    folds = [probe.heldout_parts[variable][expressions(row)[variable].text] for row in problems]
    assert set(folds) == {0, 1}
    by_fold = [
        applied(hidden, probe.heldout_weight[fold], probe.heldout_bias[fold]) for fold in (0, 1)
    ]
    found = [by_fold[fold][i, position, variable].item() for i, fold in enumerate(folds)]
    assert found == stored["heldout_predictions"]


def refusal(*arguments, **chosen):
    with pytest.raises(InputError) as error:
        read_probe_weights(*arguments, **chosen)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_not_there_is_one_line_that_says_what_there_is(results, tmp_path):
    path = results / "m/seed-42/probes/level-1.safetensors"
    assert refusal(results, "m", 42, "level-1", 1) == f"{path}: no layer 1; there are 0, 2"
    assert "there are model m, seed 42, task level-1" in refusal(results, "n", 42, "level-1", 2)
    said = refusal(results, "m", 42, "level-1", 2, probes="control_probes")
    assert "no control_probes of model m, seed 42, task level-1; there are none" in said
    copy = shutil.copytree(results, tmp_path / "results")
    (copy / "m/seed-42/probes/level-1.safetensors").unlink()
    assert "published probe rows come without weights" in refusal(copy, "m", 42, "level-1", 2)

"""Transfer in a whole small study: a probe on its own states scores what it scored there."""

import pytest
import torch

from think_to_talk.files.jsonl import read_jsonl, read_probe_rows
from think_to_talk.reading.hidden_states import read_hidden_states
from think_to_talk.reading.probe_weights import read_probe_weights


def transferred(study, model, name):
    return read_jsonl(study.folder / f"results/{model}/seed-1/transfer/{name}.jsonl")


@pytest.mark.parametrize("model", ["tiny", "local"])
def test_on_its_own_symbol_a_probe_scores_what_its_own_rows_say(switched_on, model):
    probes = read_probe_rows(switched_on.folder / f"results/{model}/seed-1/probes/level-1.jsonl")
    own = {
        (row["layer"], row["symbol_index"], row["variable"]): row["score"]
        for row in probes
        if row["symbol_index"] is not None
    }
    rows = transferred(switched_on, model, "within")
    assert len(rows) == len(own)
    for row in rows:
        at = row["test_symbol_index"].index(row["symbol_index"])
        score = own[row["layer"], row["symbol_index"], row["variable"]]
        assert row["hits"][at] / row["n_test"] == pytest.approx(score) == row["own_score"]


def test_elsewhere_it_scores_what_its_stored_weights_say_of_the_stored_states(switched_on):
    """Computed anew by what users read results with, one probe and state at a time."""
    results, tested = switched_on.folder / "results", ("local", 1, "level-1")
    rows = transferred(switched_on, "local", "swapped")
    assert {(row["variable"], row["test_variable"]) for row in rows} == {(0, 1), (1, 0)}
    counted = set()
    for row in rows[::29]:
        weights = read_probe_weights(results, "local", 1, "existing", row["layer"])
        states = read_hidden_states(results, *tested, row["layer"])
        here = weights.rows[weights.rows["symbol_index"] == row["symbol_index"]]
        position = int(here["position"].iloc[0])
        weight = weights.weight[position, row["variable"]]
        bias = weights.bias[position, row["variable"]]
        completing = states.positions.dropna(subset="symbol_index")
        assert row["test_symbol"] == completing["symbol"].tolist()
        for hits, at in zip(row["hits"][::7], completing["position"].tolist()[::7], strict=True):
            said = (states.states[:, at].float() @ weight.T + bias).argmax(dim=1)
            right = (said == states.labels[:, row["test_variable"]]) & (states.length > at)
            assert int(right.sum()) == hits
            counted.add(hits)
        values = torch.bincount(states.labels[:, row["test_variable"]])
        assert row["chance"] == pytest.approx(int(values.max()) / len(states.labels))
    assert len(counted) > 5


def test_table_and_figures_are_there_for_the_models_that_study_both_tasks(switched_on):
    table = read_jsonl(switched_on.folder / "results/summary/transfer.jsonl")
    whose = {(row["model"], row["transfer"]) for row in table}
    assert whose == {("tiny", "within"), ("local", "within"), ("local", "swapped")}
    parts = {(row["trained_in"], row["tested_in"]) for row in table}
    assert len(parts) == 4
    for model, name in whose:
        for kind in ("png", "svg"):
            figure = f"results/summary/figures/{model}/seed-1/transfer/{name}.{kind}"
            assert (switched_on.folder / figure).stat().st_size > 5000

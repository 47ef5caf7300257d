"""Which transfers a study has, and what is wrong with others."""

import copy

import pytest

from think_to_talk.errors import InputError
from think_to_talk.study.needs import plan_study

OTHER = {"kind": "train", "tasks": ["level-1"], "training": {"tasks": ["level-1"]}}


def planned(raw_config, schema, transfer, **models):
    raw = copy.deepcopy(raw_config) | {"transfer": transfer, "forced_answers": False}
    raw["models"] |= models
    return plan_study(raw, schema, None)


def test_each_model_that_is_studied_on_both_tasks_has_a_result(raw_config, schema):
    transfer = {
        "a": {"train": "level-2", "test": "level-3"},
        "b": {"train": "level-1", "test": "level-1"},
        "c": {"train": "level-3", "test": "level-1", "train_model": "tiny"},
    }
    study, needs = planned(raw_config, schema, transfer, other=OTHER)
    assert [(row["model"], row["transfer"]) for row in study.transfer_results()] == [
        *(("tiny", name) for name in "abc"),
        *(("other", name) for name in "bc"),
    ]
    assert study.transfers["c"].whose("trained", "other") == {"model": "tiny", "task": "level-3"}
    assert study.transfers["c"].whose("tested", "other") == {"model": "other", "task": "level-1"}
    assert 2e9 < needs.transfers.n_bytes("tiny", "a") < 3e9
    assert 1 <= needs.transfers.minutes("tiny", "a") < 60


def test_variables_are_those_of_the_same_name_or_as_the_map_says(raw_config, schema):
    mapped = {"train": "level-3", "test": "level-5", "symbol_map": {"A": "C", "B": "A"}}
    same = {"train": "level-2", "test": "level-3"}
    study, _ = planned(raw_config, schema, {"mapped": mapped, "same": same})
    assert study.transferred_variables("mapped") == {0: 2, 1: 0}
    assert study.transferred_variables("same") == {0: 0, 1: 1}


def test_an_untrained_copy_has_none(raw_config, schema):
    raw = copy.deepcopy(raw_config)
    raw["controls"]["untrained"] = True
    study, _ = planned(raw, schema, {"a": {"train": "level-2", "test": "level-3"}})
    assert {row["model"] for row in study.transfer_results()} == {"tiny"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"train": "level-9"}, "transfer.t.train: unknown task 'level-9'; did you mean 'level-"),
        ({"test": "level-9"}, "transfer.t.test: unknown task 'level-9'"),
        ({"train_model": "tinny"}, "t.train_model: unknown model 'tinny'; did you mean 'tiny'?"),
        (
            {"train_model": "other"},
            "transfer.t: no model has level-3 among its tasks while other has level-2",
        ),
        ({"test": "level-5"}, "level-2 has 2 variables, level-5 3; set symbol_map"),
        (
            {"symbol_map": {"A": "C"}},
            "t.symbol_map: level-3 has no variable C; expected some of A, B",
        ),
        ({"symbol_map": {"D": "A"}}, "t.symbol_map: level-2 has no variable D"),
        ({"symbol_map": {"v0": "A"}}, "transfer.t.symbol_map: 'v0' does not match"),
        ({"symbols": {"A": "A"}}, "transfer.t.symbols: unknown key; did you mean 'symbol_map'?"),
    ],
)
def test_a_mistake_is_one_clear_line(raw_config, schema, entry, message):
    transfer = {"t": {"train": "level-2", "test": "level-3", **entry}}
    with pytest.raises(InputError) as refused:
        planned(raw_config, schema, transfer, other=OTHER)
    assert message in str(refused.value)


def test_tasks_without_a_common_value_are_refused(raw_config, schema):
    """No probe could be right: accuracies of 0 would look like a result."""
    off = {"logit_lens": False, "interventions": {"patching": False, "inconsistent_chains": False}}
    raw = copy.deepcopy(raw_config) | off
    larger = raw["tasks"]["level-1"] | {"values": [10, 29], "edits": {}}
    raw["tasks"]["larger"] = larger
    with pytest.raises(InputError) as refused:
        planned(raw, schema, {"t": {"train": "level-1", "test": "larger"}})
    assert str(refused.value).endswith(
        "transfer.t: level-1 has values from 0 to 9, larger from 10 to 29: no probe of one can be "
        "right about the other; choose tasks whose values overlap"
    )
    raw["tasks"]["larger"] = larger | {"values": [9, 29]}
    planned(raw, schema, {"t": {"train": "larger", "test": "level-1"}})

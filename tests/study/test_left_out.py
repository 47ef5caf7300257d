"""Tasks that a stage cannot read are left out of it, with a line, and of no other stage."""

import copy

import pytest
from support.configs import HUB_MODEL
from support.wordings import APPLES, NAMES

from think_to_talk.study.cost import cost_page
from think_to_talk.study.needs import plan_study

EQUATIONS = {"equations": ["v0 = num", "v1 = v0 ± num"], "order": "reversed"}
APPLE_TASK = {**EQUATIONS, "names": [*NAMES, "Frank", "Grace"], "wording": APPLES}
LARGE = {**EQUATIONS, "values": [0, 40]}
DEFAULTS = [f"level-{i}" for i in range(1, 6)]


@pytest.fixture
def raw(raw_config):
    """The default study, as it is written, without what has no reasons yet to leave a task out."""
    config = copy.deepcopy(raw_config)
    config["interventions"] = {}
    return config | {"steering": {"enabled": True}}


def planned(raw, schema, **tasks):
    raw["tasks"] |= copy.deepcopy(tasks)
    raw["models"]["tiny"]["training"]["tasks"] += list(tasks)
    return plan_study(raw, schema)


def test_nothing_is_left_out_of_the_default_study(raw, schema):
    study, needs = plan_study(raw, schema)
    assert needs.warnings == []
    for tasks in (study.lens_tasks, study.forced_tasks, study.steered_tasks):
        assert tasks("tiny") == DEFAULTS
    assert "Left out" not in cost_page(study, needs)


def test_a_worded_task_beside_the_default_levels_is_left_out_of_forced_answers(raw, schema):
    study, needs = planned(raw, schema, apples=APPLE_TASK)
    assert study.forced_tasks("tiny") == DEFAULTS
    assert study.lens_tasks("tiny") == study.steered_tasks("tiny") == [*DEFAULTS, "apples"]
    line = (
        "forced_answers leaves out tasks.apples of models.tiny: it cuts chains of thought, and the "
        "wording does not say how these answer (wording.cut)"
    )
    assert needs.warnings == [line]
    assert f"## Left out\n\n- {line}\n\n## Assumptions" in cost_page(study, needs)


def test_a_wording_that_says_how_cut_chains_answer_is_left_out_of_nothing(raw, schema):
    task = {**APPLE_TASK, "wording": {**APPLES, "cut": "So {x} has {value} apples"}}
    study, needs = planned(raw, schema, apples=task)
    assert study.forced_tasks("tiny") == [*DEFAULTS, "apples"]
    assert needs.warnings == []


def test_numbers_of_several_tokens_are_left_out_of_nothing(raw, schema):
    raw["models"]["far"] = copy.deepcopy(HUB_MODEL)
    study, needs = planned(raw, schema, large=LARGE)
    for model in ("tiny", "far"):
        for tasks in (study.lens_tasks, study.forced_tasks, study.steered_tasks):
            assert tasks(model) == [*DEFAULTS, "large"]
    assert not [line for line in needs.warnings if "leaves out" in line]


def test_models_that_leave_out_one_task_share_a_line(raw, schema):
    raw["models"]["other"] = copy.deepcopy(raw["models"]["tiny"])
    raw["models"]["small"] = {**copy.deepcopy(HUB_MODEL), "tasks": ["level-1"]}
    _, needs = planned(raw, schema, apples=APPLE_TASK)
    (line,) = needs.warnings
    assert line.startswith("forced_answers leaves out tasks.apples of models.tiny, models.other: ")


def test_values_too_many_to_count_are_left_out_of_steering_alone(raw, schema):
    equations = ["v0 = num ± num", "v1 = num ± num", "v2 = num ± v1"]
    raw["models"] = {"far": {**copy.deepcopy(HUB_MODEL), "tasks": ["level-1", "many"]}}
    raw["tasks"]["many"] = {"equations": equations, "order": "reversed", "values": [0, 99]}
    study, needs = plan_study(raw, schema)
    assert study.lens_tasks("far") == ["level-1", "many"]
    assert study.steered_tasks("far") == ["level-1"]
    assert any(
        line.startswith("steering leaves out tasks.many of models.far: it begins where the text ")
        for line in needs.warnings
    )


def test_a_stage_that_can_read_no_task_says_that_it_does_nothing(raw, schema):
    raw["tasks"] = {"apples": APPLE_TASK}
    raw["splits"] = {"train": 10, "valid": 10, "test": 20, "probing_train": 40}
    raw["models"]["tiny"]["training"] |= {"tasks": ["apples"], "cut": 0}
    study, needs = plan_study(raw, schema)
    assert study.forced_tasks("tiny") == []
    (line,) = needs.warnings
    assert line.endswith("(wording.cut); it has no other task, and does nothing")


def test_a_stage_that_is_off_says_nothing(raw, schema):
    raw |= {"forced_answers": False, "logit_lens": False, "steering": {"enabled": False}}
    _, needs = planned(raw, schema, apples=APPLE_TASK, large=LARGE)
    assert needs.warnings == []

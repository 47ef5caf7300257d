"""The cost estimate: sums over models and seeds, and what its page says of disk and devices."""

import copy

import pytest
from support.configs import HUB_MODEL

from think_to_talk.study.configuration import complete
from think_to_talk.study.cost import cost_page, model_cost
from think_to_talk.study.needs import Needs
from think_to_talk.study.plan import STUDIED_SPLITS, StudyPlan
from think_to_talk.study.work import loading_seconds

HUB = {**HUB_MODEL, "tasks": ["level-1"]}


def planned(raw_config, schema, **changes):
    """The plan and needs of the default study with one task, without later stages, and changes."""
    raw = copy.deepcopy(raw_config)
    raw["tasks"] = {"level-1": raw["tasks"]["level-1"]}
    raw |= {"interventions": {}, "logit_lens": False, "forced_answers": False}
    raw["models"]["tiny"].pop("tasks", None)
    raw["models"]["tiny"]["training"]["tasks"] = ["level-1"]
    raw |= changes
    study = StudyPlan(complete(raw, schema))
    return study, Needs(study)


def test_a_model_costs_the_sum_of_its_jobs_times_the_seeds(raw_config, schema):
    study, needs = planned(raw_config, schema, seeds=[1, 2, 3])
    cost = model_cost(study, needs, "tiny")
    work = [needs.work("tiny", task, rows) for task, rows in study.shard_jobs("tiny")]
    assert cost.shards == 3 * len(work)
    assert cost.passes == (
        3 * sum(part.best_passes for part in work),
        3 * sum(part.worst_passes for part in work),
    )
    loading = len(work) * loading_seconds(needs.placement("tiny"))
    assert cost.hours[0] == pytest.approx(
        3 * (loading + sum(part.best_seconds for part in work)) / 3600
    )
    assert cost.hours[0] < cost.hours[1]
    rows = sum(study.n_rows("level-1", split) for split in STUDIED_SPLITS)
    assert cost.hidden == 3 * cost.largest == 3 * needs.hidden_state_bytes("tiny", "level-1", rows)
    assert cost.weights == 3 * needs.probe_weight_bytes("tiny", "level-1")


def test_hours_are_those_of_all_gpus_of_a_job(raw_config, schema):
    hours = []
    for n_gpus in (1, 2):
        models = {"far": {**HUB, "gpus_per_job": n_gpus, "batch_size": 8}}
        study, needs = planned(raw_config, schema, models=models)
        hours.append(model_cost(study, needs, "far").hours[0])
    assert hours[1] == pytest.approx(2 * hours[0], rel=1e-3)
    assert "| 2 × a100 40 GB " in cost_page(study, needs)


def test_the_page_names_the_devices_and_what_is_deleted(raw_config, schema):
    kept = cost_page(*planned(raw_config, schema, keep_hidden_states=True))
    assert "| CPU " in kept
    assert "GFLOPS" in kept
    assert "TFLOPS" not in kept
    assert "Hidden states are kept" in kept
    on_gpu = planned(raw_config, schema, models={"far": HUB}, keep_hidden_states=False)
    deleted = cost_page(*on_gpu)
    assert "| a100 40 GB " in deleted
    assert "a100 40 GB: 312 TFLOPS" in deleted
    assert "GFLOPS" not in deleted
    assert "Hidden states are deleted task by task, each as soon as its probes are done" in deleted


def test_the_logit_lens_is_among_the_jobs_that_run_the_model(raw_config, schema):
    without = model_cost(*planned(raw_config, schema), "tiny")
    study, needs = planned(raw_config, schema, logit_lens=True)
    cost, work = model_cost(study, needs, "tiny"), needs.later.lens("tiny", "level-1")
    assert cost.jobs == without.jobs + 2
    assert cost.passes[0] == without.passes[0] + work.best_passes
    loading = loading_seconds(needs.placement("tiny"))
    for best_or_worst, seconds in enumerate((work.best_seconds, work.worst_seconds)):
        added = cost.hours[best_or_worst] - without.hours[best_or_worst]
        assert added == pytest.approx((loading + seconds) / 3600)
    assert "as soon as its probes and logit lens are done" in cost_page(study, needs)


def test_steering_is_among_the_jobs_that_run_the_model(raw_config, schema):
    """Both variables of level 1, at most at one place of each of its eight equations."""
    without = model_cost(*planned(raw_config, schema), "tiny")
    steering = {"enabled": True, "problems": 10, "factors": [1, 2, 4], "controls": 3}
    study, needs = planned(raw_config, schema, steering=steering)
    cost = model_cost(study, needs, "tiny")
    work = needs.work("tiny", "level-1", 10 * 2 * 8 * 3 * 4)
    # Its rows and their figure.
    assert cost.jobs == without.jobs + 2
    assert cost.passes[1] == without.passes[1] + work.worst_passes
    assert study.steered_tasks("tiny") == ["level-1"]


def test_untrained_copies_are_left_out_by_the_logit_lens(raw_config, schema):
    controls = {"untrained": True}
    study, _ = planned(raw_config, schema, logit_lens=True, controls=controls)
    assert study.lens_tasks("tiny") == ["level-1"]
    assert study.lens_tasks("tiny.untrained") == []


def test_probes_on_patched_runs_are_among_the_jobs_that_run_the_model(raw_config, schema):
    of_patching = {**raw_config["interventions"], "probes": False}
    without = model_cost(*planned(raw_config, schema, interventions=of_patching), "tiny")
    study, needs = planned(raw_config, schema, interventions={**of_patching, "probes": True})
    cost, work = model_cost(study, needs, "tiny"), needs.later.patched_probes("tiny", "level-1")
    assert study.patched_probe_tasks("tiny") == study.patched_tasks("tiny") == ["level-1"]
    # A job per task, and a figure.
    assert cost.jobs == without.jobs + 2
    assert cost.passes[0] == without.passes[0] + work.best_passes
    loading = loading_seconds(needs.placement("tiny"))
    added = cost.hours[0] - without.hours[0]
    assert added == pytest.approx((loading + work.best_seconds) / 3600)
    # Both runs, five directed specs, and one of the config's.
    specs = {"mine": {"span": {"equations": [0, 0]}}}
    changed = {**of_patching, "probes": True, "specs": specs}
    _, more = planned(raw_config, schema, interventions=changed)
    assert more.later.patched_probes("tiny", "level-1").flops == pytest.approx(work.flops * 8 / 7)


@pytest.mark.parametrize("change", [{"patching": False}, {"probes": False}])
def test_probes_are_applied_to_patched_runs_only_if_there_are_some(raw_config, schema, change):
    interventions = {**raw_config["interventions"], "probes": True, **change}
    study, _ = planned(raw_config, schema, interventions=interventions)
    assert study.patched_probe_tasks("tiny") == []

"""What a study makes if it switches on what it leaves off.

The logit lens, forced answers and steering, and tasks whose chains are cut or left out.
"""

import json
import re

import pytest
import yaml
from jsonschema import Draft202012Validator
from support.repository import REPOSITORY

from think_to_talk.files.jsonl import read_jsonl

#: {schema of a row: the files that hold such rows}.
JSONL = {
    "logit_lens_row": "results/*/seed-*/logit_lens/*.jsonl",
    "forced_answer_row": "results/*/seed-*/forced_answers/*.jsonl",
    "said_row": "results/summary/forced_answers.jsonl",
    "free_writing_row": "results/*/seed-*/free_writing/*.jsonl",
    "steering_row": "results/*/seed-*/steering/*.jsonl",
    "steered_row": "results/summary/steering.jsonl",
    "probe_row": "results/local/seed-1/probes/*.jsonl",
    "timing_row": "results/summary/timing.jsonl",
    "clock_row": "results/summary/clocks.jsonl",
    "patched_probe_row": "results/*/seed-*/patched_probes/*.jsonl",
    "patched_probes_row": "results/summary/patched_probes.jsonl",
    "patching_row": "results/local/seed-1/patching/*.jsonl",
    "intervention_row": "results/summary/interventions.jsonl",
    "transfer_row": "results/*/seed-*/transfer/*.jsonl",
    "transferred_row": "results/summary/transfer.jsonl",
}
TASKS = {"tiny": ["level-1"], "local": ["answer", "cut", "existing", "general", "level-1"]}
#: Of these, the tasks of a template with full chains.
STEERED = {"tiny": ["level-1"], "local": ["general", "level-1"]}
#: Those whose problems are edited.
PATCHED = {"tiny": ["level-1"], "local": ["answer", "cut", "level-1"]}
#: {task: (its chains as regular expression, the places where they can be cut)}.
CHAINS = {
    "answer": (r" . = \d\n", [0]),
    "cut": (r" . = \d [+-] . , . = \d [+-] \d ; . = \d\n", [0, 1, 2]),
}


@pytest.mark.parametrize("name", JSONL)
def test_rows_fit_their_schema(switched_on, name):
    schema = yaml.safe_load((REPOSITORY / f"schemas/{name}.schema.yaml").read_text())
    files = sorted(switched_on.folder.glob(JSONL[name]))
    assert files
    for file in files:
        for line in file.read_text().splitlines():
            Draft202012Validator(schema).validate(json.loads(line))


@pytest.mark.parametrize(
    ("rule", "tasks"),
    [
        *(("logit_lens", TASKS), ("forced_answers", TASKS)),
        *(("free_writing", PATCHED), ("steering", STEERED)),
    ],
)
@pytest.mark.parametrize("model", TASKS)
def test_each_task_has_rows_a_log_and_a_part_of_the_figure(switched_on, rule, tasks, model):
    results = switched_on.folder / "results"
    files = (results / f"{model}/seed-1/{rule}").glob("*.jsonl")
    assert sorted(file.stem for file in files) == tasks[model]
    for task in tasks[model]:
        log = (results / f"logs/{rule}/{model}/seed-1/{task}.log").read_text()
        # No model here solves a row, which it could be steered on.
        assert ("0rows" if rule == "steering" else "100%") in log
    for kind in ("png", "svg"):
        figure = results / f"summary/figures/{model}/seed-1/{rule}.{kind}"
        assert figure.stat().st_size > 5000


def test_the_table_of_forced_answers_has_a_row_per_model_and_task(switched_on):
    rows = [
        json.loads(line)
        for line in (switched_on.folder / JSONL["said_row"]).read_text().splitlines()
    ]
    found = {(row["model"], row["task"]) for row in rows}
    assert found == {(model, task) for model, tasks in TASKS.items() for task in tasks}


def test_the_table_of_steering_has_a_row_per_variable_that_can_be_steered(switched_on):
    rows = read_jsonl(switched_on.folder / JSONL["steered_row"])
    found = {(row["model"], row["task"], row["variable"]) for row in rows}
    assert found == {
        *((model, "level-1", variable) for model in STEERED for variable in (0, 1)),
        *(("local", "general", variable) for variable in (1, 2)),
    }


@pytest.mark.parametrize(("model", "tasks"), PATCHED.items())
def test_probes_of_each_patched_task_are_applied_to_its_patched_runs(switched_on, model, tasks):
    results = switched_on.folder / "results"
    files = (results / f"{model}/seed-1/patched_probes").glob("*.jsonl")
    assert sorted(file.stem for file in files) == tasks
    for task in tasks:
        assert "100%" in (results / f"logs/patched_probes/{model}/seed-1/{task}.log").read_text()
    for kind in ("png", "svg"):
        figure = results / f"summary/figures/{model}/seed-1/patched_probes.{kind}"
        assert figure.stat().st_size > 5000
    for kind in ("csv", "md", "html"):
        assert "variable" in (results / f"summary/patched_probes.{kind}").read_text()


def test_tasks_of_the_config_file_come_before_those_of_an_overlay(switched_on):
    rows = read_jsonl(switched_on.folder / "results/summary/timing.jsonl")
    of_local = dict.fromkeys(row["task"] for row in rows if row["model"] == "local")
    assert next(iter(of_local)) == "level-1"
    assert set(of_local) == set(TASKS["local"])


def test_each_patch_is_also_tried_from_a_random_donor(switched_on):
    table = read_jsonl(switched_on.folder / "results/summary/interventions.jsonl")
    tried = {
        kind: {
            (row["model"], row["task"], row["spec"]) for row in table if row["intervention"] == kind
        }
        for kind in ("patching", "random_donor")
    }
    assert tried["patching"] == tried["random_donor"] != set()


@pytest.mark.parametrize("task", CHAINS)
def test_a_task_with_another_chain_is_studied_like_any_other(switched_on, task):
    chain, cuts = CHAINS[task]
    results = switched_on.folder / "results"
    for split, n in (("test", 40), ("probing_train", 80)):
        rows = read_jsonl(results / f"formulas/seed-1/{task}/{split}.jsonl")
        assert len(rows) == n
        assert all(re.fullmatch(chain, row["target"]) for row in rows)
    n_chain = len(rows[0]["target"].split()) + 1
    probes = read_jsonl(results / f"local/seed-1/probes/{task}.jsonl")
    assert max(row["relative_position"] for row in probes) < 2 * n_chain
    timing = read_jsonl(results / "summary/timing.jsonl")
    assert sum(row["task"] == task for row in timing) == 2
    forced = read_jsonl(results / f"local/seed-1/forced_answers/{task}.jsonl")
    assert [row["cut"] for row in forced] == cuts
    patching = read_jsonl(results / f"local/seed-1/patching/{task}.jsonl")
    assert {row["kind"] for row in patching} == {"sliding", "directed"}
    # No chain states a result that the answer follows from, and no finding is about it.
    assert not (results / f"local/seed-1/inconsistent_chains/{task}.jsonl").exists()
    findings = read_jsonl(results / "summary/findings.jsonl")
    assert {row["finding"] for row in findings if row["task"] == task} == {"chains-correct"}

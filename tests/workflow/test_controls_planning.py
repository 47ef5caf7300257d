"""What switching a control on plans."""

import re

import pytest
from support.configs import ALL_CONTROLS
from support.studies import Study, copied_repository

MINI_TASKS = [("tiny", "level-1"), *(("local", t) for t in ("level-1", "general", "existing"))]


@pytest.mark.parametrize("control", ALL_CONTROLS)
def test_switching_a_control_on_plans_what_it_adds_and_nothing_else(mini, control):
    mini.configure(controls={"thresholds": [], control: ALL_CONTROLS[control]})
    planned = mini.planned()
    tables = {("control_table", f"results/summary/controls/{control}.jsonl")} | {
        ("control", f"results/{model}/controls/{control}.jsonl") for model in ("tiny", "local")
    }
    tables.add(("explorer", "results/summary/explorer.html"))
    if control == "labels":
        assert planned == tables | {
            ("probes", f"results/{model}/seed-1/control_probes/{task}.jsonl")
            for model, task in MINI_TASKS
        }
    elif control == "untrained":
        of_all = ("timing_table", "clocks_table", "findings", "explorer")
        over_all = {job for job in planned if job[0] in of_all}
        added = planned - tables - over_all
        assert tables < planned
        assert all(".untrained/" in output for _, output in added)
        assert len([job for job in added if job[0] == "probes"]) == len(MINI_TASKS)
    else:
        assert planned == tables


def test_the_untrained_copy_of_a_checkpoint_does_not_depend_on_its_weights(mini):
    mini.configure(controls={"untrained": True})
    jobs = mini.snakemake("--dry-run", "--forceall").stdout
    inputs = re.findall(
        r"^rule hidden_states:\n +input: (.*)\n +output: results/local\.untrained/", jobs, re.M
    )
    assert len(inputs) == 7
    for line in inputs:
        assert "checkpoints/gpt2/config.json" in line
        assert "gpt2/model.safetensors" not in line


def test_random_weights_for_several_gpus_are_drawn_in_main_memory(mini):
    """The job asks for as much more as they take; read from a file, they pass through piecewise."""
    mini.configure(controls={"untrained": True}, models__local__device="gpu")
    mini.configure(models__local__gpus_per_job=2)
    jobs = mini.snakemake("--dry-run", "--forceall").stdout
    job = r"wildcards: model=(local[.\w]*),.*\n(?: +priority: 1\n)? +resources: .*gpu=2,"
    asked = set(re.findall(job + r".* mem_mb=(\d+),", jobs))
    assert asked == {("local", "16000"), ("local.untrained", "16001")}


def test_the_plan_has_untrained_copies_also_of_a_model_in_a_package(tmp_path):
    study = Study(copied_repository(tmp_path / "study"), "studies/smollm2.yaml")
    study.configure(controls={"untrained": True})
    study.snakemake("plan")
    page = (study.folder / "results/plan.md").read_text()
    name = "smollm2-135m-instruct"
    assert re.findall(rf"^\| ({name}\S*)", page, re.MULTILINE) == [name, f"{name}.untrained"]

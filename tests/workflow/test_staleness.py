"""What makes an output stale is exactly what it depends on: sets of planned jobs are compared."""

import os
import time

import pytest

TIMING_ON = {"timing", "timing_table", "heatmap", "overview", "explorer"}
PROBES_ON = {"probes", "patching_heatmap", *TIMING_ON}
EFFECTS_ON = {"interventions_overview", "interventions_table"}
PATCHING_ON = {"patching", "patching_heatmap", "explorer", *EFFECTS_ON}
CHAINS_ON = {"inconsistent_chains", *EFFECTS_ON}
#: What shows all models.
TABLES = {"timing_table", "interventions_table", "explorer"}


@pytest.fixture(scope="module")
def every_job(finished_mini):
    return finished_mini.planned("--forceall")


def of_rules(jobs, rules):
    return {job for job in jobs if job[0] in rules}


def of_model(jobs, model, without=()):
    """The jobs of a model, and the tables over all models."""
    return {
        (rule, output)
        for rule, output in jobs
        if (f"/{model}/" in output or rule in TABLES) and not rule.startswith(tuple(without))
    }


def test_after_a_run_there_is_nothing_to_do(finished_mini, every_job):
    assert finished_mini.planned() == set()
    assert len(every_job) > 30


def test_changing_a_model_s_layers_replans_what_follows_from_its_hidden_states(mini, every_job):
    mini.configure(models__local__layers=[0])
    # Interventions take hidden states of their own.
    without = ["tokens", "patching", "inconsistent", "interventions"]
    expected = of_model(every_job, "local", without)
    heatmap = ("patching_heatmap", "results/summary/figures/local/seed-1/patching/level-1.png")
    assert mini.planned() == expected | {heatmap}


def test_changing_a_model_s_shots_replans_all_of_that_model(mini, every_job):
    mini.configure(models__local__shots=1)
    assert mini.planned() == of_model(every_job, "local")


def test_changing_how_a_model_is_trained_replans_all_of_that_model(mini, every_job):
    mini.configure(models__tiny__training__steps=21)
    assert mini.planned() == of_model(every_job, "tiny")


def test_changing_a_checkpoint_on_disk_replans_all_of_that_model(mini, every_job):
    weights = mini.folder / "checkpoints/gpt2/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert mini.planned() == of_model(every_job, "local", without=["tokens"])


def test_adding_a_seed_plans_that_seed_alone(mini, every_job):
    mini.configure(seeds=[1, 2])
    table = of_rules(every_job, TABLES)
    other = {(rule, output.replace("seed-1", "seed-2")) for rule, output in every_job} - table
    assert mini.planned() == other | table


def test_adding_a_level_plans_that_level_alone(mini):
    level = {"equations": ["v0 = num ± num", "v1 = num ± v0"], "order": "in_order"}
    mini.configure(tasks__added=level)
    planned = mini.planned()
    assert {rule for rule, _ in planned} == {
        "formulas",
        "tokens_added",
        "hidden_states",
        "generations",
        "probes",
        "timing",
        "timing_table",
        "heatmap",
        "overview",
        "inconsistent_pairs",
        "explorer",
        *CHAINS_ON,
    }
    for rule, output in planned - of_rules(planned, {*TABLES, "overview", *EFFECTS_ON}):
        assert "/added" in output, rule
    # The trained model names its tasks, and is not concerned.
    assert not any("tiny" in output for _, output in planned)


def test_adding_a_model_plans_that_model_alone(mini):
    mini.configure(models__another={"kind": "local", "path": "checkpoints/gpt2"})
    planned = mini.planned()
    assert len(planned) > 15
    for rule, output in planned:
        assert "/another/" in output or rule in TABLES


def test_changing_the_penalty_replans_the_probes_and_what_follows(mini, every_job):
    mini.configure(probes__penalty=0.01)
    assert mini.planned() == of_rules(every_job, PROBES_ON)


def test_changing_the_threshold_replans_timing_and_figures(mini, every_job):
    mini.configure(timing__threshold=0.8)
    assert mini.planned() == of_rules(every_job, TIMING_ON)


def test_changing_an_existing_dataset_replans_its_task(mini, every_job):
    path = mini.folder / "data/a.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[::-1]))
    planned = mini.planned()
    assert ("dataset", "results/formulas/seed-1/existing/test.jsonl") in planned
    for rule, output in planned - of_rules(planned, {*TABLES, "overview"}):
        assert "/existing" in output, rule
    assert not any("tiny" in output for _, output in planned)


def test_a_missing_result_is_made_again_and_nothing_else(mini):
    figure = "results/summary/figures/local/seed-1/level-1.png"
    (mini.folder / figure).unlink()
    assert mini.planned() == {("heatmap", figure)}


def test_keys_that_no_rule_uses_replan_nothing(mini):
    # sgd's settings, while lbfgs is used.
    mini.configure(probes__epochs=5, probes__learning_rate=0.5)
    assert mini.planned() == set()


def test_the_page_of_the_study_follows_what_results_depend_on(mini):
    page = "rule study_page"
    assert page not in mini.snakemake("--dry-run").stdout
    gpus = [{"gpu_model": "h100", "memory_gb": 80}]
    mini.configure(wandb__mode="offline", gpus=gpus)
    assert page not in mini.snakemake("--dry-run").stdout
    mini.configure(timing__threshold=0.8)
    assert page in mini.snakemake("--dry-run").stdout


def test_changing_the_window_replans_patching_alone(mini, every_job):
    mini.configure(interventions__window=2)
    assert mini.planned() == of_rules(every_job, PATCHING_ON)


def test_switching_interventions_off_leaves_nothing_to_do_but_tables(mini):
    mini.configure(interventions__patching=False)
    assert {rule for rule, _ in mini.planned()} == {"explorer", *EFFECTS_ON}
    mini.configure(interventions__inconsistent_chains=False)
    assert {rule for rule, _ in mini.planned()} == {"explorer"}


def test_an_edit_that_is_added_replans_its_task_and_who_must_not_train_on_it(mini, every_job):
    mini.configure(**{"tasks__level-1__edits__again": ["v1.1"]})
    planned = mini.planned()
    pairs = {output for rule, output in planned if rule == "pairs"}
    assert pairs == {"results/formulas/seed-1/level-1/pairs/again.jsonl"}
    local = {rule for rule, output in planned if "/local/" in output}
    assert local == PATCHING_ON - TABLES
    # All of the model that is trained on the level: the new pairs are none of its problems.
    assert of_model(every_job, "tiny") <= planned


@pytest.mark.parametrize(
    ("path", "old", "new", "rules"),
    [
        ("workflow_scripts/think_to_talk/lbfgs.py", "_HISTORY = 5", "_HISTORY = 4", PROBES_ON),
        (
            "workflow_scripts/think_to_talk/figures.py",
            "WIDTH = 7.0",
            "WIDTH = 6.0",
            {"heatmap", "overview", "patching_heatmap", "interventions_overview"},
        ),
        (
            "workflow_scripts/think_to_talk/specs.py",
            "layers = tuple(range(n_layers + 1))",
            "layers = tuple(range(1, n_layers + 1))",
            PATCHING_ON | CHAINS_ON,
        ),
        (
            "workflow_scripts/timing.py",
            "this.params.threshold",
            "this.params.threshold / 2",
            {"timing", "timing_table", "heatmap", "explorer"},
        ),
    ],
)
def test_changed_behaviour_replans_what_depends_on_it(mini, every_job, path, old, new, rules):
    mini.edit(path, old, new)
    assert mini.planned() == of_rules(every_job, rules)


def test_comments_docstrings_formatting_and_file_times_replan_nothing(mini):
    mini.edit("workflow_scripts/probes.py", '"""Fit and score', '# A comment.\n"""Score and fit')
    mini.edit("workflow_scripts/think_to_talk/lbfgs.py", "_HISTORY = 5", "_HISTORY = (5)")
    mini.edit("workflow_scripts/think_to_talk/formulas.py", '"""The value of', '"""Value of')
    mini.edit("config.yaml", "# Rows per split.", "# How many rows a split has.")
    mini.edit("rules/probes.smk", '"""Probes:', '"""The probes:')
    soon = time.time() + 5
    for path in [*mini.folder.glob("workflow_scripts/**/*.py"), *mini.folder.glob("rules/*")]:
        os.utime(path, (soon, soon))
    assert mini.planned() == set()

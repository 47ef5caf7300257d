"""What makes an output stale is exactly what it depends on: sets of planned jobs are compared."""

import os
import time

import pytest

CLOCKS_ON = {"clocks", "clocks_table", "clocks_overview", "explorer", "findings"}
TIMING_ON = {"timing", "timing_table", "heatmap", "overview", *CLOCKS_ON}
CONTROLS_ON = {"control", "control_table", "explorer"}
LENS_ON = {"logit_lens", "logit_lens_overview"}
SAID_ON = {"forced_answers_table", "forced_answers_overview", *CLOCKS_ON}
FORCED_ON = {"forced_answers", *SAID_ON}
STEERING_ON = {"steering", "steering_table", "steering_overview", "explorer"}
FREE_TABLES = {"interventions_table", "findings", "explorer"}
FREE_ON = {"free_writing", "free_writing_overview", *FREE_TABLES}
OVERVIEWS = {"logit_lens_overview", "forced_answers_overview", "steering_overview"}
MOVED_ON = {"patched_probes_table", "patched_probes_overview", "explorer"}
PATCHED_PROBES_ON = {"patched_probes", *MOVED_ON}
TRANSFER_ON = {"transfer", "transfer_matrix", "transfer_table"}
PROBES_ON = {
    *("probes", "patching_heatmap", "free_writing_overview", *TRANSFER_ON),
    *(*OVERVIEWS, *STEERING_ON, *CONTROLS_ON, *TIMING_ON, *PATCHED_PROBES_ON),
}
STATES_ON = {"hidden_states", "generations", *LENS_ON, *PROBES_ON}
EFFECTS_ON = {"interventions_overview", "interventions_table", "findings", "explorer"}
PATCHING_ON = {"patching", "patching_heatmap", *EFFECTS_ON, *CLOCKS_ON}
CHAINS_ON = {"inconsistent_chains", *EFFECTS_ON}
FIGURES = {
    *("heatmap", "overview", "clocks_overview", *OVERVIEWS),
    *("patching_heatmap", "patched_probes_overview", "interventions_overview"),
    *("free_writing_overview", "transfer_matrix"),
}
#: What shows all models.
TABLES = {
    *("timing_table", "clocks_table", "forced_answers_table", "interventions_table"),
    *("findings", "control_table", "explorer", "steering_table", "patched_probes_table"),
    "transfer_table",
}
#: What shows all tasks of a model.
OVER_TASKS = {
    *(*TABLES, "overview", *OVERVIEWS, *CLOCKS_ON, "control"),
    *("interventions_overview", "free_writing_overview", *TRANSFER_ON),
}
#: What the text of a task says depends on no seed.
SEEDLESS = {"ceilings", *TABLES}

#: {changed keys of the config: the rules that are planned again}.
CHANGED_KEYS = {
    ("probes__penalty", 0.01): PROBES_ON,
    ("probes__folds", 3): PROBES_ON,
    # Of single digits there is nothing more to probe.
    ("probes__targets", "digits"): set(),
    # sgd's settings, while lbfgs is used: no rule reads them.
    ("probes__epochs", 5): set(),
    ("probes__learning_rate", 0.5): set(),
    ("hidden_states__dtype", "bfloat16"): STATES_ON,
    ("timing__threshold", 0.8): {
        *("forced_answers_table", *OVERVIEWS, *STEERING_ON, *MOVED_ON, *TIMING_ON),
    },
    ("logit_lens", False): set(),
    ("forced_answers", False): CLOCKS_ON,
    ("steering__enabled", False): {"explorer"},
    ("steering__problems", 5): STEERING_ON,
    ("interventions__window", 2): PATCHING_ON | FREE_ON,
    ("interventions__free_writing", False): FREE_TABLES,
    ("interventions__probes", False): {"explorer"},
}
#: {module or script whose behaviour changes: the rules that are planned again}.
CHANGED_CODE = {
    "timing.py": TIMING_ON - {"overview"},
    "think_to_talk/timing/bootstrap.py": TIMING_ON - {"overview"},
    "think_to_talk/findings/kinds.py": {"findings"},
    "think_to_talk/hidden_states/decoding.py": {"model_check"}
    | STATES_ON
    | CHAINS_ON
    | FORCED_ON
    | FREE_ON,
    "think_to_talk/hidden_states/shards.py": STATES_ON,
    "think_to_talk/probes/lbfgs.py": PROBES_ON,
    "think_to_talk/probes/accuracy.py": {*LENS_ON, *PROBES_ON},
    "think_to_talk/tokens/digits.py": {*LENS_ON, *FORCED_ON},
    "think_to_talk/tokens/whole.py": FORCED_ON,
    "think_to_talk/logit_lens/head.py": LENS_ON,
    "think_to_talk/logit_lens/reading.py": LENS_ON,
    "think_to_talk/forced_answers/reading.py": FORCED_ON,
    "think_to_talk/timing/forced.py": SAID_ON,
    "think_to_talk/steering/rows.py": STEERING_ON,
    "think_to_talk/formulas/steered_chains.py": STEERING_ON,
    "think_to_talk/formulas/stated_values.py": STEERING_ON | CHAINS_ON | FREE_ON,
    "think_to_talk/timing/steering.py": {"steering_table", "explorer"},
    "think_to_talk/timing/clocks.py": CLOCKS_ON,
    "think_to_talk/interventions/specs.py": PATCHING_ON | FREE_ON | PATCHED_PROBES_ON,
    "think_to_talk/interventions/free_writing.py": FREE_ON,
    "think_to_talk/hidden_states/free_writing.py": FREE_ON | STEERING_ON,
    "think_to_talk/patched_probes/runs.py": PATCHED_PROBES_ON,
    "think_to_talk/timing/patched.py": MOVED_ON,
    "think_to_talk/transfer/rows.py": TRANSFER_ON,
    "think_to_talk/timing/transfer.py": {"transfer_table"},
    "think_to_talk/figures/transfer.py": {"transfer_matrix"},
    "think_to_talk/interventions/patched_runs.py": PATCHING_ON,
    "think_to_talk/interventions/patching.py": PATCHING_ON,
    "think_to_talk/interventions/tokenized_pairs.py": {
        *(PATCHING_ON | FREE_ON | PATCHED_PROBES_ON | CHAINS_ON),
    },
    "think_to_talk/interventions/inconsistent_chains.py": CHAINS_ON,
    "think_to_talk/figures/style.py": FIGURES | CONTROLS_ON,
    "think_to_talk/figures/heatmap.py": {"heatmap"},
    "think_to_talk/figures/overview.py": {"overview"},
    "think_to_talk/figures/clocks.py": {"clocks_overview"},
    "think_to_talk/figures/logit_lens.py": {"logit_lens_overview"},
    "think_to_talk/figures/forced_answers.py": {"forced_answers_overview"},
    "think_to_talk/figures/steering.py": {"steering_overview"},
    "think_to_talk/figures/free_writing.py": {"free_writing_overview"},
    "think_to_talk/figures/accuracy_curve.py": {
        *("overview", "patched_probes_overview", *OVERVIEWS, *CONTROLS_ON),
    },
    "think_to_talk/figures/patched_probes.py": {"patched_probes_overview"},
    "think_to_talk/figures/patching.py": {"patching_heatmap"},
    "think_to_talk/figures/interventions.py": {"interventions_overview"},
    "think_to_talk/figures/controls.py": CONTROLS_ON,
    # What only the Snakemake process of the run calls.
    "think_to_talk/run/lock.py": set(),
    "think_to_talk/run/leftovers.py": set(),
}


@pytest.fixture(scope="module")
def finished_mini(switched_on):
    return switched_on


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
    without = [
        "tokens",
        "model_check",
        "forced",
        "patching",
        "free",
        "inconsistent",
        "interventions",
    ]
    expected = of_model(every_job, "local", without)
    # Their figures also show probes.
    figures = of_rules(every_job, {"patching_heatmap", *OVERVIEWS, "free_writing_overview"})
    assert mini.planned() == expected | of_model(figures, "local")


@pytest.mark.parametrize(("key", "value"), [("shots", 1), ("bos", "none"), ("prompt", "chat")])
def test_changing_a_model_s_prompt_replans_all_of_that_model(mini, every_job, key, value):
    mini.configure(**{f"models__local__{key}": value})
    assert mini.planned() == of_model(every_job, "local", without=["model_check"])


def test_changing_how_a_model_is_trained_replans_all_of_that_model(mini, every_job):
    mini.configure(models__tiny__training__steps=21)
    assert mini.planned() == of_model(every_job, "tiny")


def test_changing_a_checkpoint_on_disk_replans_all_of_that_model(mini, every_job):
    weights = mini.folder / "checkpoints/gpt2/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert mini.planned() == of_model(every_job, "local", without=["tokens"])


def test_changing_a_transfer_replans_that_transfer_alone(mini, every_job):
    mini.configure(transfer__swapped__train="level-1")
    planned = mini.planned()
    assert {rule for rule, _ in planned} == TRANSFER_ON
    of_transfers = of_rules(every_job, TRANSFER_ON)
    assert planned & of_transfers == {
        (rule, output) for rule, output in of_transfers if "within" not in output
    }


def test_adding_a_seed_plans_that_seed_alone(mini, every_job):
    mini.configure(seeds=[1, 2])
    table = of_rules(every_job, TABLES)
    of_seed = every_job - of_rules(every_job, SEEDLESS)
    other = {(rule, output.replace("seed-1", "seed-2")) for rule, output in of_seed}
    assert mini.planned() == other | table


def test_adding_a_level_plans_that_level_alone(mini):
    level = {"equations": ["v0 = num ± num", "v1 = num ± v0"], "order": "in_order"}
    mini.configure(tasks__added=level)
    planned = mini.planned()
    assert {rule for rule, _ in planned} == {
        "formulas",
        "ceilings",
        "tokens_added",
        "hidden_states",
        "generations",
        "probes",
        "timing",
        "timing_table",
        "findings",
        "heatmap",
        "overview",
        *CLOCKS_ON,
        *LENS_ON,
        *FORCED_ON,
        *STEERING_ON,
        "inconsistent_pairs",
        *CHAINS_ON,
        *CONTROLS_ON,
    }
    for rule, output in planned - of_rules(planned, OVER_TASKS):
        assert "/added" in output, rule
    # The trained model names its tasks, and is not concerned.
    assert not any("tiny" in output for _, output in planned)


def test_adding_a_model_plans_that_model_alone(mini):
    mini.configure(models__another={"kind": "local", "path": "checkpoints/gpt2"})
    planned = mini.planned()
    assert len(planned) > 15
    for rule, output in planned:
        assert "/another/" in output or rule in TABLES


def test_changing_an_existing_dataset_replans_its_task(mini, every_job):
    path = mini.folder / "data/a.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[::-1]))
    planned = mini.planned()
    assert ("dataset", "results/formulas/seed-1/existing/test.jsonl") in planned
    for rule, output in planned - of_rules(planned, OVER_TASKS):
        assert "/existing" in output, rule
    assert not any("tiny" in output for _, output in planned)


def test_a_missing_result_is_made_again_and_nothing_else(mini):
    figure = "results/summary/figures/local/seed-1/level-1.png"
    (mini.folder / figure).unlink()
    assert mini.planned() == {("heatmap", figure)}


def test_the_page_of_the_study_follows_what_results_depend_on(mini):
    page = "rule study_page"
    assert page not in mini.snakemake("--dry-run").stdout
    gpus = [{"gpu_model": "h100", "memory_gb": 80}]
    mini.configure(wandb__mode="offline", gpus=gpus)
    assert page not in mini.snakemake("--dry-run").stdout
    mini.configure(timing__threshold=0.8)
    assert page in mini.snakemake("--dry-run").stdout


def test_switching_interventions_off_leaves_nothing_to_do_but_tables(mini):
    mini.configure(interventions__patching=False)
    assert {rule for rule, _ in mini.planned()} == {*EFFECTS_ON, *CLOCKS_ON}
    mini.configure(interventions__inconsistent_chains=False, interventions__free_writing=False)
    assert {rule for rule, _ in mini.planned()} == CLOCKS_ON


def test_an_edit_that_is_added_replans_its_task_and_who_must_not_train_on_it(mini, every_job):
    mini.configure(**{"tasks__level-1__edits__again": ["v1.1"]})
    planned = mini.planned()
    pairs = {output for rule, output in planned if rule == "pairs"}
    assert pairs == {"results/formulas/seed-1/level-1/pairs/again.jsonl"}
    assert "ceilings" not in {rule for rule, _ in planned}
    local = {rule for rule, output in planned if "/local/" in output}
    assert local == (PATCHING_ON | FREE_ON | PATCHED_PROBES_ON) - TABLES
    # All of the model that is trained on the level: the new pairs are none of its problems.
    assert of_model(every_job, "tiny") <= planned


@pytest.mark.parametrize(("key", "value"), CHANGED_KEYS)
def test_a_changed_key_replans_what_depends_on_it(mini, every_job, key, value):
    mini.configure(**{key: value})
    assert mini.planned() == of_rules(every_job, CHANGED_KEYS[key, value])


def test_tokens_that_are_written_again_replan_all_that_reads_positions_of_tasks(mini, every_job):
    with open(mini.folder / "workflow_scripts/think_to_talk/tokens/write_shards.py", "a") as file:
        file.write("\nCHANGED = True\n")
    tokens = {rule for rule, _ in every_job if rule.startswith("tokens_")}
    interventions = PATCHING_ON | FREE_ON | CHAINS_ON | PATCHED_PROBES_ON
    assert mini.planned() == of_rules(every_job, tokens | STATES_ON | FORCED_ON | interventions)


@pytest.mark.parametrize("source", CHANGED_CODE)
def test_changed_behaviour_replans_what_depends_on_it(mini, every_job, source):
    with open(mini.folder / "workflow_scripts" / source, "a") as file:
        file.write("\nCHANGED = True\n")
    assert mini.planned() == of_rules(every_job, CHANGED_CODE[source])


def test_how_ceilings_are_counted_replans_what_shows_generated_tasks(mini, every_job):
    with open(mini.folder / "workflow_scripts/think_to_talk/formulas/ceilings.py", "a") as file:
        file.write("\nCHANGED = True\n")
    expected = of_rules(every_job, {"ceilings", *STEERING_ON, *TIMING_ON})
    assert mini.planned() == {job for job in expected if "/existing" not in job[1]}


def test_comments_docstrings_formatting_and_file_times_replan_nothing(mini):
    mini.edit("workflow_scripts/probes.py", '"""Fit and score', '# A comment.\n"""Score and fit')
    mini.edit("workflow_scripts/think_to_talk/probes/lbfgs.py", "_HISTORY = 5", "_HISTORY = (5)")
    mini.edit(
        "workflow_scripts/think_to_talk/formulas/templates.py", '"""The value of', '"""Value of'
    )
    mini.edit("config.yaml", "# Rows per split.", "# How many rows a split has.")
    mini.edit("rules/probes.smk", '"""Probes:', '"""The probes:')
    soon = time.time() + 5
    for path in [
        *mini.folder.glob("workflow_scripts/**/*.py"),
        *mini.folder.glob("rules/**/*.smk"),
    ]:
        os.utime(path, (soon, soon))
    assert mini.planned() == set()

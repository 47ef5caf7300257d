"""The number of jobs of each rule, which `study.cost` adds up before anything runs.

tests/workflow/test_job_counts.py compares it with the jobs that Snakemake plans. Recording runs for
W&B is not counted.
"""

from __future__ import annotations

from think_to_talk.study.plan import STUDIED_SPLITS, StudyPlan


def model_jobs(study: StudyPlan, model: str) -> dict[str, int]:
    """{rule: jobs of the model, over all seeds}."""
    entry = study.models[model]
    seeds, tasks = len(study.seeds), len(entry.tasks)
    patched, inconsistent = len(study.patched_tasks(model)), len(study.inconsistent_tasks(model))
    free = len(study.freely_writing_tasks(model))
    patched_probes = len(study.patched_probe_tasks(model))
    lens, forced = len(study.lens_tasks(model)), len(study.forced_tasks(model))
    steered = len(study.steered_tasks(model))
    # An untrained copy shares its model's checkpoint, and is itself a control.
    untrained = entry.is_untrained
    probes = 2 if "labels" in study.controls and not untrained else 1
    return {
        "download": 1 if entry.kind == "hub" and not untrained else 0,
        "train": seeds if entry.kind == "train" and not untrained else 0,
        "unpack": 1 if entry.is_unpacked and not untrained else 0,
        "model_check": seeds,
        "tokens": seeds * tasks,
        "hidden_states": seeds * len(study.shard_jobs(model)),
        "generations": seeds * tasks,
        "probes": seeds * tasks * probes,
        "timing": seeds * tasks,
        "heatmap": seeds * tasks,
        "overview": seeds,
        "clocks": seeds,
        "clocks_overview": seeds,
        "logit_lens": seeds * lens,
        "logit_lens_overview": seeds if lens else 0,
        "forced_answers": seeds * forced,
        "forced_answers_overview": seeds if forced else 0,
        "steering": seeds * steered,
        "steering_overview": seeds if steered else 0,
        "transfer": seeds * len(study.transfers_of(model)),
        "transfer_matrix": seeds * len(study.transfers_of(model)),
        "patching": seeds * patched,
        "patching_heatmap": seeds * patched,
        "free_writing": seeds * free,
        "free_writing_overview": seeds if free else 0,
        "patched_probes": seeds * patched_probes,
        "patched_probes_overview": seeds if patched_probes else 0,
        "inconsistent_chains": seeds * inconsistent,
        "interventions_overview": seeds if patched or inconsistent else 0,
        "control": 0 if untrained else len(study.controls),
    }


def shared_jobs(study: StudyPlan) -> dict[str, int]:
    """{rule: jobs that belong to no model}: of datasets, published rows, tables of all models."""
    models, seeds = study.models, len(study.seeds)
    published = study.published.values()
    n_published = sum(len(entry.files) for entry in published)
    trained = {task for model in models.values() for task in model.training_tasks}
    used = trained | {task for model in models.values() for task in model.tasks}
    generated = sum(study.tasks[task].is_generated for task in used)
    free_text = sum(study.tasks[task].is_free_text for task in used)
    # Pairs are also made to keep them out of what a model is trained on.
    patched = {task for model in models for task in study.patched_tasks(model)}
    free = {task for model in models for task in study.freely_writing_tasks(model)}
    inconsistent = {task for model in models for task in study.inconsistent_tasks(model)}
    probed = {task for model in models.values() for task in model.tasks}
    probed |= {task for entry in published for task in entry.files}
    return {
        "formulas": seeds * generated,
        "ceilings": sum(study.tasks[task].is_counted for task in probed),
        "given_ceilings": sum(bool(study.tasks[task].given_ceilings) for task in probed),
        "dataset": seeds * (len(used) - generated - free_text) * len(STUDIED_SPLITS),
        "free_text": seeds * free_text * len(STUDIED_SPLITS),
        "pairs": seeds * sum(len(study.tasks[task].edits) for task in trained | patched | free),
        "inconsistent_pairs": seeds * sum(map(study.has_results, trained | inconsistent)),
        "published_probes": n_published,
        "timing": n_published,
        "heatmap": n_published,
        "overview": len(study.published),
        "clocks": len(study.published),
        "clocks_overview": len(study.published),
        "forced_answers_table": 1 if any(map(study.forced_tasks, models)) else 0,
        "steering_table": 1 if any(map(study.steered_tasks, models)) else 0,
        "patched_probes_table": 1 if any(map(study.patched_probe_tasks, models)) else 0,
        "transfer_table": 1 if study.transfer_results() else 0,
        "interventions_table": 1 if patched or free or inconsistent else 0,
        "control_table": len(study.controls),
        "timing_table": 1,
        "clocks_table": 1,
        "findings": 1,
        "explorer": 1,
        "study_page": 1,
    }

"""Weights & Biases: a run per model and seed, recorded offline, then sent if the mode is online."""

import importlib.util
import json
import os
from pathlib import Path

from think_to_talk.run import wandb_runs as wandb_records

try:
    # Each job is a Snakemake process of its own; the main process has checked the package for it.
    WANDB_MODE, notice = wandb_records.choose_mode(
        config["wandb"].get("mode"),
        os.environ,
        installed=not workflow.is_main_process
        or importlib.util.find_spec("wandb") is not None,
    )
except InputError as error:
    raise WorkflowError(str(error)) from None
if notice and workflow.is_main_process:
    logger.info(notice)


def wandb_runs():
    """The reports of all models' and seeds' runs; none if W&B is disabled."""
    if WANDB_MODE == "disabled":
        return []
    return expand(WANDB_RUN, model=study.models, seed=study.seeds)


def send_wandb_runs():
    """Send the recorded runs that have not been sent, if the mode is online."""
    if WANDB_MODE != "online":
        return
    reports = [Path(report) for report in wandb_runs() if Path(report).is_file()]
    folders = [json.loads(report.read_text())["folder"] for report in reports]
    unsent = [folder for folder in folders if not wandb_records.is_sent(folder)]
    if unsent:
        timeout = config["wandb"]["timeout"]
        logger.info(f"W&B: sending {len(unsent)} run(s), for at most {timeout:g} s")
        warning = wandb_records.send(unsent, timeout, log_file("wandb_sync"))
        if warning:
            logger.warning(warning)
        else:
            logger.info(f"W&B: {len(unsent)} run(s) sent")


def wandb_about(wildcards):
    """Mode, name, project and group of a run."""
    return {
        "mode": WANDB_MODE,
        "name": f"{wildcards.model}-seed-{wildcards.seed}",
        "project": config["wandb"]["project"],
        "entity": config["wandb"].get("entity"),
        "group": config["wandb"].get("group", wildcards.model),
    }


def wandb_config(wildcards):
    """The configuration behind the results: the model's entry, its tasks, the study's settings."""
    model = shown_config()["models"][wildcards.model]
    studied = study.tasks_of(wildcards.model)
    train_on = study.probes_of(wildcards.model).train_on
    settings = ("splits", "hidden_states", "timing")
    return {
        "model": wildcards.model,
        "seed": int(wildcards.seed),
        "model_entry": model,
        "tasks": {task: study.tasks[task].values for task in studied},
        "probes": {**config["probes"], "train_on": train_on},
        **{key: config[key] for key in settings},
    }


rule wandb_run:
    """Record the results of a model and seed as a run for Weights & Biases, offline."""
    input:
        timing=of_tasks(TIMING),
        clocks=CLOCKS,
        forced_answers=of_tasks(FORCED_ANSWERS, study.forced_tasks),
        patching=of_tasks(PATCHING, study.patched_tasks),
        free_writing=of_tasks(FREE_WRITING, study.freely_writing_tasks),
        inconsistent_chains=of_tasks(INCONSISTENT_CHAINS, study.inconsistent_tasks),
        steering=of_tasks(STEERING, study.steered_tasks),
        probes=of_tasks(PROBES),
        figures=lambda wildcards: expand(
            FIGURE,
            model=wildcards.model,
            figure=[
                f"seed-{wildcards.seed}/{name}"
                for name in seed_figures(wildcards.model)
            ],
            format="png",
        ),
    output:
        report=WANDB_RUN,
        folder=directory(WANDB_FOLDER),
    log:
        log_file("wandb_run/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("wandb_run/{model}/seed-{seed}")
    # Too quick for a cluster's queue.
    localrule: True
    conda:
        "../envs/wandb.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        about=wandb_about,
        config=wandb_config,
        figures=lambda wildcards: seed_figures(wildcards.model),
        packages=PACKAGES,
        code=script_version("wandb_run.py"),
    script:
        "../workflow_scripts/wandb_run.py"


rule all_wandb_runs:
    """The recorded runs of all models and seeds; none if W&B is disabled."""
    input:
        wandb_runs(),

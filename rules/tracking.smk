"""Whether runs go to Weights & Biases, what they are called, and sending them when all is done."""

import importlib.util
import json

from snakemake.logging import logger
from think_to_talk import tracking

WANDB_RUN = "results/{model}/seed-{seed}/wandb.json"

try:
    # Jobs run in Snakemakes of their own: what they need to know, their controller has checked.
    WANDB_MODE, notice = tracking.choose_mode(
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
    return expand(WANDB_RUN, model=config["models"], seed=config["seeds"])


def send_wandb_runs():
    """Send the runs that are recorded and not sent yet, if the mode is online."""
    if WANDB_MODE != "online":
        return
    reports = [Path(report) for report in wandb_runs() if Path(report).is_file()]
    folders = [json.loads(report.read_text())["folder"] for report in reports]
    unsent = [folder for folder in folders if not tracking.is_sent(folder)]
    if unsent:
        timeout = config["wandb"]["timeout"]
        logger.info(f"W&B: sending {len(unsent)} run(s), for at most {timeout:g} s")
        warning = tracking.send(unsent, timeout, "results/logs/wandb_sync.log")
        if warning:
            logger.warning(warning)
        else:
            logger.info(f"W&B: {len(unsent)} run(s) sent")


def wandb_about(wildcards):
    """What becomes of a run, and how it is called and grouped."""
    return {
        "mode": WANDB_MODE,
        "name": f"{wildcards.model}-seed-{wildcards.seed}",
        "project": config["wandb"]["project"],
        "entity": config["wandb"].get("entity"),
        "group": config["wandb"].get("group", wildcards.model),
    }


def wandb_config(wildcards):
    """What made the model's results: its entry, its tasks and the settings of the study."""
    model = shown_config()["models"][wildcards.model]
    tasks = {task: config["tasks"][task] for task in study.tasks(wildcards.model)}
    settings = ("splits", "hidden_states", "timing")
    return {
        "model": wildcards.model,
        "seed": int(wildcards.seed),
        "model_entry": model,
        "tasks": tasks,
        "probes": study.probes(wildcards.model),
        **{key: config[key] for key in settings},
    }

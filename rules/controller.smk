"""One controlling Snakemake per folder; after one that was killed, the same command goes on.

Jobs run in Snakemakes of their own, under their controller's lock.
"""

from think_to_talk.controller import alone


def changes_files(executor_plugin, **_settings):
    """Whether a run needs the lock: a dry run does not, and `--nolock` says so."""
    dry_run = executor_plugin.common_settings.dryrun_exec
    return workflow.execution_settings.lock and not dry_run


def given_files():
    """The datasets and checkpoints that the study reads and does not make."""
    datasets = [config["tasks"][task]["files"].values() for task in DATASET_TASKS]
    checkpoints = [
        models.checkpoint_files(config["models"][model]["path"])
        for model in models_of_kind("local")
    ]
    return list(itertools.chain(*datasets, *checkpoints))


if workflow.is_main_process:
    workflow.execute = alone(
        workflow.execute,
        Path(".snakemake"),
        Path("results"),
        given_files(),
        changes_files,
        WorkflowError,
    )

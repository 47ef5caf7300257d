"""One controlling Snakemake per folder; after one that was killed, the same command goes on.

Jobs run in Snakemakes of their own, under their controller's lock.
"""

from think_to_talk.controller import alone


def changes_files(executor_plugin, **_settings):
    """Whether a run needs the lock: a dry run does not, and `--nolock` says so."""
    dry_run = executor_plugin.common_settings.dryrun_exec
    return workflow.execution_settings.lock and not dry_run


if workflow.is_main_process:
    workflow.execute = alone(
        workflow.execute,
        Path(".snakemake"),
        Path("results"),
        changes_files,
        WorkflowError,
    )

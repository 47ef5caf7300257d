"""Lock: one run per folder; leftovers of a killed run are removed before jobs start.

A job of a cluster is a Snakemake process of its own, under the lock of the run that submitted it.
Snakemake 9 has no hook before jobs start (checked with 9.27.1; `onstart` runs after the DAG has been
compared with the files on disk, and in a dry run not at all). This file and start_up.smk therefore
wrap a private method, `Workflow.execute`, which runs the jobs of a checked DAG; here the limit of
jobs per second that its scheduler reads is changed too.
"""

from think_to_talk.run.lock import locked, prepared


def needs_lock(executor_plugin, **_settings):
    """Whether a run needs the lock: not if it is a dry run, and not with `--nolock`."""
    dry_run = executor_plugin.common_settings.dryrun_exec
    return workflow.execution_settings.lock and not dry_run


def declare_container_gpus(executor_plugin, **_settings):
    """Declare the GPUs of a container, before any job starts."""
    if in_container() and not workflow.subprocess_exec:
        show_gpus(executor_plugin)


def have_scheduler_wait(**_settings):
    """Have the scheduler wait until a job ends before it looks for others.

    With a limit of jobs per second it looks again a second after each time that it looked, so n
    times a second after n jobs (snakemake/snakemake#3744). The default limit, 100 jobs a second, is
    never reached; one that a user sets is kept.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduling_settings.max_jobs_per_timespan = None


for prepare in (declare_container_gpus, have_scheduler_wait):
    workflow.execute = prepared(workflow.execute, prepare)
if workflow.is_main_process:
    workflow.execute = locked(
        workflow.execute,
        Path(".snakemake"),
        Path("results"),
        study.existing_files(),
        needs_lock,
        WorkflowError,
    )

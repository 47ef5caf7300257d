"""Execution: what is done around the jobs of a run: the folder's lock, start-up, messages.

Jobs of a cluster are Snakemake processes of their own, under the lock of the run that submitted them.

Snakemake 9 has no hook before jobs start (checked with 9.27.1; `onstart` runs after the DAG has been
compared with the files on disk, and in a dry run not at all), and none of a module's is called. So
this file wraps a private method, `Workflow.execute`, which runs the jobs of a checked DAG; the limit
of jobs per second that its scheduler reads is changed too.
"""

from think_to_talk.run.execution import concluded, prepared, with_handler
from think_to_talk.run.lock import locked
from think_to_talk.run.start_up import StartUp, with_loaded_libraries


def is_real_run(executor_plugin, **_settings):
    """Whether a run is the user's, and runs jobs: not the process of a cluster's job, nor a dry run."""
    return workflow.is_main_process and not executor_plugin.common_settings.dryrun_exec


def needs_lock(**settings):
    """Whether a run needs the lock: not with `--nolock`."""
    return workflow.execution_settings.lock and is_real_run(**settings)


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


def execution(execute):
    """`Workflow.execute` with all that this workflow does around it."""
    execute = with_loaded_libraries(
        execute,
        PythonScript,
        StartUp(starts_loaded, loader_of_run, is_own, imports_torch, benchmarked),
    )
    execute = with_handler(execute, logger, run_output)
    execute = concluded(execute, is_real_run, show_results, show_failures)
    for prepare in (show_disk, declare_container_gpus, have_scheduler_wait):
        execute = prepared(execute, prepare)
    return locked(
        execute,
        Path(".snakemake"),
        Path("results"),
        study.existing_files(),
        needs_lock,
        WorkflowError,
    )


# A module is read again for each `use rule`.
if "execute" not in vars(workflow):
    workflow.execute = execution(workflow.execute)
code.keep()

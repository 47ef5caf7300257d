"""One controlling Snakemake per folder; after one that was killed, the same command goes on.

Jobs run in Snakemakes of their own, under their controller's lock; dry runs need none.
"""

from think_to_talk.controller import sole_controller


def alone(execute):
    """Snakemake's `Workflow.execute`, under a lock that is released when its process dies."""

    def execute_alone(executor_plugin, **settings):
        if (
            executor_plugin.common_settings.dryrun_exec
            or not workflow.execution_settings.lock
        ):
            return execute(executor_plugin=executor_plugin, **settings)
        try:
            with sole_controller(Path(".snakemake")):
                return execute(executor_plugin=executor_plugin, **settings)
        except InputError as error:
            raise WorkflowError(str(error)) from None

    return execute_alone


if workflow.is_main_process:
    workflow.execute = alone(workflow.execute)

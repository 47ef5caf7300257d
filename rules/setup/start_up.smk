"""Start-up: jobs of a run on this machine begin with torch and their other libraries loaded.

Snakemake starts a new Python for each job, which imports its libraries anew. Where at least
`_WORTHWHILE` jobs of a run import torch, they are forks of one process that has imported them
(`think_to_talk.run.loaded_libraries`). What starts as usual: jobs in containers and on a cluster,
jobs for a GPU where there is one (CUDA does not survive a fork), and all jobs on systems other than
Linux. This replaces a private method of Snakemake, `PythonScript.execute_script` (checked with
9.27.1).
"""

import os
import sys
from functools import cache

from snakemake.benchmark import benchmarked
from snakemake.script import PythonScript
from think_to_talk.run.loaded_libraries import Loader

# A thread that waits for another (GNU OpenMP, which torch brings) soon sleeps. It would spin for
# milliseconds, on the core that the other needs where other work has the cores as well: a training
# then takes many times as long.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# The loader imports what all jobs need: longer than a job alone, and once for all of them.
_WORTHWHILE = 2


def starts_loaded(executor_plugin, **_settings):
    """Whether jobs of this run are processes of this machine, outside of containers."""
    common = executor_plugin.common_settings
    return (
        sys.platform == "linux"
        and workflow.is_main_process
        and common.local_exec
        and not common.dryrun_exec
        and not workflow.deployment_settings.deployment_method
    )


SCRIPTS = REPOSITORY / "workflow_scripts"


def is_own(script):
    """Whether a script is this workflow's, and not of one that uses it as a module."""
    # Snakemake's path goes by way of the folder of the rule's file.
    return Path(script).resolve().parent == SCRIPTS.resolve()


@cache
def libraries(script):
    """What a script of a rule imports, beside the study's own package."""
    return code.libraries(Path(script).name)


def imports_torch(script):
    """Whether a script spends seconds on its imports."""
    return any(module.split(".")[0] == "torch" for module, _ in libraries(script))


def loader_of_run():
    """The process that imports what the jobs of this run import, or None if it is not worthwhile."""
    scripts = [
        job.rule.script
        for job in workflow.dag.needrun_jobs()
        if job.rule.script and (SCRIPTS / Path(job.rule.script).name).is_file()
    ]
    if sum(map(imports_torch, scripts)) < _WORTHWHILE:
        return None
    return Loader(set().union(*map(libraries, set(scripts))))

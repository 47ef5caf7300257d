"""Start-up: jobs of a run on this machine begin with torch and their other libraries loaded.

Snakemake starts a new Python for each job, which imports its libraries anew. Where at least
`_WORTHWHILE` jobs of a run import torch, they are forks of one process that has imported them
(`think_to_talk.run.loaded_libraries`). What starts as usual: jobs in containers and on a cluster,
jobs for a GPU where there is one (CUDA does not survive a fork), and all jobs on systems other than
Linux.
This replaces a private method of Snakemake, `PythonScript.execute_script` (checked with 9.27.1).
"""

import os
import subprocess
import sys

from snakemake.benchmark import benchmarked
from snakemake.script import PythonScript
from think_to_talk.run.loaded_libraries import Loader, LoaderError, run_loader

# The loader imports what all jobs need: longer than one job, which then waits for it.
_WORTHWHILE = 5


def libraries(script):
    """What a script of a rule imports, beside the study's own package."""
    return code.libraries(Path(script).name)


def imports_torch(script):
    """Whether a script spends seconds on its imports."""
    return any(module.split(".")[0] == "torch" for module, _ in libraries(script))


def starts_loaded(executor_plugin):
    """Whether jobs of this run are processes of this machine, outside of containers."""
    common = executor_plugin.common_settings
    return (
        sys.platform == "linux"
        and workflow.is_main_process
        and common.local_exec
        and not common.dryrun_exec
        and not workflow.deployment_settings.deployment_method
    )


def on_a_gpu(resources):
    """Whether a job on this machine runs on a GPU: it asks for one, and there is a driver's device."""
    drivers = ("/dev/nvidiactl", "/dev/kfd")
    return bool(resources.get("gpu")) and any(map(os.path.exists, drivers))


def loader_of_run():
    """The process that imports what the jobs of this run import, or None if it is not worthwhile."""
    scripts = [
        job.rule.script for job in workflow.dag.needrun_jobs() if job.rule.script
    ]
    if sum(map(imports_torch, scripts)) < _WORTHWHILE:
        return None
    return Loader(set().union(*map(libraries, set(scripts))))


def started_by(find_loader, execute_script):
    """`PythonScript.execute_script`, with jobs that are forks of a loader where that is quicker.

    find_loader: returns the loader, or None; it is called when a job is to start.
    """

    def execute_loaded(self, fname, edit=False):
        loader = find_loader()
        waits = imports_torch(self.path.get_filename())
        if (
            loader is None
            or on_a_gpu(self.resources)
            or not (waits or loader.is_ready())
        ):
            return execute_script(self, fname, edit)
        try:
            job = loader.start(Path(fname).absolute(), job_environment(self))
        except LoaderError:
            return execute_script(self, fname, edit)
        if self.bench_record is None:
            status = job.wait()
        else:
            with benchmarked(job.process, self.bench_record):
                status = job.wait()
        if status:
            raise subprocess.CalledProcessError(status, f"{sys.executable} {fname}")

    return execute_loaded


def job_environment(script):
    """The environment variables that Snakemake gives to a script's process."""
    threads = dict.fromkeys(
        (
            "OMP_NUM_THREADS",
            "GOTO_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "VECLIB_MAXIMUM_THREADS",
            "NUMEXPR_NUM_THREADS",
        ),
        str(script.threads),
    )
    folder = script.resources.get("tmpdir")
    folders = (
        dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), folder) if folder else {}
    )
    return {**os.environ, **threads, **folders}


def with_loaded_libraries(execute):
    """`Workflow.execute`, with the libraries of its jobs loaded while the first of them run."""

    def execute_loaded(executor_plugin, **settings):
        if not starts_loaded(executor_plugin):
            return execute(executor_plugin=executor_plugin, **settings)
        usual = PythonScript.execute_script
        with run_loader(loader_of_run) as find_loader:
            PythonScript.execute_script = started_by(find_loader, usual)
            try:
                return execute(executor_plugin=executor_plugin, **settings)
            finally:
                PythonScript.execute_script = usual

    return execute_loaded


workflow.execute = with_loaded_libraries(workflow.execute)
code.keep()

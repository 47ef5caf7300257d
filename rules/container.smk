"""In a container (`--use-singularity`): is the image there, and what do jobs see in it?

Included last, since what a job asks for is known once its rule is. What is to be seen are arguments
of Apptainer's. Snakemake keeps them per process, not per job, and a controlling process hands them
on to the jobs of a cluster, each a process of its own.
"""

import os
import shlex

from snakemake.iocontainers import Wildcards
from snakemake.settings.types import DeploymentMethod


def in_container():
    """Whether this run's jobs run in the image."""
    return DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method


def check_image(image):
    """Say how to get the image if it is a file that is not there."""
    if "://" not in image and not Path(image).exists():
        raise WorkflowError(
            f"config: container: {image}: no such file; build it with `container/build --output "
            f"{image}`, name another image, or run without --use-singularity"
        )


def outside_paths():
    """What jobs read outside of the working folder, which Snakemake binds by itself."""
    paths = [workflow.basedir]
    paths += [model["path"] for model in config["models"].values() if "path" in model]
    for task in config["tasks"].values():
        paths += task.get("files", {}).values()
    absolute = {Path(path).absolute() for path in paths}
    return sorted(path for path in absolute if not path.is_relative_to(Path.cwd()))


def hub_cache():
    """The folder that hub models are downloaded to, if there are any.

    In a container the home folder is the working folder, so that its default would be another.
    """
    if all(model["kind"] != "hub" for model in config["models"].values()):
        return []
    folder = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return ["--bind", folder.absolute(), "--env", f"HF_HOME={folder.absolute()}"]


def target_gpus(target):
    """The GPUs that a job of a cluster asks for."""
    gpu = workflow.get_rule(target.rulename).resources.get("gpu")
    return gpu.evaluate(Wildcards(fromdict=target.wildcards_dict)).value if gpu else 0


def add_arguments(*arguments):
    """Arguments of Apptainer's for the jobs that this process starts from here on."""
    settings = workflow.deployment_settings
    settings.apptainer_args += "".join(
        f" {shlex.quote(str(argument))}" for argument in arguments
    )


def show_gpus_to_local_jobs():
    """On start: where jobs run on this machine and one of them asks for a GPU, all of them see it."""
    if in_container() and workflow.local_exec:
        if any(job.resources.get("gpu") for job in workflow.dag.needrun_jobs()):
            add_arguments("--nv")


if in_container():
    check_image(config["container"])
    if workflow.is_main_process:
        for path in outside_paths():
            add_arguments("--bind", path)
        add_arguments(*hub_cache())
    elif workflow.remote_exec:
        if any(map(target_gpus, workflow.dag_settings.target_jobs)):
            add_arguments("--nv")

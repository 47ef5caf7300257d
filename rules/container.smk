"""In a container (`--use-singularity`): is the image there, and what do jobs see in it?

What they see are arguments of Apptainer's. Snakemake keeps these per process, not per job; and a
controlling process hands its own on to the jobs of a cluster, each a Snakemake of its own.
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
    for model in config["models"].values():
        if "path" in model:
            # A snapshot of a hub's cache is links to files elsewhere.
            files = models.checkpoint_files(model["path"])
            paths += [model["path"], *{file.resolve().parent for file in files}]
    for task in config["tasks"].values():
        paths += task.get("files", {}).values()
    absolute = {Path(path).absolute() for path in paths}
    outside = sorted(path for path in absolute if not path.is_relative_to(Path.cwd()))
    for path in outside:
        if {":", ","} & set(str(path)):
            raise WorkflowError(
                f"{path}: Apptainer binds no path with ':' or ','; rename it, or run without "
                "--use-singularity"
            )
    return outside


def hub_cache():
    """The folder that hub models are downloaded to, if there are any.

    In a container the home folder is the working folder, so that its default would be another.
    """
    if all(model["kind"] != "hub" for model in config["models"].values()):
        return []
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return ["--bind", folder, "--env", f"HF_HUB_CACHE={folder}"]


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


def showing_gpus(execute):
    """Snakemake's `Workflow.execute`, with Apptainer's `--nv` where a GPU is declared.

    That is, for a job of a cluster if it asks for one, and for all jobs of a run on this machine if
    a model of the study does. Before `execute` it is not known what is run, and where.
    """

    def execute_showing_gpus(executor_plugin, **settings):
        if workflow.remote_exec:
            declared = any(map(target_gpus, workflow.dag_settings.target_jobs))
        else:
            local = executor_plugin.common_settings.local_exec
            declared = local and any(map(study.on_gpu, config["models"]))
        if declared:
            add_arguments("--nv")
        return execute(executor_plugin=executor_plugin, **settings)

    return execute_showing_gpus


if in_container():
    check_image(config["container"])
    if workflow.is_main_process:
        for path in outside_paths():
            add_arguments("--bind", path)
        add_arguments(*hub_cache())
    if not workflow.subprocess_exec:
        workflow.execute = showing_gpus(workflow.execute)

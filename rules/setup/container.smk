"""Container (`--use-singularity`): the image, the folders bound into it, and its GPUs.

Folders and GPUs are arguments of Apptainer. Snakemake keeps them per process, not per job, and the
main process passes its arguments on to the jobs of a cluster, each of which is a Snakemake process.
"""

import os
import shlex
from pathlib import Path

from snakemake.iocontainers import Wildcards
from snakemake.settings.types import DeploymentMethod


def in_container():
    """Whether this run's jobs run in the image."""
    return DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method


def check_image(image):
    """Raise an error that names the build command if the image file does not exist."""
    if "://" not in image and not Path(image).exists():
        raise WorkflowError(
            f"config: container: {image}: no such file; build it with `container/build --output "
            f"{image}`, name another image, or run without --use-singularity"
        )


def outside_paths():
    """Paths outside of the working folder that jobs read; Snakemake binds the folder itself."""
    paths = [REPOSITORY]
    for model in study.models_of_kind("local"):
        # The files of a snapshot in the hub's cache are links to another folder.
        folders = {file.resolve().parent for file in study.checkpoint_files(model)}
        paths += [study.models[model].path, *folders]
    for task in study.tasks.values():
        paths += task.existing_files
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
    if not study.models_of_kind("hub"):
        return []
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return ["--bind", folder, "--env", f"HF_HUB_CACHE={folder}"]


def target_gpus(target):
    """The number of GPUs that a cluster job requests."""
    gpu = workflow.get_rule(target.rulename).resources.get("gpu")
    return gpu.evaluate(Wildcards(fromdict=target.wildcards_dict)).value if gpu else 0


def add_arguments(*arguments):
    """Add arguments of Apptainer for all jobs that this process starts from now on."""
    settings = workflow.deployment_settings
    settings.apptainer_args += "".join(
        f" {shlex.quote(str(argument))}" for argument in arguments
    )


def show_gpus(executor_plugin):
    """Give Apptainer's `--nv` to jobs where a GPU is declared, before any of them runs.

    That is, to a job of a cluster if it asks for one, and to all jobs of a run on this machine if a
    model of the study does. Before `Workflow.execute` it is not known what is run, and where.
    """
    if workflow.remote_exec:
        declared = any(map(target_gpus, workflow.dag_settings.target_jobs))
    else:
        local = executor_plugin.common_settings.local_exec
        declared = local and any(model.runs_on_gpu for model in study.models.values())
    if declared:
        add_arguments("--nv")


# The default image is the repository's, whatever folder the study is in.
if not Path(config["container"]).is_absolute() and "://" not in config["container"]:
    places = [Path(), REPOSITORY]
    images = [str(place / config["container"]) for place in places]
    config["container"] = next(filter(os.path.exists, images), config["container"])


container: config["container"]


if in_container():
    check_image(config["container"])
    if workflow.is_main_process:
        for path in outside_paths():
            add_arguments("--bind", path)
        add_arguments(*hub_cache())

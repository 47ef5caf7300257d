"""Cluster: partition, GPU constraint and GPU limit of a model's jobs, from the site's profile."""

from snakemake.logging import logger


def site_fact(name):
    """A default resource of the profile, as written there; None if the profile has none."""
    defaults = workflow.resource_settings.default_resources
    value = defaults.get(name).raw if defaults else None
    return value.strip("'\"") if isinstance(value, str) else value


def partition(wildcards):
    """The partition of a job that runs on a GPU if its model does."""
    gpu_partition = study.models[wildcards.model].runs_on_gpu and site_fact(
        "gpu_partition"
    )
    return gpu_partition or site_fact("slurm_partition")


def gpu_constraint(model):
    """The feature that nodes with the GPU have: as the GPU's entry in the config says, or the site."""
    gpu = needs.placement(model).gpu
    constraint = gpu.constraint or site_fact("gpu_constraint")
    return constraint and constraint.replace("{memory_gb}", f"{gpu.memory_gb:g}")


def gpus_of_largest_job():
    """GPUs of the job that asks for the most."""
    models = study.models.values()
    return max((model.gpus_per_job for model in models if model.runs_on_gpu), default=0)


def warn_of_ambiguous_gpus():
    """Warn if the scheduler cannot distinguish GPUs of two sizes by name and constraint."""
    sizes = {}
    for name, model in study.models.items():
        if not model.runs_on_gpu:
            continue
        gpu = needs.placement(name).gpu
        asked = (gpu.gpu_model, gpu_constraint(name))
        sizes.setdefault(asked, set()).add(f"{gpu.memory_gb:g}")
    for (name, constraint), several in sizes.items():
        if len(several) > 1:
            logger.warning(
                f"Jobs for {name} GPUs of {' and '.join(sorted(several))} GB ask for the same "
                f"(constraint {constraint}): where both are in the cluster, tell them apart by "
                "gpu_constraint in the profile, or by constraint in the config's gpus"
            )


if workflow.is_main_process and site_fact("gpu_partition"):
    warn_of_ambiguous_gpus()


# A limit for all jobs together (of profiles/default, say) is none for one: Snakemake would cut the
# job down to it, and a model that is spread over two GPUs would get one.
if gpu_limit := workflow.global_resources.get("gpu").value:
    workflow.register_resource("gpu", max(gpu_limit, gpus_of_largest_job()))

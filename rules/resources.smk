"""What jobs ask for, computed from the model's size and the length of its prompts.

Memory is in MiB, time in minutes. A job that is tried again asks for more memory and time.
"""

from math import ceil

from think_to_talk import requirements


def on_gpu(value):
    """A resource function: `value(model)` for a model on a GPU; unset for one on the CPU."""
    return lambda wildcards: (
        value(wildcards.model) if study.on_gpu(wildcards.model) else None
    )


def gpu_memory_mb(model):
    """The memory of the GPU that a model needs: of the smallest on which it fits."""
    return int(study.placement(model).gpu.memory_gb * 1024)


def model_device():
    """The resources of all jobs that run a model: the smallest GPU on which it fits, or none."""
    return {
        "gpu": on_gpu(lambda model: config["models"][model]["gpus_per_job"]),
        "gpu_model": on_gpu(lambda model: study.placement(model).gpu.gpu_model),
        "gpu_mem_mb": on_gpu(gpu_memory_mb),
        "constraint": on_gpu(gpu_constraint),
        "slurm_partition": partition,
    }


def decoding_memory_mb(wildcards, attempt):
    """Main memory of a hidden-state job. On a GPU, the weights pass through it file by file.

    Random ones that several GPUs share are drawn in it, all of them.
    """
    placement = study.placement(wildcards.model)
    if placement.gpu is not None:
        drawn = study.is_untrained(wildcards.model) and placement.n_gpus > 1
        weights = placement.weights if drawn else 0
        return attempt * (16_000 + ceil(weights / requirements.MB))
    return attempt * ceil(placement.memory.of(placement.batch_size) / requirements.MB)


def shard_rows(wildcards):
    """Rows of a hidden-state job."""
    return study.shard_rows(wildcards.task, wildcards.split, wildcards.shard)


def decoding_minutes(wildcards, attempt):
    """Time limit of a hidden-state job: that all of its rows diverge, with a margin."""
    work = study.work(wildcards.model, wildcards.task, shard_rows(wildcards))
    return attempt * requirements.runtime_minutes(
        work, study.placement(wildcards.model)
    )


def hidden_state_mb(wildcards):
    """Disk that a hidden-state job fills."""
    size = study.hidden_state_bytes(
        wildcards.model, wildcards.task, shard_rows(wildcards)
    )
    return ceil(size / requirements.MB)


def probe_memory_mb(wildcards, attempt):
    """Main memory of a probe job."""
    return attempt * ceil(
        study.probe_bytes(wildcards.model, wildcards.task) / requirements.MB
    )


def probe_threads(wildcards):
    """Cores of a probe job: wide hidden states are worth several."""
    return requirements.probe_threads(study.architecture(wildcards.model))


def probe_minutes(wildcards, attempt):
    """Time limit of a probe job."""
    return attempt * study.probe_minutes(wildcards.model, wildcards.task)


def intervention_minutes(work):
    """A resource function: time limit of an intervention job, whose work is `work(model, task)`."""
    return lambda wildcards, attempt: (
        attempt
        * requirements.runtime_minutes(
            work(wildcards.model, wildcards.task), study.placement(wildcards.model)
        )
    )

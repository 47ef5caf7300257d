"""Resources of jobs, computed from the size of the model and the length of its prompts.

Memory is in MiB, time in minutes. A retried job requests more memory and time.
"""

from math import ceil

from think_to_talk.study import memory, work


def if_on_gpu(value):
    """A resource function: `value(model)` for a model on a GPU; unset for one on the CPU."""
    return lambda wildcards: (
        value(wildcards.model) if study.models[wildcards.model].runs_on_gpu else None
    )


def gpu_memory_mb(model):
    """The memory of the GPU that a model needs: of the smallest on which it fits."""
    return int(needs.placement(model).gpu.memory_gb * 1024)


def model_device():
    """The resources of all jobs that run a model: the smallest GPU on which it fits, or none."""
    return {
        "gpu": if_on_gpu(lambda model: study.models[model].gpus_per_job),
        "gpu_model": if_on_gpu(lambda model: needs.placement(model).gpu.gpu_model),
        "gpu_mem_mb": if_on_gpu(gpu_memory_mb),
        "constraint": if_on_gpu(gpu_constraint),
        "slurm_partition": partition,
    }


def decoding_memory_mb(wildcards, attempt):
    """Main memory of a hidden-state job. On a GPU, the weights pass through it file by file.

    Random ones that several GPUs share are drawn in it, all of them.
    """
    placement = needs.placement(wildcards.model)
    if placement.gpu is not None:
        drawn = study.models[wildcards.model].is_untrained and placement.n_gpus > 1
        weights = placement.weights if drawn else 0
        return attempt * (16_000 + ceil(weights / memory.MB))
    return attempt * ceil(placement.memory.of(placement.batch_size) / memory.MB)


def n_shard_rows(wildcards):
    """Rows of a hidden-state job."""
    return study.n_shard_rows(wildcards.task, wildcards.split, wildcards.shard)


def decoding_minutes(wildcards, attempt):
    """Time limit of a hidden-state job: that all of its rows diverge, with a margin."""
    work = needs.work(wildcards.model, wildcards.task, n_shard_rows(wildcards))
    return attempt * needs.minutes(wildcards.model, work)


def hidden_state_mb(wildcards):
    """Disk that a hidden-state job fills."""
    size = needs.hidden_state_bytes(
        wildcards.model, wildcards.task, n_shard_rows(wildcards)
    )
    return ceil(size / memory.MB)


def unpacking_memory_mb(wildcards, attempt):
    """Main memory of unpacking a GGUF file."""
    sizes = needs.sizes(wildcards.model)
    return attempt * ceil(memory.unpacking_bytes(sizes) / memory.MB)


def unpacking_minutes(wildcards, attempt):
    """Time limit of unpacking a GGUF file."""
    return attempt * work.unpacking_minutes(needs.sizes(wildcards.model))


def unpacked_mb(wildcards):
    """Disk that a GGUF file's checkpoint in safetensors fills."""
    return ceil(needs.parameter_bytes(wildcards.model) / memory.MB)


def probe_memory_mb(wildcards, attempt):
    """Main memory of a probe job."""
    return attempt * ceil(
        needs.probe_bytes(wildcards.model, wildcards.task) / memory.MB
    )


def probe_cores(wildcards):
    """Cores of a probe job: wide hidden states are worth several."""
    return memory.probe_cores(needs.sizes(wildcards.model))


def probe_minutes(wildcards, attempt):
    """Time limit of a probe job."""
    return attempt * needs.probe_minutes(wildcards.model, wildcards.task)


def minutes_of(work):
    """A resource function: time limit of a job whose work with the model is `work(model, task)`."""
    return lambda wildcards, attempt: (
        attempt * needs.minutes(wildcards.model, work(wildcards.model, wildcards.task))
    )

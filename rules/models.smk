"""Models: trained by the study, downloaded from a hub, or checkpoints that exist."""

from think_to_talk.models.checkpoints import WRITTEN_FILES

UNPACKED_MODELS = [
    name
    for name, entry in study.models.items()
    if entry.is_unpacked and not entry.is_untrained
]

if workflow.is_main_process:
    for trusted in study.trusted_models():
        logger.warning(
            f"models.{trusted}.trust_remote_code: Python code that comes with this checkpoint may "
            "be run, and can do all that you can"
        )
    for warning in needs.warnings:
        logger.warning(warning)


def model_setting(key):
    """A parameter function: one field of the model's entry."""
    return lambda wildcards: getattr(study.models[wildcards.model], key)


def held_out_files(wildcards):
    """All problems of the tasks that a model is trained on: none of them may be among its own."""
    files = []
    for task in study.models[wildcards.model].training_tasks:
        of_task = {"seed": wildcards.seed, "task": task}
        files += expand(FORMULAS, **of_task, split=SPLITS)
        # Whether they are switched on or not: that must not retrain the model.
        files += expand(PAIRS, **of_task, edit=study.tasks[task].edits)
        if study.has_results(task):
            files += expand(INCONSISTENT_PAIRS, **of_task)
    return files


def held_out_valid(wildcards):
    """The problems on which a trained model's exact match is measured, per task."""
    tasks = study.models[wildcards.model].training_tasks
    return expand(FORMULAS, seed=wildcards.seed, task=tasks, split="valid")


def model_checkpoint(wildcards):
    """The folder or hub manifest that stands for a model's checkpoint.

    An untrained copy has that of its model, of which it does not read the weights.
    """
    model = study.models[wildcards.model]
    owner = model.checkpoint_owner
    if model.kind == "train":
        return TRAINED.format(model=owner, seed=wildcards.seed, file="")
    if model.kind == "hub":
        return SNAPSHOT.format(model=owner)
    if model.is_unpacked:
        return UNPACKED.format(model=owner, file="")
    return model.path


def checkpoint_files(wildcards):
    """The files of a model's checkpoint; of a hub model, its manifest."""
    source, model = model_checkpoint(wildcards), study.models[wildcards.model]
    if model.kind == "train" or model.is_unpacked:
        return [source + file for file in WRITTEN_FILES]
    if model.kind == "hub":
        return [source]
    return [str(file) for file in study.checkpoint_files(wildcards.model)]


def tokenizer_files(wildcards):
    """The files of a checkpoint but for its weights."""
    return [
        file
        for file in checkpoint_files(wildcards)
        if not file.endswith(".safetensors")
    ]


def model_files(wildcards):
    """The files that a model is loaded from: its checkpoint's; of a hub model, its manifest."""
    if study.models[wildcards.model].is_untrained:
        return tokenizer_files(wildcards)
    return checkpoint_files(wildcards)


def tokenizer_checkpoint(wildcards):
    """A parameter function: the fields of a `Checkpoint` on which its tokenizer depends."""
    return {
        "path": model_checkpoint(wildcards),
        "trust_remote_code": study.models[wildcards.model].trust_remote_code,
    }


def checkpoint(wildcards):
    """A parameter function: all fields of a `Checkpoint`; an untrained copy has a seed."""
    untrained = study.models[wildcards.model].is_untrained
    return {
        **tokenizer_checkpoint(wildcards),
        "dtype": needs.dtype(wildcards.model),
        "untrained_seed": int(wildcards.seed) if untrained else None,
    }


rule train:
    """Train a small Llama on the chain-of-thought task."""
    input:
        held_out=held_out_files,
        valid=held_out_valid,
    output:
        expand(
            TRAINED,
            file=WRITTEN_FILES,
            allow_missing=True,
        ),
        report=filled(TRAINED, file="training.json"),
    log:
        log_file("train/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("train/{model}/seed-{seed}")
    wildcard_constraints:
        model=one_of(study.models_of_kind("train")),
    conda:
        "../envs/environment.yaml"
    # Two models on a core each are done earlier than one after the other on two.
    threads: 2 if len(study.models_of_kind("train")) * len(study.seeds) == 1 else 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        training=lambda wildcards: study.models[wildcards.model].training.values,
        tasks=lambda wildcards: {
            task: study.tasks[task].training_values
            for task in study.models[wildcards.model].training_tasks
        },
        code=script_version("train.py"),
    script:
        "../workflow_scripts/train.py"


rule download:
    """Download a hub model into the cache, and write its manifest."""
    output:
        manifest=SNAPSHOT,
    log:
        log_file("download/{model}"),
    benchmark:
        benchmark_file("download/{model}")
    wildcard_constraints:
        model=one_of(study.models_of_kind("hub")),
    # On the machine that controls the study: compute nodes often have no way out.
    localrule: True
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=600,
    params:
        repository=model_setting("repository"),
        revision=model_setting("revision"),
        trust_remote_code=model_setting("trust_remote_code"),
        # No code version, and the declared architecture is read from the config: neither changes
        # what a commit holds, and writing the manifest again reruns all that reads the model.
    script:
        "../workflow_scripts/download.py"


rule unpack:
    """Write the model of a GGUF file as a checkpoint in safetensors, which loads at once."""
    input:
        model=lambda wildcards: study.checkpoint_files(wildcards.model),
    output:
        expand(UNPACKED, file=WRITTEN_FILES, allow_missing=True),
    log:
        log_file("unpack/{model}"),
    benchmark:
        benchmark_file("unpack/{model}")
    wildcard_constraints:
        model=one_of(UNPACKED_MODELS),
    # All jobs of the model wait for it.
    priority: 3
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=unpacking_memory_mb,
        runtime=unpacking_minutes,
        disk_mb=unpacked_mb,
    params:
        checkpoint=lambda wildcards: {
            "path": study.models[wildcards.model].path,
            "trust_remote_code": study.models[wildcards.model].trust_remote_code,
            "dtype": needs.dtype(wildcards.model),
        },
        # No code version: what does not load as the GGUF file's model is refused.
    script:
        "../workflow_scripts/unpack.py"


rule all_models:
    """All checkpoints that the study trains, and the manifests of those from a hub."""
    input:
        expand(
            filled(TRAINED, file="training.json"),
            model=study.models_of_kind("train"),
            seed=study.seeds,
        ),
        expand(SNAPSHOT, model=study.models_of_kind("hub")),
        expand(filled(UNPACKED, file="config.json"), model=UNPACKED_MODELS),

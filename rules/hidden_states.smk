"""Hidden states: verified greedy decoding of each token shard, and the generations."""


def shard_paths(pattern, split):
    """An input function: the files of all shards of a split, for the task of the wildcards."""
    return lambda wildcards: expand(
        pattern, **wildcards, split=split, shard=study.shards(wildcards.task, split)
    )


def deleted_unless_kept(path):
    """An output that is deleted once no job needs it any more, unless the config keeps it."""
    return path if config["keep_hidden_states"] else temp(path)


rule hidden_states:
    """Decode the rows of a token shard; store their hidden states and generations."""
    input:
        model=model_files,
        model_check=MODEL_CHECK,
        tokens=TOKENS,
        dataset=FORMULAS,
    output:
        hidden=deleted_unless_kept(HIDDEN_STATES),
        generations=SHARD_GENERATIONS,
    log:
        log_file("hidden_states/{model}/seed-{seed}/{task}/{split}/{shard}"),
    benchmark:
        benchmark_file("hidden_states/{model}/seed-{seed}/{task}/{split}/{shard}")
    # Probes take longest, and wait for them.
    priority: 1
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=decoding_memory_mb,
        runtime=decoding_minutes,
        disk_mb=hidden_state_mb,
        # Not among the parameters: it changes the cost, not the results.
        batch_size=lambda wildcards: needs.placement(wildcards.model).batch_size,
    params:
        checkpoint=checkpoint,
        layers=model_setting("layers"),
        last_layer=model_setting("last_layer"),
        max_new_tokens=model_setting("max_new_tokens"),
        cot=model_setting("cot"),
        stored_dtype=lambda wildcards: needs.stored_dtype(wildcards.model),
        identity=identity("model", "seed", "task", "split"),
        code=script_version("hidden_states.py"),
    script:
        "../workflow_scripts/hidden_states.py"


rule generations:
    """Join the generations of all shards of a task, split by split."""
    input:
        test=shard_paths(SHARD_GENERATIONS, "test"),
        probing_train=shard_paths(SHARD_GENERATIONS, "probing_train"),
    output:
        test=filled(GENERATIONS, split="test"),
        probing_train=filled(GENERATIONS, split="probing_train"),
    log:
        log_file("generations/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("generations/{model}/seed-{seed}/{task}")
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        code=script_version("generations.py"),
    script:
        "../workflow_scripts/generations.py"


rule all_hidden_states:
    """All hidden states and generations; give --notemp if the config deletes hidden states."""
    input:
        all_shards(HIDDEN_STATES),
        of_results(filled(GENERATIONS, split="test"), study.results()),
        of_results(filled(GENERATIONS, split="probing_train"), study.results()),

"""Hidden states: verified greedy decoding of each token shard, and what the model wrote."""


rule hidden_states:
    input:
        model=model_files,
        tokens="results/{model}/seed-{seed}/tokens/{task}/{split}/{shard}.safetensors",
        dataset=FORMULAS,
    output:
        hidden=deleted_unless_kept(
            "results/{model}/seed-{seed}/hidden_states/{task}/{split}/{shard}.safetensors"
        ),
        generations="results/{model}/seed-{seed}/hidden_states/{task}/{split}/{shard}.jsonl",
    log:
        "results/logs/hidden_states/{model}/seed-{seed}/{task}/{split}/{shard}.log",
    benchmark:
        "results/benchmarks/hidden_states/{model}/seed-{seed}/{task}/{split}/{shard}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=decoding_memory_mb,
        runtime=decoding_minutes,
        disk_mb=hidden_state_mb,
        # Not among the parameters: it changes the cost, not the results.
        batch_size=lambda wildcards: study.placement(wildcards.model).batch_size,
    params:
        model=model_checkpoint,
        trust_remote_code=trusts_code,
        untrained_seed=untrained_seed,
        layers=model_setting("layers"),
        max_new_tokens=model_setting("max_new_tokens"),
        dtype=lambda wildcards: study.dtype(wildcards.model),
        cot=model_setting("cot"),
        identity=identity("model", "seed", "task", "split"),
        code=script_version("hidden_states.py"),
    script:
        "../workflow_scripts/hidden_states.py"


rule generations:
    input:
        test=shard_paths("hidden_states", "test", "jsonl"),
        probing_train=shard_paths("hidden_states", "probing_train", "jsonl"),
    output:
        test="results/{model}/seed-{seed}/generations/{task}/test.jsonl",
        probing_train="results/{model}/seed-{seed}/generations/{task}/probing_train.jsonl",
    log:
        "results/logs/generations/{model}/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/generations/{model}/seed-{seed}/{task}.tsv"
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

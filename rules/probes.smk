"""Probes: one linear layer per saved layer, position and variable of a task.

Control probes are the same on control labels.
"""


rule probes:
    input:
        train=shard_paths("hidden_states", "probing_train"),
        test=shard_paths("hidden_states", "test"),
        train_dataset="results/formulas/seed-{seed}/{task}/probing_train.jsonl",
        test_dataset="results/formulas/seed-{seed}/{task}/test.jsonl",
    output:
        rows="results/{model}/seed-{seed}/{probes}/{task}.jsonl",
        weights="results/{model}/seed-{seed}/{probes}/{task}.safetensors",
    log:
        "results/logs/{probes}/{model}/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/{probes}/{model}/seed-{seed}/{task}.tsv"
    wildcard_constraints:
        probes="|".join(PROBE_LABELS),
    conda:
        "../envs/environment.yaml"
    threads: probe_threads
    resources:
        mem_mb=probe_memory_mb,
        runtime=probe_minutes,
    params:
        probes=probe_settings,
        labels=lambda wildcards: PROBE_LABELS[wildcards.probes],
        identity=identity("model", "seed", "task"),
        code=script_version("probes.py"),
    script:
        "../workflow_scripts/probes.py"

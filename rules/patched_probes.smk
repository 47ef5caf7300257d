"""Probes on patched runs: whether what probes read moves with a patch, and how far on."""

PATCHED_PROBES = "results/{model}/seed-{seed}/patched_probes/{task}.jsonl"


def patched_probes_memory_mb(wildcards, attempt):
    """Main memory of probes on patched runs: a model's, and the weights of a task's probes."""
    weights = needs.probe_weight_bytes(wildcards.model, wildcards.task)
    return decoding_memory_mb(wildcards, attempt) + ceil(weights / memory.MB)


rule patched_probes:
    """Apply a task's probes to patched runs of its pairs, and count whose values they say."""
    input:
        model=model_files,
        model_check=MODEL_CHECK,
        tokens=shard_paths(TOKENS, "test"),
        pairs=edited_pairs,
        probes=PROBES,
        weights=filled(PROBE_WEIGHTS, probes="probes"),
    output:
        rows=PATCHED_PROBES,
    log:
        log_file("patched_probes/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("patched_probes/{model}/seed-{seed}/{task}")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=patched_probes_memory_mb,
        runtime=minutes_of(needs.later.patched_probes),
        # Beside the cache there are a copy of it and the states of another run.
        batch_size=lambda wildcards: needs.placement(wildcards.model).halved_batch,
    params:
        checkpoint=checkpoint,
        shots=model_setting("shots"),
        bos=model_setting("bos"),
        chat=model_setting("chat"),
        last_layer=model_setting("last_layer"),
        identity=numbered_identity,
        edits=lambda wildcards: list(study.tasks[wildcards.task].edits),
        specs=study.interventions.specs,
        code=script_version("patched_probes.py"),
    script:
        "../workflow_scripts/patched_probes.py"


rule patched_probes_table:
    """Join which values move with a patch, and how far on, into one table."""
    input:
        of_results(PATCHED_PROBES, study.results(study.patched_probe_tasks)),
    output:
        **table_files("patched_probes", "patched_probes_table"),
    log:
        log_file("patched_probes_table"),
    benchmark:
        benchmark_file("patched_probes_table")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        threshold=config["timing"]["threshold"],
        code=script_version("patched_probes_table.py"),
    script:
        "../workflow_scripts/patched_probes_table.py"


def patched_probes_tables():
    """The table of probes on patched runs; none if the config switches them off."""
    read = study.results(study.patched_probe_tasks)
    return rules.patched_probes_table.output if read else []


rule patched_probes_overview:
    """Draw which values that probes read move with a patch along the symbols, per task."""
    input:
        probes=of_tasks(PROBES, study.patched_probe_tasks),
        patched=of_tasks(PATCHED_PROBES, study.patched_probe_tasks),
    output:
        figure_files(
            "seed-{seed}/patched_probes",
            "patched_probes",
            subcategory="all levels",
            labels={"figure": "probes on patched runs", "seed": "{seed}"},
        ),
    log:
        log_file("patched_probes_overview/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("patched_probes_overview/{model}/seed-{seed}")
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        tasks=lambda wildcards: study.patched_probe_tasks(wildcards.model),
        threshold=config["timing"]["threshold"],
        code=script_version("patched_probes_overview.py"),
    script:
        "../workflow_scripts/patched_probes_overview.py"


rule all_patched_probes:
    """What probes read in the patched runs of all models; nothing if it is switched off."""
    input:
        of_results(PATCHED_PROBES, study.results(study.patched_probe_tasks)),
        patched_probes_tables(),

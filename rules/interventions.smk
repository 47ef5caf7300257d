"""Interventions: pairs of problems, patched hidden states, and chains with a wrong result."""


rule pairs:
    input:
        splits=all_splits,
    output:
        PAIRS,
    log:
        "results/logs/pairs/seed-{seed}/{task}/{edit}.log",
    benchmark:
        "results/benchmarks/pairs/seed-{seed}/{task}/{edit}.tsv"
    wildcard_constraints:
        task=one_of(GENERATED_TASKS),
    group:
        "formulas"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        task=template_of,
        places=lambda wildcards: config["tasks"][wildcards.task]["edits"][
            wildcards.edit
        ],
        pairs=config["interventions"]["pairs"],
        code=script_version("pairs.py"),
    script:
        "../workflow_scripts/pairs.py"


rule inconsistent_pairs:
    input:
        splits=all_splits,
    output:
        INCONSISTENT_PAIRS,
    log:
        "results/logs/inconsistent_pairs/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/inconsistent_pairs/seed-{seed}/{task}.tsv"
    wildcard_constraints:
        task=one_of(GENERATED_TASKS),
    group:
        "formulas"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        task=template_of,
        pairs=config["interventions"]["pairs"],
        code=script_version("inconsistent_pairs.py"),
    script:
        "../workflow_scripts/inconsistent_pairs.py"


rule patching:
    input:
        model=model_files,
        pairs=edited_pairs,
    output:
        rows=PATCHING,
    log:
        "results/logs/patching/{model}/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/patching/{model}/seed-{seed}/{task}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=decoding_memory_mb,
        runtime=intervention_minutes(study.patching_work),
        batch_size=lambda wildcards: study.placement(wildcards.model).batch_size,
    params:
        model=model_checkpoint,
        trust_remote_code=trusts_code,
        shots=model_setting("shots"),
        dtype=lambda wildcards: study.dtype(wildcards.model),
        identity=numbered_identity,
        edits=lambda wildcards: list(config["tasks"][wildcards.task]["edits"]),
        patching={
            key: config["interventions"][key] for key in ("window", "stride", "specs")
        },
        code=script_version("patching.py"),
    script:
        "../workflow_scripts/patching.py"


rule inconsistent_chains:
    input:
        model=model_files,
        pairs=INCONSISTENT_PAIRS,
    output:
        rows=INCONSISTENT_CHAINS,
    log:
        "results/logs/inconsistent_chains/{model}/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/inconsistent_chains/{model}/seed-{seed}/{task}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=decoding_memory_mb,
        runtime=intervention_minutes(study.inconsistent_work),
        batch_size=lambda wildcards: study.placement(wildcards.model).batch_size,
    params:
        model=model_checkpoint,
        trust_remote_code=trusts_code,
        shots=model_setting("shots"),
        max_new_tokens=model_setting("max_new_tokens"),
        dtype=lambda wildcards: study.dtype(wildcards.model),
        identity=numbered_identity,
        code=script_version("inconsistent_chains.py"),
    script:
        "../workflow_scripts/inconsistent_chains.py"


rule patching_heatmap:
    input:
        patching=PATCHING,
        probes=PROBES,
    output:
        figure_files(
            "seed-{seed}/patching/{task}",
            "patching",
            subcategory="{task}",
            labels={"figure": "patching beside probes", "seed": "{seed}"},
        ),
    log:
        "results/logs/patching_heatmap/{model}/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/patching_heatmap/{model}/seed-{seed}/{task}.tsv"
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=script_version("patching_heatmap.py"),
    script:
        "../workflow_scripts/patching_heatmap.py"


rule interventions_overview:
    input:
        patching=lambda wildcards: expand(
            PATCHING, **wildcards, task=study.patched_tasks(wildcards.model)
        ),
        inconsistent=lambda wildcards: expand(
            INCONSISTENT_CHAINS,
            **wildcards,
            task=study.inconsistent_tasks(wildcards.model),
        ),
    output:
        figure_files(
            "seed-{seed}/interventions",
            "interventions",
            subcategory="all levels",
            labels={"figure": "what final answers follow", "seed": "{seed}"},
        ),
    log:
        "results/logs/interventions_overview/{model}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/interventions_overview/{model}/seed-{seed}.tsv"
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=script_version("interventions_overview.py"),
    script:
        "../workflow_scripts/interventions_overview.py"


rule interventions_table:
    input:
        patching=of_all_results(PATCHING, study.patched_tasks),
        inconsistent=of_all_results(INCONSISTENT_CHAINS, study.inconsistent_tasks),
    output:
        **table_files("interventions", "interventions_table"),
    log:
        "results/logs/interventions_table.log",
    benchmark:
        "results/benchmarks/interventions_table.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=script_version("interventions_table.py"),
    script:
        "../workflow_scripts/interventions_table.py"

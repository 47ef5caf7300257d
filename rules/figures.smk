"""Figures: heat maps of probe accuracy per task, and one overview per model and seed."""


rule heatmap:
    input:
        probes=PROBES,
        timing=TIMING,
    output:
        figure_files(
            "seed-{seed}/{task}",
            "heatmap",
            subcategory="{task}",
            labels={"figure": "accuracy of probes", "seed": "{seed}"},
        ),
    log:
        "results/logs/heatmap/{model}/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/heatmap/{model}/seed-{seed}/{task}.tsv"
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=script_version("heatmap.py"),
    script:
        "../workflow_scripts/heatmap.py"


rule overview:
    input:
        probes=lambda wildcards: expand(
            PROBES,
            **wildcards,
            task=study.tasks(wildcards.model),
        ),
    output:
        figure_files(
            "seed-{seed}/overview",
            "overview",
            subcategory="all levels",
            labels={"figure": "overview", "seed": "{seed}"},
        ),
    log:
        "results/logs/overview/{model}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/overview/{model}/seed-{seed}.tsv"
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        tasks=lambda wildcards: study.tasks(wildcards.model),
        threshold=config["timing"]["threshold"],
        code=script_version("overview.py"),
    script:
        "../workflow_scripts/overview.py"

"""Figures: heat maps of probe accuracy per task, and one overview per model and seed."""

FIGURES = SUMMARY + "figures/{model}/seed-{seed}/"
FORMATS = ["png", "svg"]


def all_figures():
    """The figures of all models, seeds and tasks."""
    return [
        f"{FIGURES}{figure}.{format}".format(model=model, seed=seed)
        for model in config["models"]
        for seed in config["seeds"]
        for figure in [*studied_tasks(model), "overview"]
        for format in FORMATS
    ]


rule heatmap:
    input:
        probes=STUDY + "probes/{task}.jsonl",
        timing=STUDY + "timing/{task}.jsonl",
    output:
        multiext(FIGURES + "{task}.", *FORMATS),
    log:
        "results/logs/heatmap/{model}/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/heatmap/{model}/seed-{seed}/{task}.tsv"
    params:
        code=script_version("heatmap.py"),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    script:
        "../workflow_scripts/heatmap.py"


rule overview:
    input:
        probes=lambda wildcards: expand(
            STUDY + "probes/{task}.jsonl", **wildcards, task=studied_tasks(wildcards.model)
        ),
    output:
        multiext(FIGURES + "overview.", *FORMATS),
    log:
        "results/logs/overview/{model}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/overview/{model}/seed-{seed}.tsv"
    params:
        tasks=lambda wildcards: studied_tasks(wildcards.model),
        threshold=config["timing"]["threshold"],
        code=script_version("overview.py"),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    script:
        "../workflow_scripts/overview.py"

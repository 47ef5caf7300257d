"""Weights & Biases: a run per model and seed, recorded on this machine."""


# Too quick for a cluster's queue.
localrules:
    wandb_run,


rule wandb_run:
    input:
        timing=lambda wildcards: expand(
            TIMING,
            **wildcards,
            task=study.tasks(wildcards.model),
        ),
        probes=lambda wildcards: expand(
            PROBES,
            **wildcards,
            task=study.tasks(wildcards.model),
        ),
        figures=lambda wildcards: expand(
            "results/summary/figures/{model}/seed-{seed}/{figure}.png",
            **wildcards,
            figure=[*study.tasks(wildcards.model), "overview"],
        ),
    output:
        report=WANDB_RUN,
        folder=directory("results/{model}/seed-{seed}/wandb"),
    log:
        "results/logs/wandb_run/{model}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/wandb_run/{model}/seed-{seed}.tsv"
    conda:
        "../envs/wandb.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        about=wandb_about,
        config=wandb_config,
        packages=PACKAGES,
        code=script_version("wandb_run.py"),
    script:
        "../workflow_scripts/wandb_run.py"

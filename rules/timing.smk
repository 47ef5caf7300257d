"""Timing: when each variable becomes readable, per task and as one table of the study."""


def numbered_identity(wildcards):
    """A parameter function: model, seed (a number) and task, as in the rows of tables."""
    return {
        "model": wildcards.model,
        "seed": int(wildcards.seed),
        "task": wildcards.task,
    }


rule timing:
    """Find when each variable of a task becomes readable: t*."""
    input:
        probes=PROBES,
        generations=filled(GENERATIONS, split="test"),
        dataset=filled(FORMULAS, split="test"),
        ceilings=lambda wildcards: ceilings_of(wildcards.task),
    output:
        timing=TIMING,
    log:
        log_file("timing/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("timing/{model}/seed-{seed}/{task}")
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        threshold=config["timing"]["threshold"],
        identity=numbered_identity,
        code=script_version("timing.py"),
    script:
        "../workflow_scripts/timing.py"


rule timing_table:
    """Join the timing of all models, seeds and tasks into one table."""
    input:
        timing=of_all_results(TIMING),
    output:
        **table_files("timing", "timing"),
    log:
        log_file("timing_table"),
    benchmark:
        benchmark_file("timing_table")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        code=script_version("timing_table.py"),
    script:
        "../workflow_scripts/timing_table.py"


rule all_timing:
    """When each variable becomes readable: all rows, and their table."""
    input:
        of_all_results(TIMING),
        rules.timing_table.output,

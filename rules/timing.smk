"""Timing: when each variable becomes readable, per task and as one table of the study."""


def numbered_identity(wildcards):
    """A parameter function: model, seed (a number) and task, as in the rows of tables."""
    return {
        "model": wildcards.model,
        "seed": int(wildcards.seed),
        "task": wildcards.task,
    }


def of_own_model(pattern):
    """An input function: the file of the wildcards, but none for published probe rows."""
    return lambda wildcards: (
        [] if wildcards.model in study.published else pattern.format(**wildcards)
    )


rule timing:
    """Find when each variable of a task becomes readable: t*."""
    input:
        probes=PROBES,
        generations=of_own_model(filled(GENERATIONS, split="test")),
        dataset=of_own_model(filled(FORMULAS, split="test")),
        ceilings=lambda wildcards: ceilings_of(wildcards.task),
    output:
        timing=TIMING,
    log:
        log_file("timing/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("timing/{model}/seed-{seed}/{task}")
    wildcard_constraints:
        model=one_of(PROBED_MODELS),
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
        timing=of_results(TIMING, study.probed_results()),
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
        of_results(TIMING, study.probed_results()),
        rules.timing_table.output,

"""Clocks: when each value is determined by the text, readable, said, and used."""


rule clocks:
    """Join when the values of a model's tasks are determined, readable, said and used."""
    input:
        probes=of_tasks(PROBES),
        timing=of_tasks(TIMING),
        forced=of_tasks(FORCED_ANSWERS, study.forced_tasks),
        patching=of_tasks(PATCHING, study.patched_tasks),
    output:
        rows=CLOCKS,
    log:
        log_file("clocks/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("clocks/{model}/seed-{seed}")
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
        tasks=lambda wildcards: study.tasks_of(wildcards.model),
        forced=lambda wildcards: study.forced_tasks(wildcards.model),
        patched=lambda wildcards: study.patched_tasks(wildcards.model),
        threshold=config["timing"]["threshold"],
        code=script_version("clocks.py"),
    script:
        "../workflow_scripts/clocks.py"


def all_clock_rows():
    """The clocks of all models and seeds, and of published probe rows."""
    return list(dict.fromkeys(of_results(CLOCKS, study.probed_results())))


rule clocks_table:
    """Join the clocks of all models and seeds into one table."""
    input:
        clocks=all_clock_rows(),
    output:
        **table_files("clocks", "clocks_table"),
    log:
        log_file("clocks_table"),
    benchmark:
        benchmark_file("clocks_table")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        code=script_version("clocks_table.py"),
    script:
        "../workflow_scripts/clocks_table.py"


rule all_clocks:
    """When each value is determined, readable, said and used: all rows, and their table."""
    input:
        all_clock_rows(),
        rules.clocks_table.output,

"""Timing: when each variable becomes readable, per task and as one table of the study."""


rule timing:
    input:
        probes=PROBES,
        generations="results/{model}/seed-{seed}/generations/{task}/test.jsonl",
    output:
        timing=TIMING,
    log:
        "results/logs/timing/{model}/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/timing/{model}/seed-{seed}/{task}.tsv"
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
    input:
        timing=of_all_results(TIMING),
    output:
        **table_files("timing", "timing"),
    log:
        "results/logs/timing_table.log",
    benchmark:
        "results/benchmarks/timing_table.tsv"
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

"""Controls for probes: a table and a figure of each per model, and a table over all models."""


rule control:
    input:
        probes=lambda wildcards: of_seeds_and_tasks(PROBES, wildcards),
        beside=lambda wildcards: of_seeds_and_tasks(
            BESIDE.get(wildcards.control), wildcards
        ),
    output:
        rows="results/{model}/controls/{control}.jsonl",
        figures=figure_files(
            "{control}",
            "control",
            subcategory="all levels",
            labels={"figure": "control: {control}", "seed": "all"},
        ),
    log:
        "results/logs/control/{model}/{control}.log",
    benchmark:
        "results/benchmarks/control/{model}/{control}.tsv"
    wildcard_constraints:
        model=one_of(study.controlled_models),
        control=one_of(study.controls),
    group:
        "controls.{model}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        parts=seeds_and_tasks,
        options=control_options,
        code=script_version("control.py"),
    script:
        "../workflow_scripts/control.py"


rule control_table:
    input:
        expand(
            "results/{model}/controls/{control}.jsonl",
            model=study.controlled_models,
            allow_missing=True,
        ),
    output:
        **table_files("controls/{control}", "control_table"),
    log:
        "results/logs/control_table/{control}.log",
    benchmark:
        "results/benchmarks/control_table/{control}.tsv"
    wildcard_constraints:
        control=one_of(study.controls),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        code=script_version("control_table.py"),
    script:
        "../workflow_scripts/control_table.py"

"""Datasets: problems drawn from a task's template, or an existing dataset, checked."""


rule formulas:
    output:
        expand(FORMULAS, split=SPLITS, allow_missing=True),
    log:
        "results/logs/formulas/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/formulas/seed-{seed}/{task}.tsv"
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
        sizes=config["splits"],
        code=script_version("formulas.py"),
    script:
        "../workflow_scripts/formulas.py"


rule dataset:
    input:
        lambda wildcards: config["tasks"][wildcards.task]["files"][wildcards.split],
    output:
        FORMULAS,
    log:
        "results/logs/dataset/seed-{seed}/{task}/{split}.log",
    benchmark:
        "results/benchmarks/dataset/seed-{seed}/{task}/{split}.tsv"
    wildcard_constraints:
        task=one_of(DATASET_TASKS),
    group:
        "formulas"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        schema=configuration.load_schema("dataset_row", f"{workflow.basedir}/schemas"),
        code=script_version("dataset.py"),
    script:
        "../workflow_scripts/dataset.py"

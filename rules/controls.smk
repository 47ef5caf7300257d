"""Controls for probes: a table and a figure of each per model, and a table over all models."""

# What a control sets beside the probes of each seed and task of a model, if anything.
BESIDE = {
    "labels": "results/{model}/seed-{seed}/control_probes/{task}.jsonl",
    "untrained": f"results/{{model}}{configuration.UNTRAINED_SUFFIX}/seed-{{seed}}/probes/{{task}}.jsonl",
    "wrong_rows": "results/{model}/seed-{seed}/generations/{task}/test.jsonl",
    "seeds": "results/{model}/seed-{seed}/timing/{task}.jsonl",
}


def controlled(pattern, model):
    """A file for each seed and task of a model, in this order; none if there is no pattern."""
    if pattern is None:
        return []
    tasks = study.tasks(model)
    return expand(pattern, seed=config["seeds"], task=tasks, model=model)


def control_options(wildcards):
    """What a control reads of the config: changing another's reruns nothing."""
    if wildcards.control == "thresholds":
        return {"thresholds": config["controls"]["thresholds"]}
    return {}


def all_controls():
    """The tables of the controls that are switched on, and their figures of all models."""
    tables = expand(
        "results/summary/controls/{control}.{format}",
        control=study.controls,
        format=["jsonl", "csv", "md"],
    )
    figures = expand(
        "results/summary/figures/{model}/{control}.{format}",
        model=study.controlled_models,
        control=study.controls,
        format=FORMATS,
    )
    return tables + figures


rule control:
    input:
        probes=lambda wildcards: controlled(
            "results/{model}/seed-{seed}/probes/{task}.jsonl", wildcards.model
        ),
        beside=lambda wildcards: controlled(
            BESIDE.get(wildcards.control), wildcards.model
        ),
    output:
        rows="results/{model}/controls/{control}.jsonl",
        figures=expand(
            "results/summary/figures/{model}/{control}.{format}",
            format=FORMATS,
            allow_missing=True,
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
        parts=lambda wildcards: [
            (seed, task)
            for seed in config["seeds"]
            for task in study.tasks(wildcards.model)
        ],
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
        rows="results/summary/controls/{control}.jsonl",
        csv="results/summary/controls/{control}.csv",
        markdown="results/summary/controls/{control}.md",
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

"""Timing: when each variable becomes readable, per task and as one table of the study."""


def all_timing(_wildcards):
    """The timing rows of all models, seeds and tasks."""
    return [
        f"{STUDY}timing/{task}.jsonl".format(model=model, seed=seed)
        for model in config["models"]
        for seed in config["seeds"]
        for task in studied_tasks(model)
    ]


def show_timing_table():
    """Print the table that a run ends with."""
    table = Path(rules.timing_table.output.markdown)
    print(f"\n{table.read_text(encoding='utf-8')}\nTables and figures: {table.parent}/")


rule timing:
    input:
        probes=STUDY + "probes/{task}.jsonl",
        generations=STUDY + "generations/{task}/test.jsonl",
    output:
        timing=STUDY + "timing/{task}.jsonl",
    log:
        "results/logs/timing/{model}/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/timing/{model}/seed-{seed}/{task}.tsv"
    params:
        threshold=config["timing"]["threshold"],
        identity=lambda wildcards: {
            "model": wildcards.model,
            "seed": int(wildcards.seed),
            "task": wildcards.task,
        },
        code=script_version("timing.py"),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    script:
        "../workflow_scripts/timing.py"


rule timing_table:
    input:
        timing=all_timing,
    output:
        rows=SUMMARY + "timing.jsonl",
        csv=SUMMARY + "timing.csv",
        markdown=SUMMARY + "timing.md",
    log:
        "results/logs/timing_table.log",
    benchmark:
        "results/benchmarks/timing_table.tsv"
    params:
        code=script_version("timing_table.py"),
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    script:
        "../workflow_scripts/timing_table.py"

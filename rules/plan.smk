"""The bill in advance: `snakemake --cores 1 plan` writes results/plan.md before anything runs."""


localrules:
    plan,


rule plan:
    output:
        plan="results/plan.md",
    log:
        "results/logs/plan.log",
    benchmark:
        "results/benchmarks/plan.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        config=config,
        code=script_version("plan.py"),
    script:
        "../workflow_scripts/plan.py"

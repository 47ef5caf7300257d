"""The cost of a study: `snakemake --cores 1 plan` writes it before anything runs."""


rule plan:
    """Write what the study will cost, before anything runs: results/plan.md."""
    output:
        plan=PLAN,
    log:
        log_file("plan"),
    benchmark:
        benchmark_file("plan")
    localrule: True
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        config=study.config,
        code=script_version(
            "plan.py",
            "think_to_talk/models/configs.py",
            "think_to_talk/models/live_memory.py",
            "think_to_talk/models/measure_sizes.py",
        ),
    script:
        "../workflow_scripts/plan.py"

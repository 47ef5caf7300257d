"""Findings: what holds of each model in every seed of the study."""


rule findings:
    """Check each finding for all models and tasks, in every seed, and write them as sentences."""
    input:
        timing=rules.timing_table.output.rows,
        clocks=rules.clocks_table.output.rows,
        interventions=(
            [rules.interventions_table.output.rows] if intervention_tables() else []
        ),
    output:
        **table_files("findings", "findings"),
        # With it the report opens.
        opening=filled(TABLE, table="findings", format="rst"),
    log:
        log_file("findings"),
    benchmark:
        benchmark_file("findings")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        models=study.controlled_models,
        # Findings are about problems that are drawn, or in symbols.
        free_text=FREE_TEXT_TASKS,
        templates={
            task: study.tasks[task].template_values
            for task in dict.fromkeys(result["task"] for result in study.results())
            if task in GENERATED_TASKS and study.tasks[task].chain == "full"
        },
        threshold=config["timing"]["threshold"],
        code=script_version("findings.py"),
    script:
        "../workflow_scripts/findings.py"


rule all_findings:
    """What holds of each model in every seed."""
    input:
        rules.findings.output,

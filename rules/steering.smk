"""Steering: what each model writes when a hidden state is moved along the weights of a probe."""


rule steering:
    """Move hidden states of a task's test rows along the weights of probes, and let a model write."""
    input:
        model=model_files,
        model_check=MODEL_CHECK,
        tokens=shard_paths(TOKENS, "test"),
        dataset=filled(FORMULAS, split="test"),
        generations=filled(GENERATIONS, split="test"),
        probing_train=filled(FORMULAS, split="probing_train"),
        probing_train_generations=filled(GENERATIONS, split="probing_train"),
        probes=PROBES,
        weights=filled(PROBE_WEIGHTS, probes="probes"),
        ceilings=CEILINGS,
    output:
        rows=STEERING,
    log:
        log_file("steering/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("steering/{model}/seed-{seed}/{task}")
    wildcard_constraints:
        task=one_of(GENERATED_TASKS),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=decoding_memory_mb,
        runtime=minutes_of(needs.later.steering),
        # The cache of the tokens before a position is copied twice, for the runs that start there.
        batch_size=lambda wildcards: max(
            1, needs.placement(wildcards.model).halved_batch // 2
        ),
    params:
        checkpoint=checkpoint,
        shots=model_setting("shots"),
        bos=model_setting("bos"),
        chat=model_setting("chat"),
        last_layer=model_setting("last_layer"),
        identity=numbered_identity,
        task=lambda wildcards: study.tasks[wildcards.task].template_values,
        train_on=lambda wildcards: study.probes_of(wildcards.model).train_on,
        steering={
            "problems": study.steering.problems,
            "factors": study.steering.factors,
            "controls": study.steering.controls,
            "threshold": config["timing"]["threshold"],
        },
        code=script_version("steering.py"),
    script:
        "../workflow_scripts/steering.py"


rule steering_table:
    """Join what steering does to what each model writes into one table."""
    input:
        of_results(STEERING, study.results(study.steered_tasks)),
    output:
        **table_files("steering", "steering_table"),
    log:
        log_file("steering_table"),
    benchmark:
        benchmark_file("steering_table")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=script_version("steering_table.py"),
    script:
        "../workflow_scripts/steering_table.py"


def steering_tables():
    """The table of steering; none if the config switches it off."""
    steered = study.results(study.steered_tasks)
    return rules.steering_table.output if steered else []


rule steering_overview:
    """Draw how often a model follows what probes were made to say, along the symbols, per task."""
    input:
        probes=of_tasks(PROBES, study.steered_tasks),
        steering=of_tasks(STEERING, study.steered_tasks),
    output:
        figure_files(
            "seed-{seed}/steering",
            "steering",
            subcategory="all levels",
            labels={"figure": "steering along probes", "seed": "{seed}"},
        ),
    log:
        log_file("steering_overview/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("steering_overview/{model}/seed-{seed}")
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        tasks=lambda wildcards: study.steered_tasks(wildcards.model),
        code=script_version("steering_overview.py"),
    script:
        "../workflow_scripts/steering_overview.py"


rule all_steering:
    """What all models write when they are steered; nothing if it is switched off."""
    input:
        of_results(STEERING, study.results(study.steered_tasks)),
        steering_tables(),

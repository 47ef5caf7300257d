"""Forced answers: what each model says if it must answer in the middle of its chain of thought."""


rule forced_answers:
    """Have a model answer before and after each equation of a task's gold chains."""
    input:
        model=model_files,
        model_check=MODEL_CHECK,
        tokens=shard_paths(TOKENS, "test"),
        dataset=filled(FORMULAS, split="test"),
    output:
        rows=FORCED_ANSWERS,
    log:
        log_file("forced_answers/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("forced_answers/{model}/seed-{seed}/{task}")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=decoding_memory_mb,
        runtime=minutes_of(needs.later.forced),
        # At each cut there is a copy of the cache.
        batch_size=lambda wildcards: needs.placement(wildcards.model).halved_batch,
    params:
        checkpoint=checkpoint,
        shots=model_setting("shots"),
        bos=model_setting("bos"),
        chat=model_setting("chat"),
        cut_texts=lambda wildcards: study.tasks[wildcards.task].cut_texts,
        n_classes=lambda wildcards: study.tasks[wildcards.task].n_classes,
        identity=numbered_identity,
        code=script_version("forced_answers.py"),
    script:
        "../workflow_scripts/forced_answers.py"


rule forced_answers_table:
    """Join when each model says the answer of each task into one table."""
    input:
        of_results(FORCED_ANSWERS, study.results(study.forced_tasks)),
    output:
        **table_files("forced_answers", "forced_answers_table"),
    log:
        log_file("forced_answers_table"),
    benchmark:
        benchmark_file("forced_answers_table")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        threshold=config["timing"]["threshold"],
        code=script_version("forced_answers_table.py"),
    script:
        "../workflow_scripts/forced_answers_table.py"


def forced_answer_tables():
    """The table of forced answers; none if the config switches them off."""
    asked = study.results(study.forced_tasks)
    return rules.forced_answers_table.output if asked else []


rule all_forced_answers:
    """What all models say if they must answer; nothing if it is switched off."""
    input:
        of_results(FORCED_ANSWERS, study.results(study.forced_tasks)),
        forced_answer_tables(),

"""Logit lens: what each model's own final norm and head read in its stored hidden states."""


rule logit_lens:
    """Read the hidden states of a task's test rows with the model's own final norm and head."""
    input:
        model=model_files,
        model_check=MODEL_CHECK,
        hidden=shard_paths(HIDDEN_STATES, "test"),
        tokens=shard_paths(TOKENS, "test"),
        dataset=filled(FORMULAS, split="test"),
    output:
        rows=LOGIT_LENS,
    log:
        log_file("logit_lens/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("logit_lens/{model}/seed-{seed}/{task}")
    # Before hidden states of other tasks, so that these can be deleted early.
    priority: 2
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=decoding_memory_mb,
        runtime=minutes_of(needs.later.lens),
        batch_size=lambda wildcards: needs.placement(wildcards.model).batch_size,
    params:
        checkpoint=checkpoint,
        n_classes=lambda wildcards: study.tasks[wildcards.task].n_classes,
        identity=numbered_identity,
        code=script_version("logit_lens.py"),
    script:
        "../workflow_scripts/logit_lens.py"


rule all_logit_lens:
    """What the logit lens reads of all models, seeds and tasks; nothing if it is switched off."""
    input:
        of_results(LOGIT_LENS, study.results(study.lens_tasks)),

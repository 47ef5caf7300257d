"""The model check: what holds of a model, found out by running it before all that runs it."""


rule model_check:
    """Find out what decoding and patching may rely on; refuse a model that cannot be studied."""
    input:
        model=model_files,
    output:
        facts=MODEL_CHECK,
    log:
        log_file("model_check/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("model_check/{model}/seed-{seed}")
    # Hidden states, and with them probes, wait for it.
    priority: 1
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=decoding_memory_mb,
        runtime=30,
        # Not among the parameters: what a study does with the model changes no fact.
        patched=lambda wildcards: int(study.replaces_states(wildcards.model)),
        last_layer=model_setting("last_layer"),
    params:
        checkpoint=checkpoint,
        identity=identity("model", "seed"),
        code=script_version("model_check.py"),
    script:
        "../workflow_scripts/model_check.py"


rule all_model_checks:
    """What holds of each model."""
    input:
        expand(MODEL_CHECK, model=study.models, seed=study.seeds),

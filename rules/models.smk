"""Models: trained by the study, downloaded from a hub, or checkpoints that exist."""


rule train:
    input:
        held_out=held_out_files,
        valid=held_out_valid,
    output:
        expand(
            "results/models/{model}/seed-{seed}/{file}",
            file=TRAINED_FILES,
            allow_missing=True,
        ),
        report="results/models/{model}/seed-{seed}/training.json",
    log:
        "results/logs/train/{model}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/train/{model}/seed-{seed}.tsv"
    wildcard_constraints:
        model=one_of(models_of_kind("train")),
    conda:
        "../envs/environment.yaml"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        training=model_setting("training"),
        tasks=lambda wildcards: {
            task: without_edits(task)
            for task in config["models"][wildcards.model]["training"]["tasks"]
        },
        code=script_version("train.py"),
    script:
        "../workflow_scripts/train.py"


# On the machine that controls the study: compute nodes often have no way out.
localrules:
    download,


rule download:
    output:
        manifest=SNAPSHOT,
    log:
        "results/logs/download/{model}.log",
    benchmark:
        "results/benchmarks/download/{model}.tsv"
    wildcard_constraints:
        model=one_of(models_of_kind("hub")),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=600,
    params:
        repository=model_setting("repository"),
        revision=model_setting("revision"),
        trust_remote_code=trusts_code,
        # No code version, and the declared architecture is read from the config: neither changes
        # what a commit holds, and writing the manifest again reruns all that reads the model.
    script:
        "../workflow_scripts/download.py"

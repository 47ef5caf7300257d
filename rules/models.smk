"""Models: trained by the study, or checkpoints that exist."""


rule train:
    input:
        held_out=held_out_files,
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
        model=one_of(TRAINED_MODELS),
    conda:
        "../envs/environment.yaml"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        training=model_setting("training"),
        tasks=lambda wildcards: {
            task: config["tasks"][task]
            for task in config["models"][wildcards.model]["training"]["tasks"]
        },
        code=script_version("train.py"),
    script:
        "../workflow_scripts/train.py"

"""Models: trained by the study, or checkpoints that exist."""

TRAINED_FILES = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
]


def held_out_files(wildcards):
    """All problems of all tasks: a model must not be trained on any of them."""
    tasks = config["models"][wildcards.model]["training"]["tasks"]
    splits = ["train", "valid", *STUDIED_SPLITS]
    return expand(FORMULAS, seed=wildcards.seed, task=tasks, split=splits)


def model_folder(wildcards):
    """The folder (or GGUF file) of a model's checkpoint."""
    model = config["models"][wildcards.model]
    return TRAINED.format(**wildcards) if model["kind"] == "train" else model["path"]


def model_files(wildcards):
    """The files of a model's checkpoint."""
    model = config["models"][wildcards.model]
    if model["kind"] == "train":
        return [model_folder(wildcards) + file for file in TRAINED_FILES]
    return [str(file) for file in models.checkpoint_files(model["path"])]


def tokenizer_files(wildcards):
    """The files of a checkpoint but for its weights; a GGUF file holds both."""
    return [file for file in model_files(wildcards) if not file.endswith(".safetensors")]


rule train:
    input:
        held_out=held_out_files,
    output:
        [TRAINED + file for file in TRAINED_FILES],
        report=TRAINED + "training.json",
    log:
        "results/logs/train/{model}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/train/{model}/seed-{seed}.tsv"
    params:
        training=model_setting("training"),
        tasks=lambda wildcards: {
            task: config["tasks"][task]
            for task in config["models"][wildcards.model]["training"]["tasks"]
        },
        code=script_version("train.py"),
    wildcard_constraints:
        model=one_of(TRAINED_MODELS),
    threads: 2
    resources:
        mem_mb=2000,
        runtime=30,
    script:
        "../workflow_scripts/train.py"

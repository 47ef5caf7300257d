"""Tokens: prompts with their gold chains, aligned over a task and cut into shards.

One job per task, since all rows of a task must align; one rule per task, since tasks differ in the
number of shards.
"""

for studied_task in study.tasks:

    rule:
        """Tokenize and align the prompts and gold chains of a task, cut into shards."""
        name:
            f"tokens_{studied_task}"
        input:
            tokenizer=tokenizer_files,
            test=filled(FORMULAS, split="test"),
            probing_train=filled(FORMULAS, split="probing_train"),
        output:
            **{
                split: expand(
                    TOKENS,
                    split=split,
                    shard=study.shards(studied_task, split),
                    allow_missing=True,
                )
                for split in STUDIED_SPLITS
            },
        log:
            log_file("tokens/{model}/seed-{seed}/{task}"),
        benchmark:
            benchmark_file("tokens/{model}/seed-{seed}/{task}")
        wildcard_constraints:
            task=one_of([studied_task]),
        # Hidden states, and with them probes, wait for them.
        priority: 1
        group:
            "tokens.{model}.seed-{seed}"
        conda:
            "../envs/environment.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            checkpoint=tokenizer_checkpoint,
            rows={split: study.n_rows(studied_task, split) for split in STUDIED_SPLITS},
            shots=model_setting("shots"),
            bos=model_setting("bos"),
            chat=model_setting("chat"),
            # Whether the model has positions for so many.
            max_new_tokens=model_setting("max_new_tokens"),
            shard_rows=study.rows_per_shard,
            identity=identity("model", "seed", "task"),
            code=script_version("tokens.py"),
        script:
            "../workflow_scripts/tokens.py"


def all_shards(pattern):
    """The files of all shards of all models, seeds and tasks."""
    return [
        pattern.format(**result, split=split, shard=shard)
        for result in study.results()
        for split in STUDIED_SPLITS
        for shard in study.shards(result["task"], split)
    ]


rule all_tokens:
    """The tokenized prompts and gold chains of all models, seeds and tasks."""
    input:
        all_shards(TOKENS),

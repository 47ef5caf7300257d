"""Tokens: prompts with their gold chains, aligned over a task and cut into shards.

One job per task, since all rows of a task must align; one rule per task, since tasks differ in the
number of shards.
"""

for studied_task in config["tasks"]:

    rule:
        name:
            f"tokens_{studied_task}"
        input:
            tokenizer=tokenizer_files,
            test=FORMULAS.replace("{split}", "test"),
            probing_train=FORMULAS.replace("{split}", "probing_train"),
        output:
            **{
                split: expand(
                    f"{STUDY}tokens/{{task}}/{split}/{{shard}}.safetensors",
                    shard=shards(studied_task, split),
                    allow_missing=True,
                )
                for split in STUDIED_SPLITS
            },
        log:
            "results/logs/tokens/{model}/seed-{seed}/{task}.log",
        benchmark:
            "results/benchmarks/tokens/{model}/seed-{seed}/{task}.tsv"
        params:
            model=model_folder,
            shots=model_setting("shots"),
            shard_rows=config["hidden_states"]["shard_rows"],
            identity=identity("model", "seed", "task"),
            code=script_version("tokens.py"),
        wildcard_constraints:
            task=one_of([studied_task]),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        script:
            "../workflow_scripts/tokens.py"

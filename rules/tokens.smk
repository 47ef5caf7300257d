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
            test="results/formulas/seed-{seed}/{task}/test.jsonl",
            probing_train="results/formulas/seed-{seed}/{task}/probing_train.jsonl",
        output:
            **{
                split: expand(
                    f"results/{{model}}/seed-{{seed}}/tokens/{{task}}/{split}/{{shard}}.safetensors",
                    shard=study.shards(studied_task, split),
                    allow_missing=True,
                )
                for split in STUDIED_SPLITS
            },
        log:
            "results/logs/tokens/{model}/seed-{seed}/{task}.log",
        benchmark:
            "results/benchmarks/tokens/{model}/seed-{seed}/{task}.tsv"
        wildcard_constraints:
            task=one_of([studied_task]),
        group:
            "tokens.{model}.seed-{seed}"
        conda:
            "../envs/environment.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            model=model_checkpoint,
            trust_remote_code=trusts_code,
            rows={split: study.n_rows(studied_task, split) for split in STUDIED_SPLITS},
            shots=model_setting("shots"),
            shard_rows=config["hidden_states"]["shard_rows"],
            identity=identity("model", "seed", "task"),
            code=script_version("tokens.py"),
        script:
            "../workflow_scripts/tokens.py"

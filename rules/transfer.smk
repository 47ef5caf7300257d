"""Transfer: probes of one task on the hidden states of another, at every symbol of both."""

TRANSFER = "results/{model}/seed-{seed}/transfer/{transfer}.jsonl"


wildcard_constraints:
    transfer=one_of(study.transfers),


def transfer_files(pattern, of, **values):
    """An input function: a file of the task that is tested, or on which probes were trained.

    of: `tested` or `trained`.
    """
    return lambda wildcards: pattern.format(
        **study.transfers[wildcards.transfer].whose(of, wildcards.model),
        seed=wildcards.seed,
        **values,
    )


def tested_hidden_states(wildcards):
    """The hidden-state shards of the tested task's test rows."""
    task = study.transfers[wildcards.transfer].test
    return expand(
        HIDDEN_STATES,
        **wildcards,
        task=task,
        split="test",
        shard=study.shards(task, "test"),
    )


def transfer_identity(of):
    """A parameter function: model, seed and task; of: as of `transfer_files`."""
    return lambda wildcards: {
        **study.transfers[wildcards.transfer].whose(of, wildcards.model),
        "seed": int(wildcards.seed),
    }


def transfer_memory_mb(wildcards, attempt):
    """Main memory of a transfer: the weights of the probes, and a position's states and logits."""
    size = needs.transfers.n_bytes(wildcards.model, wildcards.transfer)
    return attempt * ceil(size / memory.MB)


rule transfer:
    """Apply a task's probes to another task's hidden states, and count how often they are right."""
    input:
        probes=transfer_files(PROBES, "trained"),
        weights=transfer_files(PROBE_WEIGHTS, "trained", probes="probes"),
        hidden=tested_hidden_states,
        dataset=transfer_files(FORMULAS, "tested", split="test"),
    output:
        rows=TRANSFER,
    log:
        log_file("transfer/{model}/seed-{seed}/{transfer}"),
    benchmark:
        benchmark_file("transfer/{model}/seed-{seed}/{transfer}")
    # Before hidden states of other tasks, so that these can be deleted early.
    priority: 2
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=transfer_memory_mb,
        runtime=lambda wildcards, attempt: attempt
        * needs.transfers.minutes(wildcards.model, wildcards.transfer),
    params:
        trained=transfer_identity("trained"),
        tested=transfer_identity("tested"),
        variables=lambda wildcards: study.transferred_variables(wildcards.transfer),
        code=script_version("transfer.py"),
    script:
        "../workflow_scripts/transfer.py"


rule transfer_matrix:
    """Draw how well a task's probes read another task's hidden states, as a matrix of symbols."""
    input:
        rows=TRANSFER,
    output:
        figure_files(
            "seed-{seed}/transfer/{transfer}",
            "transfer",
            subcategory="all levels",
            labels={"figure": "transfer {transfer}", "seed": "{seed}"},
        ),
    log:
        log_file("transfer_matrix/{model}/seed-{seed}/{transfer}"),
    benchmark:
        benchmark_file("transfer_matrix/{model}/seed-{seed}/{transfer}")
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=script_version("transfer_matrix.py"),
    script:
        "../workflow_scripts/transfer_matrix.py"


rule transfer_table:
    """Join where probes that read a value in one part read it in the others into one table."""
    input:
        of_results(TRANSFER, study.transfer_results()),
    output:
        **table_files("transfer", "transfer_table"),
    log:
        log_file("transfer_table"),
    benchmark:
        benchmark_file("transfer_table")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=script_version("transfer_table.py"),
    script:
        "../workflow_scripts/transfer_table.py"


def transfer_tables():
    """The table of transfer; none if the config asks for none."""
    return rules.transfer_table.output if study.transfer_results() else []


rule all_transfer:
    """What probes of one task read in others, of all models; nothing if none is asked for."""
    input:
        of_results(TRANSFER, study.transfer_results()),
        transfer_tables(),

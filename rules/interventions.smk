"""Interventions: pairs of problems, patched hidden states, and chains with a wrong result."""


def all_splits(wildcards):
    """The problems of a task's splits."""
    return expand(FORMULAS, **wildcards, split=SPLITS)


def edited_pairs(wildcards):
    """The pair files of a task, one per edit."""
    return expand(PAIRS, **wildcards, edit=study.tasks[wildcards.task].edits)


rule pairs:
    """Draw pairs of problems that differ in the numbers of an edit."""
    input:
        splits=all_splits,
    output:
        PAIRS,
    log:
        log_file("pairs/seed-{seed}/{task}/{edit}"),
    benchmark:
        benchmark_file("pairs/seed-{seed}/{task}/{edit}")
    wildcard_constraints:
        task=one_of(GENERATED_TASKS),
    group:
        "formulas"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        task=template_of,
        places=lambda wildcards: study.tasks[wildcards.task].edits[wildcards.edit],
        pairs=study.interventions.pairs,
        code=script_version("pairs.py"),
    script:
        "../workflow_scripts/pairs.py"


rule inconsistent_pairs:
    """Draw pairs of chains of thought, one of which has a wrong result."""
    input:
        splits=all_splits,
    output:
        INCONSISTENT_PAIRS,
    log:
        log_file("inconsistent_pairs/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("inconsistent_pairs/seed-{seed}/{task}")
    wildcard_constraints:
        task=one_of(GENERATED_TASKS),
    group:
        "formulas"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        task=template_of,
        pairs=study.interventions.pairs,
        code=script_version("inconsistent_pairs.py"),
    script:
        "../workflow_scripts/inconsistent_pairs.py"


rule patching:
    """Patch hidden states of pairs of problems, and count how the answers change."""
    input:
        model=model_files,
        tokens=shard_paths(TOKENS, "test"),
        pairs=edited_pairs,
    output:
        rows=PATCHING,
    log:
        log_file("patching/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("patching/{model}/seed-{seed}/{task}")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=decoding_memory_mb,
        runtime=minutes_of(needs.later.patching),
        batch_size=lambda wildcards: needs.placement(wildcards.model).batch_size,
    params:
        checkpoint=checkpoint,
        shots=model_setting("shots"),
        bos=model_setting("bos"),
        chat=model_setting("chat"),
        identity=numbered_identity,
        edits=lambda wildcards: list(study.tasks[wildcards.task].edits),
        patching={
            "window": study.interventions.window,
            "stride": study.interventions.stride,
            "specs": study.interventions.specs,
            "random_donor": study.interventions.random_donor,
        },
        code=script_version("patching.py"),
    script:
        "../workflow_scripts/patching.py"


rule free_writing:
    """Patch the problems of pairs, and let a model write its chains of thought freely."""
    input:
        model=model_files,
        model_check=MODEL_CHECK,
        tokens=shard_paths(TOKENS, "test"),
        pairs=edited_pairs,
    output:
        rows=FREE_WRITING,
    log:
        log_file("free_writing/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("free_writing/{model}/seed-{seed}/{task}")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=decoding_memory_mb,
        runtime=minutes_of(needs.later.free_writing),
        # The runs of a position have copies of the cache of the tokens before it.
        batch_size=lambda wildcards: needs.placement(wildcards.model).halved_batch,
    params:
        checkpoint=checkpoint,
        shots=model_setting("shots"),
        bos=model_setting("bos"),
        chat=model_setting("chat"),
        identity=numbered_identity,
        edits=lambda wildcards: list(study.tasks[wildcards.task].edits),
        specs={
            "window": study.interventions.window,
            "stride": study.interventions.stride,
            "specs": study.interventions.specs,
        },
        code=script_version("free_writing.py"),
    script:
        "../workflow_scripts/free_writing.py"


rule free_writing_overview:
    """Draw which patches of the problem make a model write another problem's chain, per task."""
    input:
        rows=of_tasks(FREE_WRITING, study.freely_writing_tasks),
        probes=of_tasks(PROBES, study.freely_writing_tasks),
    output:
        figure_files(
            "seed-{seed}/free_writing",
            "free_writing",
            subcategory="all levels",
            labels={"figure": "free writing after patches", "seed": "{seed}"},
        ),
    log:
        log_file("free_writing_overview/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("free_writing_overview/{model}/seed-{seed}")
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        tasks=lambda wildcards: study.freely_writing_tasks(wildcards.model),
        code=script_version("free_writing_overview.py"),
    script:
        "../workflow_scripts/free_writing_overview.py"


rule inconsistent_chains:
    """Let a model continue chains of thought with a wrong result."""
    input:
        model=model_files,
        model_check=MODEL_CHECK,
        tokens=shard_paths(TOKENS, "test"),
        pairs=INCONSISTENT_PAIRS,
    output:
        rows=INCONSISTENT_CHAINS,
    log:
        log_file("inconsistent_chains/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("inconsistent_chains/{model}/seed-{seed}/{task}")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **model_device(),
        mem_mb=decoding_memory_mb,
        runtime=minutes_of(needs.later.inconsistent),
        batch_size=lambda wildcards: needs.placement(wildcards.model).batch_size,
    params:
        checkpoint=checkpoint,
        shots=model_setting("shots"),
        bos=model_setting("bos"),
        chat=model_setting("chat"),
        max_new_tokens=model_setting("max_new_tokens"),
        identity=numbered_identity,
        code=script_version("inconsistent_chains.py"),
    script:
        "../workflow_scripts/inconsistent_chains.py"


rule interventions_table:
    """Join what interventions do to final answers into one table."""
    input:
        patching=of_results(PATCHING, study.results(study.patched_tasks)),
        free=of_results(FREE_WRITING, study.results(study.freely_writing_tasks)),
        inconsistent=of_results(
            INCONSISTENT_CHAINS, study.results(study.inconsistent_tasks)
        ),
    output:
        **table_files("interventions", "interventions_table"),
    log:
        log_file("interventions_table"),
    benchmark:
        benchmark_file("interventions_table")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=script_version("interventions_table.py"),
    script:
        "../workflow_scripts/interventions_table.py"


def intervention_tables():
    """The table of interventions; none if the config switches them off."""
    intervened = [
        *study.results(study.patched_tasks),
        *study.results(study.freely_writing_tasks),
        *study.results(study.inconsistent_tasks),
    ]
    return rules.interventions_table.output if intervened else []


rule all_interventions:
    """What interventions do to answers: all rows, and their table."""
    input:
        of_results(PATCHING, study.results(study.patched_tasks)),
        of_results(FREE_WRITING, study.results(study.freely_writing_tasks)),
        of_results(INCONSISTENT_CHAINS, study.results(study.inconsistent_tasks)),
        intervention_tables(),

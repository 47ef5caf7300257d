"""Formulas: problems drawn from a task's template, or an existing dataset, checked.

Ceilings: what the text of such problems says of each variable. Datasets in free text are checked
by a rule of their own, and give their ceilings themselves.
"""

GENERATED_TASKS = [name for name, task in study.tasks.items() if task.is_generated]
COUNTED_TASKS = [name for name, task in study.tasks.items() if task.has_ceilings]
FREE_TEXT_TASKS = [name for name, task in study.tasks.items() if task.is_free_text]
DATASET_TASKS = [
    name
    for name in study.tasks
    if name not in GENERATED_TASKS and name not in FREE_TEXT_TASKS
]


def template_of(wildcards):
    """A parameter function: what problems of the task are drawn from."""
    return study.tasks[wildcards.task].problem_values


rule formulas:
    """Draw the problems of a task, all splits, from its template."""
    output:
        expand(FORMULAS, split=SPLITS, allow_missing=True),
    log:
        log_file("formulas/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("formulas/seed-{seed}/{task}")
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
        sizes=config["splits"],
        code=script_version("formulas.py"),
    script:
        "../workflow_scripts/formulas.py"


rule ceilings:
    """Count what the text of a task's problems says of each variable, symbol by symbol."""
    output:
        CEILINGS,
    log:
        log_file("ceilings/{task}"),
    benchmark:
        benchmark_file("ceilings/{task}")
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
        template=lambda wildcards: study.tasks[wildcards.task].template_values,
        digits=lambda wildcards: study.n_digits(wildcards.task),
        code=script_version("ceilings.py"),
    script:
        "../workflow_scripts/ceilings.py"


rule given_ceilings:
    """Take over the ceilings that a task in free text gives."""
    output:
        CEILINGS,
    log:
        log_file("given_ceilings/{task}"),
    benchmark:
        benchmark_file("given_ceilings/{task}")
    wildcard_constraints:
        task=one_of(FREE_TEXT_TASKS),
    group:
        "formulas"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        ceilings=lambda wildcards: study.tasks[wildcards.task].given_ceilings,
        code=script_version("given_ceilings.py"),
    script:
        "../workflow_scripts/given_ceilings.py"


def ceilings_of(*tasks):
    """The ceilings of those of the tasks that have them; existing datasets need not."""
    return expand(CEILINGS, task=[task for task in tasks if task in COUNTED_TASKS])


rule free_text:
    """Check a dataset in free text row by row, and take it over."""
    input:
        lambda wildcards: study.tasks[wildcards.task].files[wildcards.split],
    output:
        FORMULAS,
    log:
        log_file("free_text/seed-{seed}/{task}/{split}"),
    benchmark:
        benchmark_file("free_text/seed-{seed}/{task}/{split}")
    wildcard_constraints:
        task=one_of(FREE_TEXT_TASKS),
    group:
        "formulas"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        schema=configuration.load_schema("free_text_row", f"{REPOSITORY}/schemas"),
        settings=lambda wildcards: study.tasks[wildcards.task].read_settings,
        values=lambda wildcards: study.tasks[wildcards.task].values["values"],
        code=script_version("free_text.py"),
    script:
        "../workflow_scripts/free_text.py"


rule dataset:
    """Check an existing dataset row by row, and take it over."""
    input:
        lambda wildcards: study.tasks[wildcards.task].files[wildcards.split],
    output:
        FORMULAS,
    log:
        log_file("dataset/seed-{seed}/{task}/{split}"),
    benchmark:
        benchmark_file("dataset/seed-{seed}/{task}/{split}")
    wildcard_constraints:
        task=one_of(DATASET_TASKS),
    group:
        "formulas"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        schema=configuration.load_schema("dataset_row", f"{REPOSITORY}/schemas"),
        chain=lambda wildcards: study.tasks[wildcards.task].chain,
        values=lambda wildcards: study.tasks[wildcards.task].values["values"],
        code=script_version("dataset.py"),
    script:
        "../workflow_scripts/dataset.py"


rule all_formulas:
    """All problems that models are shown."""
    input:
        expand(
            FORMULAS,
            seed=study.seeds,
            task=dict.fromkeys(result["task"] for result in study.results()),
            split=STUDIED_SPLITS,
        ),

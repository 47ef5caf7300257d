"""Controls for probes: a table and a figure of each per model, and a table over all models."""

# The records of controls: constants that rules, tables and figures share.
from think_to_talk.controls.kinds import CONTROLS
from think_to_talk.study.contradictions import UNTRAINED_SUFFIX

# {kind of rows: the files of it}, one per seed and task of a model. `compared_with` of a control's
# record names the kind that the control compares the model's probes with.
COMPARED = {
    "control_probes": filled(PROBE_ROWS, probes="control_probes"),
    "untrained_probes": filled(PROBES, model=f"{{model}}{UNTRAINED_SUFFIX}"),
    "generations": filled(GENERATIONS, split="test"),
    "timing": TIMING,
}


def seeds_and_tasks(wildcards):
    """The seeds and tasks of a model as pairs, in the order of the files that a control reads."""
    return [
        (seed, task)
        for seed in study.seeds
        for task in study.models[wildcards.model].tasks
    ]


def of_seeds_and_tasks(pattern, wildcards):
    """The file of each seed and task of a model, in the order of `seeds_and_tasks`."""
    return [
        pattern.format(model=wildcards.model, seed=seed, task=task)
        for seed, task in seeds_and_tasks(wildcards)
    ]


def compared_files(wildcards):
    """The files that a control compares the probes with; none if it compares them with nothing."""
    kind = CONTROLS[wildcards.control].compared_with
    return of_seeds_and_tasks(COMPARED[kind], wildcards) if kind else []


def drawn_ceilings(wildcards):
    """The ceilings of a model's tasks, if the control is drawn as curves along the symbols."""
    drawn = CONTROLS[wildcards.control].figure == "curves"
    return ceilings_of(*study.tasks_of(wildcards.model)) if drawn else []


def control_options(wildcards):
    """The config values that a control reads; those of other controls do not rerun it."""
    options = CONTROLS[wildcards.control].options
    return {option: config["controls"][option] for option in options}


rule control:
    """Tabulate and draw a control for the probes of a model, over all seeds and tasks."""
    input:
        probes=lambda wildcards: of_seeds_and_tasks(PROBES, wildcards),
        compared=compared_files,
        ceilings=drawn_ceilings,
    output:
        rows=CONTROL,
        figures=figure_files(
            "{control}",
            "control",
            subcategory="all levels",
            labels={"figure": "control: {control}", "seed": "all"},
        ),
    log:
        log_file("control/{model}/{control}"),
    benchmark:
        benchmark_file("control/{model}/{control}")
    wildcard_constraints:
        model=one_of(study.controlled_models),
        control=one_of(study.controls),
    group:
        "controls.{model}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        parts=seeds_and_tasks,
        options=control_options,
        code=script_version("control.py"),
    script:
        "../workflow_scripts/control.py"


rule control_table:
    """Join the rows of a control of all models into one table."""
    input:
        expand(
            CONTROL,
            model=study.controlled_models,
            allow_missing=True,
        ),
    output:
        **table_files("controls/{control}", "control_table"),
    log:
        log_file("control_table/{control}"),
    benchmark:
        benchmark_file("control_table/{control}")
    wildcard_constraints:
        control=one_of(study.controls),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        code=script_version("control_table.py"),
    script:
        "../workflow_scripts/control_table.py"


def control_tables():
    """The tables of the controls that are switched on."""
    return expand(
        TABLE,
        table=[f"controls/{control}" for control in study.controls],
        format=TABLE_FORMATS.values(),
    )


def control_figures():
    """The figures of the controls that are switched on."""
    return expand(
        FIGURE,
        model=study.controlled_models,
        figure=study.controls,
        format=FORMATS,
    )


rule all_controls:
    """The controls that are switched on: their tables and figures."""
    input:
        control_tables(),
        control_figures(),

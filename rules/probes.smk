"""Probes: one linear layer per saved layer, position and variable of a task.

Control probes are the same on control labels.
"""

# What each solver reads of the config's `probes`: changing another's keys reruns nothing.
CONVERGED_KEYS = ["penalty", "tolerance", "max_iterations"]
SOLVER_KEYS = {
    "lbfgs": CONVERGED_KEYS,
    "sklearn": CONVERGED_KEYS,
    "sgd": ["learning_rate", "epochs"],
}
# What the probes of each folder are trained to predict.
PROBE_LABELS = {"probes": "answers", "control_probes": "control"}


def probe_settings(wildcards):
    """How the probes are fitted."""
    probes = study.probes_of(wildcards.model)
    keys = ["solver", "train_on", "min_train_rows", *SOLVER_KEYS[probes.solver]]
    settings = {key: getattr(probes, key) for key in keys}
    settings["n_classes"] = study.tasks[wildcards.task].n_classes
    # Control labels depend on a variable's name and value, not on an expression.
    settings["folds"] = (
        study.folds(wildcards.task) if wildcards.probes == "probes" else 0
    )
    if wildcards.probes == "probes" and study.n_digits(wildcards.task):
        settings["digits"] = study.n_digits(wildcards.task)
    if probes.solver == "sgd":
        settings["seed"] = int(wildcards.seed)
    return settings


rule probes:
    """Fit and score linear probes for every saved layer, position and variable of a task."""
    input:
        train=shard_paths(HIDDEN_STATES, "probing_train"),
        test=shard_paths(HIDDEN_STATES, "test"),
        train_dataset=filled(FORMULAS, split="probing_train"),
        test_dataset=filled(FORMULAS, split="test"),
    output:
        rows=PROBE_ROWS,
        weights=PROBE_WEIGHTS,
    log:
        log_file("{probes}/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("{probes}/{model}/seed-{seed}/{task}")
    wildcard_constraints:
        probes="|".join(PROBE_LABELS),
    # Before hidden states of other tasks, so that these can be deleted early.
    priority: 2
    conda:
        "../envs/environment.yaml"
    threads: probe_cores
    resources:
        mem_mb=probe_memory_mb,
        runtime=probe_minutes,
    params:
        probes=probe_settings,
        labels=lambda wildcards: PROBE_LABELS[wildcards.probes],
        identity=identity("model", "seed", "task"),
        code=script_version("probes.py"),
    script:
        "../workflow_scripts/probes.py"


rule published_probes:
    """Convert probe rows that the published code wrote to rows of ours."""
    input:
        published=lambda wildcards: study.published[wildcards.model].files[
            wildcards.task
        ],
        # Its rows tell which symbol is which variable: those of any seed.
        dataset=filled(FORMULAS, seed=str(study.seeds[0]), split="test"),
    output:
        rows=PROBES,
    log:
        log_file("published_probes/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("published_probes/{model}/seed-{seed}/{task}")
    wildcard_constraints:
        model=one_of(study.published),
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        schema=configuration.load_schema("published_probe_row", f"{REPOSITORY}/schemas"),
        code=script_version("published_probes.py"),
    script:
        "../workflow_scripts/published_probes.py"


rule all_probes:
    """The probes of all models, seeds and tasks, and published ones."""
    input:
        of_results(PROBES, study.probed_results()),

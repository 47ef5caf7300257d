"""Probes: one linear layer per saved layer, position and variable of a task."""

# What each solver reads of the config's `probes`: changing another's keys reruns nothing.
CONVERGED_KEYS = ["penalty", "tolerance", "max_iterations"]
SOLVER_KEYS = {
    "lbfgs": CONVERGED_KEYS,
    "sklearn": CONVERGED_KEYS,
    "sgd": ["learning_rate", "epochs"],
}


def probe_settings(wildcards):
    """How the probes are fitted."""
    probes = config["probes"]
    keys = ["train_on", "min_train_rows", *SOLVER_KEYS[probes["solver"]]]
    settings = {"solver": probes["solver"], **{key: probes[key] for key in keys}}
    if probes["solver"] == "sgd":
        settings["seed"] = int(wildcards.seed)
    return settings


rule probes:
    input:
        train=shard_paths("hidden_states", "probing_train"),
        test=shard_paths("hidden_states", "test"),
        train_dataset=FORMULAS.replace("{split}", "probing_train"),
        test_dataset=FORMULAS.replace("{split}", "test"),
    output:
        rows=STUDY + "probes/{task}.jsonl",
        weights=STUDY + "probes/{task}.safetensors",
    log:
        "results/logs/probes/{model}/seed-{seed}/{task}.log",
    benchmark:
        "results/benchmarks/probes/{model}/seed-{seed}/{task}.tsv"
    params:
        probes=probe_settings,
        identity=identity("model", "seed", "task"),
        code=script_version("probes.py"),
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    script:
        "../workflow_scripts/probes.py"

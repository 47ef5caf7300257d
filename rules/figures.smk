"""Figures: per task, per model and seed, and of the interventions."""


rule heatmap:
    """Draw the probe accuracy of a task over layers and positions."""
    input:
        probes=PROBES,
        timing=TIMING,
        ceilings=lambda wildcards: ceilings_of(wildcards.task),
    output:
        figure_files(
            "seed-{seed}/{task}",
            "heatmap",
            subcategory="{task}",
            labels={"figure": "accuracy of probes", "seed": "{seed}"},
        ),
    log:
        log_file("heatmap/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("heatmap/{model}/seed-{seed}/{task}")
    wildcard_constraints:
        model=one_of(PROBED_MODELS),
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=script_version("heatmap.py"),
    script:
        "../workflow_scripts/heatmap.py"


rule overview:
    """Draw the best accuracy of probes along the symbols, per task."""
    input:
        probes=of_tasks(PROBES),
        ceilings=lambda wildcards: ceilings_of(*study.tasks_of(wildcards.model)),
    output:
        figure_files(
            "seed-{seed}/overview",
            "overview",
            subcategory="all levels",
            labels={"figure": "overview", "seed": "{seed}"},
        ),
    log:
        log_file("overview/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("overview/{model}/seed-{seed}")
    wildcard_constraints:
        model=one_of(PROBED_MODELS),
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        tasks=lambda wildcards: study.tasks_of(wildcards.model),
        threshold=config["timing"]["threshold"],
        code=script_version("overview.py"),
    script:
        "../workflow_scripts/overview.py"


rule logit_lens_overview:
    """Draw what the logit lens reads beside the best probes along the symbols, per task."""
    input:
        probes=of_tasks(PROBES, study.lens_tasks),
        lens=of_tasks(LOGIT_LENS, study.lens_tasks),
    output:
        figure_files(
            "seed-{seed}/logit_lens",
            "logit_lens",
            subcategory="all levels",
            labels={"figure": "logit lens beside probes", "seed": "{seed}"},
        ),
    log:
        log_file("logit_lens_overview/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("logit_lens_overview/{model}/seed-{seed}")
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        tasks=lambda wildcards: study.lens_tasks(wildcards.model),
        threshold=config["timing"]["threshold"],
        code=script_version("logit_lens_overview.py"),
    script:
        "../workflow_scripts/logit_lens_overview.py"


rule forced_answers_overview:
    """Draw forced answers along the symbols beside the best probes of the answer, per task."""
    input:
        probes=of_tasks(PROBES, study.forced_tasks),
        forced=of_tasks(FORCED_ANSWERS, study.forced_tasks),
    output:
        figure_files(
            "seed-{seed}/forced_answers",
            "forced_answers",
            subcategory="all levels",
            labels={"figure": "forced answers", "seed": "{seed}"},
        ),
    log:
        log_file("forced_answers_overview/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("forced_answers_overview/{model}/seed-{seed}")
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        tasks=lambda wildcards: study.forced_tasks(wildcards.model),
        threshold=config["timing"]["threshold"],
        code=script_version("forced_answers_overview.py"),
    script:
        "../workflow_scripts/forced_answers_overview.py"


rule clocks_overview:
    """Draw when values are determined, readable, said and used along the symbols, per task."""
    input:
        probes=of_tasks(PROBES),
        clocks=CLOCKS,
    output:
        figure_files(
            "seed-{seed}/clocks",
            "clocks",
            subcategory="all levels",
            labels={"figure": "four clocks", "seed": "{seed}"},
        ),
    log:
        log_file("clocks_overview/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("clocks_overview/{model}/seed-{seed}")
    wildcard_constraints:
        model=one_of(PROBED_MODELS),
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        tasks=lambda wildcards: study.tasks_of(wildcards.model),
        code=script_version("clocks_overview.py"),
    script:
        "../workflow_scripts/clocks_overview.py"


rule patching_heatmap:
    """Draw where patched hidden states change answers, and where probes read them."""
    input:
        patching=PATCHING,
        probes=PROBES,
    output:
        figure_files(
            "seed-{seed}/patching/{task}",
            "patching",
            subcategory="{task}",
            labels={"figure": "patching beside probes", "seed": "{seed}"},
        ),
    log:
        log_file("patching_heatmap/{model}/seed-{seed}/{task}"),
    benchmark:
        benchmark_file("patching_heatmap/{model}/seed-{seed}/{task}")
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=script_version("patching_heatmap.py"),
    script:
        "../workflow_scripts/patching_heatmap.py"


rule interventions_overview:
    """Draw what interventions do to the final answers of a model."""
    input:
        patching=of_tasks(PATCHING, study.patched_tasks),
        inconsistent=of_tasks(INCONSISTENT_CHAINS, study.inconsistent_tasks),
    output:
        figure_files(
            "seed-{seed}/interventions",
            "interventions",
            subcategory="all levels",
            labels={"figure": "what final answers follow", "seed": "{seed}"},
        ),
    log:
        log_file("interventions_overview/{model}/seed-{seed}"),
    benchmark:
        benchmark_file("interventions_overview/{model}/seed-{seed}")
    group:
        "summary.{model}.seed-{seed}"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=script_version("interventions_overview.py"),
    script:
        "../workflow_scripts/interventions_overview.py"


def seed_figures(model):
    """The figures of a model and seed, by their names below the seed's folder."""
    names = [*study.tasks_of(model), "overview", "clocks"]
    if model not in study.models:
        return names
    patched = study.patched_tasks(model)
    switched = {
        "logit_lens": study.lens_tasks(model),
        "forced_answers": study.forced_tasks(model),
        "free_writing": study.freely_writing_tasks(model),
        "interventions": patched or study.inconsistent_tasks(model),
        "steering": study.steered_tasks(model),
        "patched_probes": study.patched_probe_tasks(model),
    }
    names += [f"patching/{task}" for task in patched]
    names += [f"transfer/{name}" for name in study.transfers_of(model)]
    return names + [name for name, tasks in switched.items() if tasks]


def study_figures():
    """The figures of all models and seeds, and of published probe rows, in all formats."""
    seeds = {name: [rows.seed] for name, rows in study.published.items()}
    return [
        path.format(seed=seed)
        for model in PROBED_MODELS
        for seed in seeds.get(model, study.seeds)
        for path in expand(
            FIGURE,
            model=model,
            figure=[f"seed-{{seed}}/{name}" for name in seed_figures(model)],
            format=FORMATS,
        )
    ]


rule all_figures:
    """All figures of all models and seeds."""
    input:
        study_figures(),
        control_figures(),

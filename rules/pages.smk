"""Pages: the explorer, and the study itself, its configuration and software."""

from think_to_talk.pages.explorer.parts import PARTS
from think_to_talk.run.packages import required_packages
from think_to_talk.study.left_out import left_out_notes

# The files of the explorer's page that are not Python modules.
EXPLORER_PARTS = [f"think_to_talk/pages/explorer/{file}" for file in PARTS]
# The packages whose versions are recorded with the results.
PACKAGES = required_packages(
    *(f"{REPOSITORY}/envs/{file}" for file in ("requirements.in", "torch.txt"))
)


def shown_config():
    """The configuration without keys that results do not depend on."""
    hidden_keys = ("container", "gpus", "keep_hidden_states", "wandb")
    return {key: value for key, value in config.items() if key not in hidden_keys}


def explorer_tables():
    """{name: file} of the tables of the study that the explorer shows as they are."""
    tables = [
        *forced_answer_tables(),
        *intervention_tables(),
        *steering_tables(),
        *patched_probes_tables(),
        *control_tables(),
    ]
    summary = "results/summary/"
    return {
        table.removeprefix(summary).removesuffix(".jsonl"): table
        for table in tables
        if table.endswith(".jsonl")
    }


rule explorer:
    """Make the explorer: the whole study as one HTML page."""
    input:
        probes=of_results(PROBES, study.probed_results()),
        timing=of_results(TIMING, study.probed_results()),
        clocks=of_results(CLOCKS, study.probed_results()),
        patching=of_results(PATCHING, study.results(study.patched_tasks)),
        generations=of_results(filled(GENERATIONS, split="test"), study.results()),
        tables=list(explorer_tables().values()),
        ceilings=ceilings_of(
            *dict.fromkeys(result["task"] for result in study.probed_results())
        ),
    output:
        page=reported(
            EXPLORER,
            "explorer",
            category="Study",
            labels={"what": "explorer"},
        ),
    log:
        log_file("explorer"),
    benchmark:
        benchmark_file("explorer")
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        results=study.probed_results(),
        patched=study.results(study.patched_tasks),
        generated=study.results(),
        tables=list(explorer_tables()),
        threshold=config["timing"]["threshold"],
        packages=PACKAGES,
        code=script_version("explorer.py", *EXPLORER_PARTS),
    script:
        "../workflow_scripts/explorer.py"


rule study_page:
    """Write down the configuration, and the machine and software that the study is made with."""
    input:
        model_checks=rules.all_model_checks.input,
    output:
        page=reported(
            STUDY_PAGE,
            "configuration",
            category="Study",
            labels={"what": "configuration, machine and software"},
        ),
    log:
        log_file("study_page"),
    benchmark:
        benchmark_file("study_page")
    # Too quick for a cluster's queue.
    localrule: True
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        config=shown_config(),
        left_out=left_out_notes(study),
        packages=PACKAGES,
        code=script_version("study_page.py"),
    script:
        "../workflow_scripts/study_page.py"

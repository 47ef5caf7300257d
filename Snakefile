"""When does a language model come up with its answer? formulas → tokens → hidden states → probes → t*"""

from snakemake.utils import min_version

min_version("9.27")


include: "rules/config_files.smk"


configfile: study_config()


include: "rules/common.smk"
include: "rules/resources.smk"
include: "rules/cluster.smk"


container: config["container"]


report: "report/study.rst"


include: "rules/controller.smk"
include: "rules/formulas.smk"
include: "rules/models.smk"
include: "rules/tokens.smk"
include: "rules/hidden_states.smk"
include: "rules/probes.smk"
include: "rules/timing.smk"
include: "rules/figures.smk"
include: "rules/interventions.smk"
include: "rules/controls.smk"
include: "rules/explorer.smk"
include: "rules/study_page.smk"
include: "rules/plan.smk"
include: "rules/tracking.smk"
include: "rules/wandb.smk"
include: "rules/container.smk"
include: "rules/ending.smk"


rule all:
    default_target: True
    input:
        rules.timing_table.output,
        all_figures(),
        all_interventions(),
        all_controls(),
        rules.explorer.output,
        rules.study_page.output,
        wandb_runs(),


onsuccess:
    show_results()
    send_wandb_runs()


onerror:
    show_failures()
    send_wandb_runs()

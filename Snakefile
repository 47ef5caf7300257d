"""When does a language model come up with its answer? formulas → tokens → hidden states → probes → t*"""

from snakemake.utils import min_version

min_version("9.27")


include: "rules/setup/config_files.smk"


configfile: study_config()


report: "report/study.rst"


include: "rules/common.smk"
include: "rules/report.smk"
include: "rules/setup/cluster.smk"
include: "rules/setup/resources.smk"
include: "rules/setup/container.smk"
include: "rules/setup/deleted_inputs.smk"
include: "rules/formulas.smk"
include: "rules/models.smk"
include: "rules/model_check.smk"
include: "rules/tokens.smk"
include: "rules/hidden_states.smk"
include: "rules/probes.smk"
include: "rules/timing.smk"
include: "rules/logit_lens.smk"
include: "rules/forced_answers.smk"
include: "rules/interventions.smk"
include: "rules/steering.smk"
include: "rules/patched_probes.smk"
include: "rules/transfer.smk"
include: "rules/clocks.smk"
include: "rules/findings.smk"
include: "rules/controls.smk"
include: "rules/figures.smk"
include: "rules/pages.smk"
include: "rules/plan.smk"
include: "rules/wandb.smk"
include: "rules/setup/start_up.smk"
include: "rules/setup/messages.smk"
include: "rules/setup/output.smk"
include: "rules/setup/execution.smk"


rule all:
    """The study: tables, findings, figures, controls, the explorer, and runs for W&B if it is on."""
    default_target: True
    input:
        rules.timing_table.output,
        rules.clocks_table.output,
        rules.findings.output,
        study_figures(),
        forced_answer_tables(),
        intervention_tables(),
        steering_tables(),
        patched_probes_tables(),
        transfer_tables(),
        control_tables(),
        control_figures(),
        rules.explorer.output,
        rules.study_page.output,
        wandb_runs(),

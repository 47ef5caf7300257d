"""Output: what a run prints while its jobs run (`think_to_talk.run.output`).

It takes the place of Snakemake's handler for the terminal, found by its name (checked with 9.27.1). A
dry run, `--quiet`, `--verbose`, `--printshellcmds` and logger plugins keep Snakemake's own output.
"""

from rich.console import Console
from think_to_talk.run.outlook import Outlook, PlannedJob, seconds_before
from think_to_talk.run.output import RunOutput

# How wildcards that most rules have are named; others are named by their values, behind them.
NAMED = {"model": "{}", "seed": "seed {}", "task": "{}"}


def in_words(wildcards, rule_name):
    """The wildcards of a job: `tiny, seed 42, level-1`; none that repeats the rule's name."""
    shown = {name: words for name, words in NAMED.items() if name in wildcards}
    for name, value in wildcards.items():
        if value != rule_name:
            shown.setdefault(name, "{}")
    return ", ".join(words.format(wildcards[name]) for name, words in shown.items())


def planned_job(job):
    """What the output needs to know of a job of Snakemake."""
    return PlannedJob(
        job.rule.name,
        in_words(job.wildcards_dict, job.rule.name),
        model=job.wildcards_dict.get("model"),
        cores=job.threads,
        log=Path(job.log[0]),
        before=seconds_before(Path(job.benchmark)) if job.benchmark else None,
    )


def outlook():
    """All jobs of this run, on the cores that they share."""
    jobs = {
        workflow.dag.jobid(job): planned_job(job)
        for job in workflow.dag.needrun_jobs()
        # Rules that only collect files have none.
        if job.log
    }
    cores = workflow.global_resources.get("_cores").value
    if not workflow.local_exec:
        cores = workflow.nodes * max((job.cores for job in jobs.values()), default=1)
    return Outlook(jobs, cores)


def replaced_handler():
    """Snakemake's handler for the terminal, or None if it is to stay."""
    settings = workflow.output_settings
    kept = settings.quiet or settings.verbose or settings.printshellcmds
    named = [each for each in logger.handlers if each.name == "DefaultStreamHandler"]
    return named[0] if named and not kept else None


def run_output(**settings):
    """A handler that shows this run, and the one that it replaces; None, None if there is none."""
    before = replaced_handler() if is_real_run(**settings) else None
    if before is None:
        return None, None
    console = Console(
        file=before.stream, no_color=workflow.output_settings.nocolor, highlight=False
    )
    return RunOutput(outlook, console), before

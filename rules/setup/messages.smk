"""Messages printed when a run starts, succeeds or fails."""

import shutil
import sys

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.pages.ending import ending, found
from think_to_talk.run.command import study_command
from think_to_talk.run.failures import failure_report, left_out, unfinished
from think_to_talk.study.disk import Disk, size

# What a run ends with, of what it was asked for: {what it is called: its file}.
PLACES = {
    "findings, in every seed": rules.findings.output.markdown,
    "dates of each variable": rules.clocks_table.output.markdown,
    "accuracies and t*": rules.timing_table.output.markdown,
    "explorer of all results": rules.explorer.output.page,
    "configuration, software": rules.study_page.output.page,
}


# Stages whose jobs may find that they cannot read a task, by their rules.
PARTIAL = {
    "logit_lens": (LOGIT_LENS, study.lens_tasks),
    "forced_answers": (FORCED_ANSWERS, study.forced_tasks),
    "steering": (STEERING, study.steered_tasks),
}


def logs_without_rows():
    """The logs of jobs of such stages that wrote no rows, of the run's jobs."""
    made = {str(file) for job in workflow.dag.jobs for file in job.output}
    return [
        log_file(f"{rule}/{{model}}/seed-{{seed}}/{{task}}").format(**result)
        for rule, (pattern, tasks) in PARTIAL.items()
        for result in study.results(tasks)
        if (path := pattern.format(**result)) in made
        and Path(path).is_file()
        and not Path(path).stat().st_size
    ]


def requested_files():
    """The files that the run was asked for: of its rules also what they collect."""
    jobs = workflow.dag.targetjobs
    return {str(file) for job in jobs for file in (*job.output, *job.input)}


def show_disk(**settings):
    """Print what the study takes on disk, and what is free there, when a run starts."""
    if not is_real_run(**settings):
        return
    disk = Disk.of_study(study, needs).sentence(config["keep_hidden_states"])
    free = size(shutil.disk_usage(".").free)
    print(f"Disk: {disk}. Free here: {free}.", file=sys.stderr)


def show_results():
    """Print what was found and where the results are, of all that the run was asked for."""
    files = requested_files()
    plan = Path(rules.plan.output.plan)
    if str(plan) in files:
        print(f"\n{plan.read_text(encoding='utf-8')}\n{plan.absolute()}")
    for line in left_out(logs_without_rows()):
        print(line)
    clocks = rules.clocks_table.output.rows
    sentences = found(read_jsonl(clocks)) if clocks in files else []
    places = {what: where for what, where in PLACES.items() if where in files}
    if places:
        if rules.explorer.output.page in files:
            places["tables and figures"] = "results/summary/"
            places["report in one file"] = (
                f"{study_command(sys.argv)} --report report.html"
            )
        terminal = sys.stdout.isatty()
        columns = shutil.get_terminal_size().columns if terminal else None
        print(ending(sentences, places, columns))
    send_wandb_runs()


def show_failures(interrupted):
    """Print the last lines of the logs of failed jobs; interrupted: whether by the user."""
    # The lock file was written when the run started, by the file system whose clock dates the logs.
    # With `--nolock` there is none.
    lock_file = Path(".snakemake/lock.json")
    start = lock_file.stat().st_mtime if lock_file.exists() else 0
    failures = failure_report(unfinished(LOGS, start), interrupted=interrupted)
    if failures:
        print(f"\n{failures}", file=sys.stderr)
    send_wandb_runs()

"""What a run prints for the records of Snakemake's logger."""

import io
import logging

import pytest
from rich.console import Console
from snakemake_interface_logger_plugins.common import LogEvent

from think_to_talk.run.failures import INTERRUPTED, SUCCESS
from think_to_talk.run.outlook import Outlook, PlannedJob
from think_to_talk.run.output import RunOutput, duration


class Run:
    """The jobs 0 (`train`) and 1 (`probes`), and what is printed of them."""

    def __init__(self, folder, terminal):
        self.log = folder / "train.log"
        self.log.write_text("")
        self.shown = io.StringIO()
        jobs = {
            0: PlannedJob("train", "tiny, seed 1", "tiny", 1, self.log, 10.0),
            1: PlannedJob("probes", "tiny, seed 1, level-1", "tiny", 1, None, 10.0),
        }
        console = Console(file=self.shown, force_terminal=terminal, width=80, height=20)
        self._handler = RunOutput(lambda: Outlook(jobs, 1), console)

    def say(self, message="", level=logging.INFO, **fields):
        record = logging.LogRecord("", level, "", 0, message, (), None)
        vars(record).update(fields)
        self._handler.handle(record)

    def event(self, event, **fields):
        self.say("a block of lines", event=event, **fields)

    def lines(self):
        self._handler.close()
        return [line.split("  ", 1)[-1] for line in self.shown.getvalue().splitlines()]


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path, False)
    run.event(LogEvent.RUN_INFO)
    return run


def test_a_job_has_two_lines_with_the_time_that_is_left(run):
    run.event(LogEvent.JOB_INFO, jobid=0)
    run.event(LogEvent.JOB_FINISHED, job_id=0)
    run.event(LogEvent.PROGRESS, done=1, total=2)
    assert run.lines() == [
        "2 jobs, about 20 s",
        "began  train (tiny, seed 1)",
        "ended  train (tiny, seed 1): 0 s; 0%, about 10 s left",
    ]


def test_what_snakemake_says_in_every_run_is_left_out_and_the_rest_is_shown(run):
    run.say("Using shell: bash")
    run.say("Select jobs to execute...")
    run.say("RuleException:\nCalledProcessError in file x", logging.ERROR, event=LogEvent.ERROR)
    run.say("Complete log(s): x")
    run.say("Provided a bad thing", logging.WARNING)
    assert run.lines()[1:] == ["Complete log(s): x", "Provided a bad thing"]


def test_a_failure_is_a_line_with_its_cause_and_its_log(run):
    run.log.write_text("$ python train.py\nerror: data.jsonl, line 3: not JSON\n")
    run.event(LogEvent.JOB_INFO, jobid=0)
    run.event(LogEvent.JOB_ERROR, jobid=0, rule_msg=None, log=["train.log"])
    [line] = run.lines()[2:]
    assert line == "failed train (tiny, seed 1): data.jsonl, line 3: not JSON (log: train.log)"


def test_a_failure_on_a_cluster_says_what_the_scheduler_said(run):
    run.log.write_text("$ python train.py\n")
    run.event(
        LogEvent.JOB_ERROR,
        jobid=0,
        rule_msg="SLURM-job '7' failed. For further error details see the cluster/cloud log.",
        log=["train.log", "slurm/7.log"],
    )
    [line] = run.lines()[1:]
    assert line.startswith("failed train (tiny, seed 1): SLURM-job '7' failed; the job was killed")
    assert line.endswith("(log: train.log; slurm/7.log)")


def test_of_jobs_that_ran_in_one_those_that_succeeded_have_not_failed(run):
    run.log.write_text(f"{SUCCESS}3 s\n")
    run.event(LogEvent.GROUP_ERROR, aux_logs=["slurm/7.log"], job_error_info=[{}, {}])
    run.event(LogEvent.JOB_ERROR, jobid=0, rule_msg=None, log=["train.log"])
    run.event(LogEvent.JOB_ERROR, jobid=1, rule_msg=None, log=[])
    first, second = run.lines()[1:]
    assert first == "failed 2 jobs in one (log: slurm/7.log)"
    assert second.startswith("failed probes")


def test_an_interrupted_job_has_not_failed(run):
    run.log.write_text(f"{INTERRUPTED}\n")
    run.event(LogEvent.JOB_INFO, jobid=0)
    run.event(LogEvent.JOB_ERROR, jobid=0, rule_msg=None, log=["train.log"])
    assert len(run.lines()) == 2


def test_a_warning_in_a_log_is_shown_once(run):
    run.log.write_text("warning: the model is untrained\n")
    for _ in range(2):
        run.event(LogEvent.JOB_INFO, jobid=0)
        run.event(LogEvent.JOB_FINISHED, job_id=0)
    shown = "\n".join(run.lines())
    assert shown.count(f"warning: the model is untrained (log: {run.log})") == 1


def test_on_a_terminal_a_view_shows_what_runs_and_rules_that_are_done_stand_above(tmp_path):
    run = Run(tmp_path, True)
    run.log.write_text("training:  50%|##  | 5/10 [00:02]\n")
    run.event(LogEvent.RUN_INFO)
    run.event(LogEvent.JOB_INFO, jobid=0)
    run._handler._live.refresh()
    view = run.shown.getvalue()
    assert "0 of 2 jobs" in view
    assert "tiny, seed 1" in view
    assert "50%" in view
    assert "left, until " in view
    run.event(LogEvent.JOB_FINISHED, job_id=0)
    run.lines()
    assert "✓ train" in run.shown.getvalue()
    # The cursor is shown again.
    assert "\x1b[?25h" in run.shown.getvalue().rpartition("✓ train")[2]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59, "59 s"), (65, "1 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_on_a_terminal_long_lines_are_broken_between_words(tmp_path):
    run = Run(tmp_path, True)
    run.say(" ".join(["word"] * 40))
    assert {word for line in run.lines() for word in line.split()} == {"word"}

"""Logs of failed jobs are found and reported."""

import os

import pytest

from think_to_talk.run.failures import (
    COMMAND,
    INTERRUPTED,
    SUCCESS,
    failure_report,
    left_out,
    likely_cause,
    unfinished,
)

ENDED = f"{SUCCESS}1.0 s on 1 core(s) after 1.0 s of start-up\n"


@pytest.fixture
def logs(tmp_path):
    def write(name, text, time=100):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (time, time))
        return path

    write("train/well.log", f"training: 100%\n{ENDED}")
    write("train/earlier.log", "error: an earlier run\n", 10)
    write("probes/wrong.log", "tiny: 3%\nerror: data/a.jsonl, line 5: not JSON\n")
    write("probes/killed.log", "\n".join(f"tiny: {i}%" for i in range(30)))
    write("probes/empty.log", "")
    return tmp_path


def test_logs_of_this_run_whose_jobs_did_not_end_well_are_found(logs):
    found = [path.name for path in unfinished(logs, 50)]
    assert found == ["empty.log", "killed.log", "wrong.log"]


def test_each_has_its_last_lines_and_the_likely_cause(logs):
    report = failure_report(unfinished(logs, 50))
    assert report.startswith("3 job(s) failed.")
    assert "    likely cause: data/a.jsonl, line 5: not JSON\n" in report
    assert "| tiny: 29%" in report
    # The error is said once.
    assert "| tiny: 3%\n    likely cause: data/a.jsonl" in report
    assert "tiny: 20%" not in report
    assert report.endswith("run the same command again.")


def test_many_failures_are_counted_and_not_all_shown(logs):
    for i in range(30):
        (logs / f"{i}.log").write_text("error: x\n")
    report = failure_report(unfinished(logs, 50))
    assert report.count("    likely cause:") == 10
    assert "... and 23 more." in report


def test_the_command_that_begins_a_log_is_none_of_its_last_lines(logs):
    (logs / "a.log").write_text(f"{COMMAND}python train.py\nerror: x\n")
    report = failure_report([logs / "a.log"])
    assert "python" not in report
    assert "likely cause: x" in report


def test_jobs_of_an_interrupted_run_have_not_failed_unless_their_logs_give_an_error(logs):
    (logs / "stopped.log").write_text(f"error: of a warning\n{INTERRUPTED}\n")
    report = failure_report(unfinished(logs, 50), interrupted=True)
    assert report.startswith("Interrupted: 3 job(s) were running.\n\n1 job(s) failed.")
    assert "memory" not in report
    assert "wrong.log" in report
    assert failure_report([], interrupted=True).startswith("Interrupted: 0 job(s)")
    assert failure_report([]) == ""


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (["error: first", "error: last", "finished"], "last"),
        (["Traceback (most recent call last):", "  x", "KeyError: 'a'"], "KeyError: 'a' (a defect"),
        (["training: 3%"], "killed from outside"),
        (["training: 3%", INTERRUPTED], "the job was interrupted"),
        ([], "killed from outside"),
    ],
)
def test_the_likely_cause(lines, cause):
    assert cause in likely_cause(lines)


def test_of_a_progress_bar_the_last_line_is_shown(logs):
    bars = [f"training: {share}%|#  | {share}/100 [00:02]" for share in range(30)]
    (logs / "wrong.log").write_text("\n".join(["before", *bars, "error: it broke"]))
    report = failure_report([logs / "wrong.log"])
    assert "    | before\n    | training: 29%|#  | 29/100 [00:02]\n    likely" in report


def test_what_jobs_leave_out_is_said_once_with_a_log(tmp_path):
    line = "lens leaves out tasks.t of models.m: a number takes several tokens"
    paths = [tmp_path / name for name in ("a.log", "b.log", "c.log", "none.log")]
    for path, what in zip(paths, (line, line, "many rows"), strict=False):
        path.write_text(f"{COMMAND}python lens.py\nwarning: {what}\n{ENDED}")
    assert left_out(paths) == [f"{line} ({paths[0]})"]

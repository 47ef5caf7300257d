"""What a run ends with: of what it was asked for, in commands that can be pasted."""

import os
import shlex
import signal
import subprocess
import sys

from support.processes import end, wait_for
from support.studies import own_environment


def last_command(shown):
    """The command that a run's last line names."""
    label, _, command = shown.stdout.rstrip().splitlines()[-1].partition(":")
    assert label == "report in one file"
    return shlex.split(command)


def test_the_command_for_the_report_is_the_run_s_own(mini, tmp_path):
    """From another folder, with an overlay."""
    elsewhere = {"cwd": tmp_path, "env": own_environment(), "text": True, "capture_output": True}
    study = ["--snakefile", f"{mini.folder}/Snakefile", f"--directory={mini.folder}"]
    options = [*study, "--configfile", f"{mini.folder}/mini.yaml", "--config", "wandb={mode: off}"]
    options[-1] = "wandb={mode: disabled}"
    snakemake = [sys.executable, "-m", "snakemake"]
    run = subprocess.run([*snakemake, "--cores", "2", *options], **elsewhere)
    assert run.returncode == 0, run.stderr[-5000:]
    command = last_command(run)
    assert command == [*snakemake, *options, "--report", "report.html"]
    made = subprocess.run(command, **elsewhere)
    assert made.returncode == 0, made.stderr[-5000:]
    assert (mini.folder / "report.html").stat().st_size > 100_000


def test_a_plan_is_shown_and_named_of_a_finished_study_too(mini):
    for _ in ("made", "already there"):
        shown = mini.snakemake("plan").stdout
        plan = mini.folder / "results/plan.md"
        assert plan.read_text() in shown
        assert shown.rstrip().endswith(str(plan))
        assert "t*" not in shown.replace(plan.read_text(), "")
        assert "report" not in shown


def test_a_part_of_a_study_names_its_own_results(mini):
    shown = mini.snakemake("all_timing").stdout
    assert "results/summary/timing.md" in shown
    assert "explorer" not in shown


def test_a_finished_study_says_again_what_it_found(finished_mini, mini):
    found = [line for line in finished_mini.output.stdout.splitlines() if line.startswith("  ")]
    assert any(line.startswith("  local, level-1: B") for line in found)
    assert set(found) <= set(mini.snakemake().stdout.splitlines())


def test_an_interrupted_run_says_so_and_blames_no_lack_of_memory_or_time(untouched, tmp_path):
    study = untouched.copy(tmp_path / "study")
    study.configure(models__tiny__training__steps=100_000)
    run = study.start("results/models/tiny/seed-1/model.safetensors")
    try:
        log = study.folder / "results/logs/train/tiny/seed-1.log"
        wait_for(lambda: log.exists() and "training" in log.read_text())
        # As a terminal's Ctrl-C: to the run and all its jobs.
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(300) == 1
    finally:
        end(run)
    said = (study.folder / "run.log").read_text()
    assert "Interrupted: 1 job(s) were running." in said
    assert "run the same command again" in said
    assert "memory or time" not in said
    assert "Traceback" not in said
    assert log.read_text().rstrip().endswith("interrupted")

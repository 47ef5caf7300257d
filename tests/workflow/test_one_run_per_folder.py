"""One run per folder, and the same command after one that was killed."""

import shutil
import socket

import pytest
from support.faults import check_files
from support.processes import end, is_running, jobs_of, kill, paused, wait_for

TIMING = "results/local/seed-1/timing/existing.jsonl"


@pytest.fixture
def running(mini):
    """A study that lacks one task's results, and the run that is making some of them."""
    for path in list(mini.folder.glob("results/**/local/**/existing*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in mini.folder.glob("results/summary/timing.*"):
        path.unlink()
    run = mini.start(TIMING)
    wait_for(lambda: any(mini.folder.glob("results/logs/hidden_states/local/*/existing/*/*.log")))
    wait_for(lambda: jobs_of(run.pid))
    yield mini, run
    end(run)


def test_a_second_run_is_refused_with_one_error_and_a_dry_run_is_not(running):
    study, run = running
    with paused(run.pid):
        second = study.snakemake(check=False)
        study.snakemake("--dry-run")
    assert second.returncode == 1
    who = f"another snakemake is running here (process {run.pid} on {socket.gethostname()}"
    assert second.stderr.count(who) == 1
    assert "LockException" not in second.stderr
    assert run.wait() == 0, (study.folder / "run.log").read_text()


@pytest.mark.thorough
def test_after_a_killed_run_the_same_command_ends_in_the_same_bytes(finished_mini, running):
    study, run = running
    with paused(run.pid):
        orphans = wait_for(lambda: jobs_of(run.pid))
        kill([run.pid])
    run.wait()
    # Paused, they do not end by themselves before the next run ends them.
    with paused(*orphans):
        assert any((study.folder / ".snakemake/locks").iterdir())
        half_written = study.folder / "results/local/seed-1/.partial-abcd1234.rows.jsonl"
        half_written.write_text("{")
        again = study.snakemake(TIMING)
    assert "of a killed snakemake" in again.stderr
    assert not any(is_running(orphan) for orphan in orphans)
    assert (study.folder / TIMING).is_file()
    assert not half_written.exists()
    check_files(study, finished_mini)
    assert study.planned(TIMING) == set()

"""One controller per folder, and the same command after one that was killed."""

import os
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def jobs_of(controller):
    """The processes that a controller started, and theirs."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            process, _, rest = stat.read_text().partition(" (")
        except OSError:
            continue
        parents[int(process)] = int(rest.rpartition(") ")[2].split()[1])
    jobs = {controller}
    while more := {child for child, parent in parents.items() if parent in jobs} - jobs:
        jobs |= more
    return jobs - {controller}


@pytest.fixture
def running(mini):
    """A study that lacks one task's results, and the controller that is making them."""
    for path in mini.folder.glob("results/**/local/**/level-1*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in mini.folder.glob("results/summary/timing.*"):
        path.unlink()
    controller = mini.start()
    wait_for(lambda: any(mini.folder.glob("results/logs/hidden_states/local/*/level-1/*/*.log")))
    wait_for(lambda: jobs_of(controller.pid))
    yield mini, controller
    controller.kill()
    controller.wait()


def test_a_second_controller_is_refused_with_one_error_and_a_dry_run_is_not(running):
    study, controller = running
    second = study.snakemake(check=False)
    assert second.returncode == 1
    who = f"another snakemake is running here (process {controller.pid} on {socket.gethostname()}"
    assert second.stderr.count(who) == 1
    assert "LockException" not in second.stderr
    study.snakemake("--dry-run")
    assert controller.wait() == 0, (study.folder / "run.log").read_text()


def test_after_a_killed_controller_the_same_command_ends_in_the_same_bytes(finished_mini, running):
    study, controller = running
    orphans = jobs_of(controller.pid)
    os.kill(controller.pid, signal.SIGKILL)
    controller.wait()
    assert any((study.folder / ".snakemake/locks").iterdir())
    half_written = study.folder / "results/local/seed-1/.partial-abcd1234.rows.jsonl"
    half_written.write_text("{")
    again = study.snakemake()
    assert "of a killed snakemake" in again.stderr
    assert not any(Path(f"/proc/{orphan}").exists() for orphan in orphans)
    assert study.results() == finished_mini.results()
    assert study.planned() == set()

"""After `kill -9` at any moment the same command ends in the bytes of an undisturbed run."""

import random
import re
import shutil
import time
from pathlib import Path

import pytest
from support.faults import check_end, check_files
from support.outcomes import record
from support.processes import end, jobs_of, kill
from support.studies import files_below

#: How often a process is killed.
N_KILLS = 20


def scripts_of(run):
    """{process: rule} of the jobs that run."""
    found = {}
    for process in sorted(jobs_of(run.pid)):
        try:
            # A fork has the command of the process that it is a fork of, and a name of its own.
            name, command = (
                Path(f"/proc/{process}/{of}").read_text() for of in ("comm", "cmdline")
            )
        except OSError:
            continue
        started = re.search(r"python[\d.]*\0\S*/scripts/tmp\w+\.(\w+)\.py", command)
        forked = re.match(r"job:(\w+)", name)
        if script := started or forked:
            found[process] = script[1]
    return found


def strike(draw, run):
    """Kill a job, the run's process or both; what was killed, or None if nothing was alive."""
    scripts = scripts_of(run)
    what = draw.choice(["job", "job", "run", "run and jobs"])
    victims = {
        "job": draw.sample(sorted(scripts), min(1, len(scripts))),
        "run": [run.pid],
        "run and jobs": [*jobs_of(run.pid), run.pid],
    }[what]
    if run.poll() is not None or not victims:
        return None
    if not kill(victims):
        return None
    if what == "job":
        return f"job {scripts[victims[0]]}"
    run.wait()
    return f"{what} ({', '.join(scripts.values()) or 'no jobs yet'})"


def wait(draw, run, study):
    """Until a few more files are there, if any, and then a moment more."""

    def made():
        files = files_below(study.folder / "results")
        return sum(not path.name.startswith(".") for path in files)

    enough = made() + draw.choice([0, 0, 1, 2, 4, 8])
    while run.poll() is None and made() < enough:
        time.sleep(0.05)
    time.sleep(draw.uniform(0.1, 1.5))


@pytest.mark.thorough
def test_after_each_kill_files_are_whole_and_the_same_command_goes_on(
    untouched, finished_mini, tmp_path
):
    draw, title = random.Random(1), "kill -9"
    study = untouched.copy(tmp_path / "study")
    n_files = len(finished_mini.result_files())
    run, began = study.start(), time.monotonic()
    kills = completed = 0
    try:
        while kills < N_KILLS:
            wait(draw, run, study)
            if run.poll() == 0:
                assert study.differing(finished_mini) == []
                shutil.rmtree(study.folder / "results")
                completed += 1
            elif killed := strike(draw, run):
                kills += 1
                moment = f"{time.monotonic() - began:.1f} s"
                outcome = f"{check_files(study, finished_mini)} of {n_files} files, all whole"
                record(title, f"{kills}: {killed}, {moment} after the start", outcome)
            if run.poll() is not None:
                run, began = study.start(), time.monotonic()
        run.wait()
        study.snakemake()
    finally:
        end(run)
    check_end(study, finished_mini)
    again = f"the study ended {completed + 1} times, byte-identical"
    record(title, f"{kills} kills, then the same command", again)

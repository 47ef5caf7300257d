"""profiles/generic, for schedulers without an executor of their own; here through sbatch."""

import json
import runpy

import pytest
from support.repository import REPOSITORY

SCRIPT = "profiles/generic/scheduler.py"


@pytest.mark.service
def test_jobs_are_submitted_by_a_command_that_maps_what_they_ask_for(slurm, run_locally, tmp_path):
    study = run_locally.copy(tmp_path / "study")
    study.environment = slurm.environment
    profile = "profiles/generic/config.yaml"
    study.edit(profile, "submit sge", "submit slurm")
    study.edit(profile, "status sge", "status slurm")
    study.edit(profile, "cancel-cmd: qdel", "cancel-cmd: scancel")
    study.edit(profile, "slurm_partition: cpu", "slurm_partition: batch")
    study.edit(profile, "gpu_partition: gpu", "gpu_partition: accelerated")
    study.edit(profile, "checks: 60", "checks: 1")
    shard = study.folder / "results/local/seed-1/hidden_states/level-1/test/00000.jsonl"
    shard.unlink()
    formulas = study.folder / "results/formulas/seed-2/level-1/test.jsonl"
    targets = [str(path.relative_to(study.folder)) for path in (shard, formulas)]
    study.configure(seeds=[1, 2])
    study.snakemake(*targets, "--profile", "profiles/generic")
    assert shard.is_file()
    assert formulas.is_file()
    jobs = {job["JobName"]: job for job in slurm.jobs(folder=study.folder)}
    assert set(jobs) == {"formulas", "hidden_states"}
    assert {job["JobState"] for job in jobs.values()} == {"COMPLETED"}
    assert jobs["hidden_states"]["TresPerJob"].endswith("gpu:a100:1")
    assert jobs["hidden_states"]["Partition"] == "accelerated"
    assert jobs["formulas"]["Partition"] == "batch"
    assert "gpu" not in jobs["formulas"]["TRES"]
    assert "mem=500M" in jobs["formulas"]["TRES"]
    assert jobs["formulas"]["TimeLimit"] == "00:10:00"


@pytest.fixture
def gpu_job(tmp_path):
    script = tmp_path / "job.sh"
    resources = {"mem_mb": 16000, "runtime": 90, "gpu": 1, "gpu_model": "a100"}
    resources |= {"slurm_account": "physics", "slurm_partition": "accelerated"}
    job = {"rule": "hidden_states", "jobid": 7, "threads": 2, "resources": resources}
    script.write_text(f"#!/bin/sh\n# properties = {json.dumps(job)}\ntrue\n")
    return script


@pytest.mark.parametrize(
    ("scheduler", "parts"),
    [
        ("sge", ["-pe smp 2", "h_vmem=8000M", "h_rt=5400", "-l gpu=1", "-P physics"]),
        ("lsf", ["-n 2", "rusage[mem=16000MB]", "-W 90", "num=1", "gmodel=a100", "-P physics"]),
        ("pbs", ["select=1:ncpus=2:mem=16000mb:ngpus=1", "walltime=01:30:00", "-A physics"]),
    ],
)
def test_each_scheduler_is_told_cores_memory_time_and_gpus(gpu_job, scheduler, parts):
    module = runpy.run_path(REPOSITORY / SCRIPT)
    command = module["SUBMIT"][scheduler](module["needs"](gpu_job))
    for part in [*parts, "-q accelerated"]:
        assert part in command


@pytest.mark.parametrize(
    ("scheduler", "answer", "status"),
    [
        ("sge", "job_number: 7\nscript_file: job.sh", "running"),
        ("sge", "error reason    1:      cannot open the output file", "failed"),
        ("sge", "failed       0    \nexit_status  0     ", "success"),
        ("sge", "failed       0    \nexit_status  1     ", "failed"),
        ("sge", "failed       37  : qmaster enforced h_rt\nexit_status  0", "failed"),
        ("lsf", "PEND", "running"),
        ("lsf", "DONE", "success"),
        ("lsf", "EXIT", "failed"),
        ("pbs", "    job_state = R", "running"),
        ("pbs", "    job_state = F\n    Exit_status = 0", "success"),
        ("pbs", "    job_state = F\n    Exit_status = 271", "failed"),
    ],
)
def test_each_scheduler_s_answer_says_how_a_job_is_doing(
    monkeypatch, capsys, scheduler, answer, status
):
    module = runpy.run_path(REPOSITORY / SCRIPT)
    commands, success, failure = module["STATUS"][scheduler]
    answers = [f"printf '%s\\n' {module['shlex'].quote(answer)} # {{id}}" for _ in commands]
    monkeypatch.setitem(module["STATUS"], scheduler, (answers, success, failure))
    module["status"](scheduler, "7")
    assert capsys.readouterr().out.strip() == status

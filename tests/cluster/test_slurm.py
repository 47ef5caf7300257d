"""A study through profiles/slurm on a real Slurm, and what happens to it there."""

import re
from types import SimpleNamespace

import pytest
from support.processes import end, kill, paused
from support.queues import processes
from support.studies import Study

pytestmark = pytest.mark.service

PROFILE = ["--profile", "profiles/slurm"]
GPU = "gpu:a100:1"


@pytest.fixture(scope="module")
def doomed(slurm, run_locally, tmp_path_factory):
    """A study whose checkpoint was cut short, and a run of it, which is to make one shard."""
    study = run_locally.copy(tmp_path_factory.mktemp("doomed") / "study")
    study.environment = slurm.environment
    weights = study.folder / "checkpoints/gpt2/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    shard = "results/local/seed-1/hidden_states/level-1/test/00000.jsonl"
    run = study.start(*PROFILE, "--retries", "0", shard)
    yield study, run
    end(run)


@pytest.fixture(scope="module")
def eventful(slurm, untouched, tmp_path_factory, request):
    """A study during which jobs are cancelled and killed, and then the run is.

    profiles/default limits it to one GPU, which is a limit of a machine, not of a cluster.
    """
    study = untouched.copy(tmp_path_factory.mktemp("eventful") / "study")
    study.environment = slurm.environment
    seen = SimpleNamespace(study=study, environments={})

    def steps(rule, but=()):
        """(job, its processes in the step that does the work), once one runs."""
        for job in slurm.jobs(rule, study.folder):
            number = job["JobId"]
            if job["JobState"] == "RUNNING" and number not in but and (found := processes(number)):
                seen.environments[number] = next(iter(found.values()))
                return number, found
        return None

    run = study.start(*PROFILE)
    try:
        slurm.wait_for(lambda: steps("formulas"))
        slurm.wait_for(lambda: len(slurm.jobs("hidden_states", study.folder)) == 2)
        seen.queued_with_gpu = slurm.jobs("hidden_states", study.folder)
        seen.cancelled, pids = slurm.wait_for(lambda: steps("hidden_states"))
        # Paused, a job does not end by itself before it is cancelled.
        with paused(*pids):
            slurm("scancel", seen.cancelled)
        seen.killed, pids = slurm.wait_for(lambda: steps("hidden_states", but=[seen.cancelled]))
        kill(pids)
        seen.orphan, orphans = slurm.wait_for(lambda: steps("probes"))
        with paused(*orphans):
            run.kill()
            run.wait()
            seen.first_output = (study.folder / "run.log").read_text()
            request.getfixturevalue("doomed")  # to save time, it runs meanwhile
            seen.second_output = study.snakemake(*PROFILE).stderr
    finally:
        end(run)
        print((study.folder / "run.log").read_text())
    seen.jobs = slurm.jobs("", study.folder)
    seen.states = {job["JobId"]: job["JobState"] for job in seen.jobs}
    return seen


#: What their submissions are called: they run on the model's GPU too.
INTERVENTIONS = ("rule_patching", "rule_inconsistent_chains")
#: Not the tables and figures of the same names.
READINGS = ("rule_logit_lens_wildcards", "rule_forced_answers_wildcards")


def of_rule(jobs, rule):
    return [job for job in jobs if rule in job["Comment"]]


@pytest.mark.documented("snakemake --profile profiles/slurm")
def test_it_ends_in_the_same_bytes_as_on_one_machine(eventful, run_locally):
    assert eventful.study.differing(run_locally) == []
    assert eventful.study.planned() == set()


def test_jobs_of_a_model_on_a_gpu_get_one_and_see_no_other(eventful):
    jobs = of_rule(eventful.jobs, "hidden_states")
    assert len(jobs) >= 4  # two shards, each tried twice
    for rule in INTERVENTIONS:
        assert len(of_rule(eventful.jobs, rule)) == 1
    for job in jobs + [job for rule in INTERVENTIONS for job in of_rule(eventful.jobs, rule)]:
        assert job["TresPerJob"].endswith(GPU)
        assert job["Partition"] == "accelerated"
        assert job["Features"] == "a100&gpu40gb"
        assert job["Account"] == "physics"
    for number in (eventful.cancelled, eventful.killed):
        assert eventful.environments[number]["CUDA_VISIBLE_DEVICES"] == "0"


def test_other_jobs_get_no_gpu(eventful):
    on_gpus = [
        job
        for rule in ("model_check", "hidden_states", *READINGS, *INTERVENTIONS)
        for job in of_rule(eventful.jobs, rule)
    ]
    jobs = [job for job in eventful.jobs if job not in on_gpus]
    for rule in ("formulas", "tokens", "probes", "summary", "timing_table"):
        assert of_rule(jobs, rule)
    for job in jobs:
        assert "gpu" not in job.get("TresPerJob", "") + job["TRES"]
        assert job["Partition"] == "batch"
        assert job["Account"] == "physics"
    assert "CUDA_VISIBLE_DEVICES" not in eventful.environments[eventful.orphan]


def test_shards_wait_for_a_gpu_in_the_queue_and_not_with_the_controller(eventful):
    assert len(eventful.queued_with_gpu) == 2
    assert {job["JobState"] for job in eventful.queued_with_gpu} <= {"PENDING", "RUNNING"}


def test_small_jobs_share_submissions(eventful):
    assert len(of_rule(eventful.jobs, "tokens")) == 1
    # Generations, timing, heat map and overview of the model.
    assert len(of_rule(eventful.jobs, "summary")) == 1
    assert not of_rule(eventful.jobs, "rule_heatmap")


def test_a_whole_study_takes_fewer_submissions_than_half_of_its_jobs(untouched):
    whole = Study(untouched.folder)  # the default study
    plan = whole.snakemake("--dry-run", *PROFILE).stdout
    jobs = re.findall(r"^ *(?:local)?rule (?!all)\S+:$", plan, re.MULTILINE)
    submissions = re.findall(r"^(?:rule (?!all)\S+:|\[.*\] Group job .*)$", plan, re.MULTILINE)
    assert len(jobs) > 30
    assert len(submissions) < len(jobs) / 2


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, "gpu=1 gpu_model=a100 slurm_partition=accelerated constraint=a100&gpu40gb"),
        ({"models__local__device": "cpu"}, "slurm_partition=batch"),
        (
            {"models__local__gpus_per_job": 2},
            "gpu=2 gpu_model=a100 slurm_partition=accelerated constraint=a100&gpu40gb",
        ),
        (
            {"gpus": [{"gpu_model": "a100", "memory_gb": 80}]},
            "gpu=1 gpu_model=a100 slurm_partition=accelerated constraint=a100&gpu80gb",
        ),
        (
            {"gpus": [{"gpu_model": "h100", "memory_gb": 80, "constraint": "hopper"}]},
            "gpu=1 gpu_model=h100 slurm_partition=accelerated constraint=hopper",
        ),
    ],
)
def test_what_a_job_asks_for_follows_from_its_model_and_the_site(
    untouched, tmp_path, changes, asked
):
    study = untouched.copy(tmp_path / "study")
    study.configure(**changes)
    shard = "results/local/seed-1/hidden_states/level-1/test/00000.jsonl"
    plan = study.snakemake(shard, "--dry-run", *PROFILE).stdout
    [resources] = re.findall(r"^rule hidden_states:[\s\S]*?resources: (.*)$", plan, re.MULTILINE)
    found = dict(resource.split("=", 1) for resource in resources.split(", "))
    names = ("gpu", "gpu_model", "slurm_partition", "constraint")
    assert " ".join(f"{name}={found[name]}" for name in names if name in found) == asked


def test_a_cancelled_job_is_reported_and_submitted_again(eventful):
    assert eventful.states[eventful.cancelled] == "CANCELLED"
    assert f"SLURM-job '{eventful.cancelled}' failed" in eventful.first_output
    assert again(eventful, eventful.cancelled)


def test_a_job_that_dies_is_reported_with_its_log_and_submitted_again(eventful):
    assert eventful.states[eventful.killed] == "FAILED"
    assert f"SLURM-job '{eventful.killed}' failed" in eventful.first_output
    assert re.search(rf"\(log: \S+; \S*/{eventful.killed}\.log\)", eventful.first_output)
    assert again(eventful, eventful.killed)


def again(eventful, number):
    """Whether the same was later submitted once more, and done."""
    jobs = {job["JobId"]: job for job in eventful.jobs}
    return any(
        job["Comment"] == jobs[number]["Comment"] and job["JobState"] == "COMPLETED"
        for job in eventful.jobs
        if int(job["JobId"]) > int(number)
    )


def test_jobs_of_a_killed_controller_are_cancelled_before_the_next_submits(eventful):
    assert "of a killed snakemake" in eventful.second_output
    assert eventful.states[eventful.orphan] == "CANCELLED"
    assert again(eventful, eventful.orphan)
    # What was done before is not done again.
    assert len(of_rule(eventful.jobs, "formulas")) == 1


def test_a_job_that_fails_for_good_ends_the_run_with_its_log(doomed):
    study, run = doomed
    assert run.wait() == 1
    output = (study.folder / "run.log").read_text()
    assert "failed model_check (local, seed 1)" in output
    log = study.folder / "results/logs/model_check/local/seed-1.log"
    last_line = log.read_text().strip().splitlines()[-1]
    assert last_line.startswith("error: checkpoints/gpt2: not readable (Error while deserializing")
    assert output.count(f"likely cause: {last_line.removeprefix('error: ')}") == 1

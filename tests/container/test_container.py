"""A small study in a container, with the real Apptainer: the same rows, and GPUs where declared."""

import os
import re
import subprocess

import pytest
import yaml
from snakemake.utils import update_config
from support.apptainer import run
from support.checkpoints import random_gpt2
from support.repository import REPOSITORY
from support.studies import Study, copied_repository

pytestmark = pytest.mark.service

SMALL = {
    "seeds": [1],
    "splits": {"train": 30, "valid": 10, "test": 20, "probing_train": 60},
    "probes": {"train_on": "all", "min_train_rows": 20, "folds": 2},
    "keep_hidden_states": True,
    "tasks": {f"level-{i}": None for i in range(2, 6)},
    "models": {
        "tiny": {
            "layers": [0, 2],
            "training": {
                "tasks": ["level-1"],
                "steps": 20,
                "exact_match": 0,
                "rows": 200,
                "hidden_size": 32,
                "layers": 2,
            },
        },
        "local": {"kind": "local", "layers": 2, "batch_size": 64, "device": "cpu"},
    },
}
ROWS = [f"results/{model}/seed-1/probes/level-1.jsonl" for model in SMALL["models"]]
#: What is made in containers of their own, each of which takes seconds to start.
TARGETS = [*ROWS, "results/summary/timing.md", "results/summary/figures/local/seed-1/level-1.png"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study not yet run, of a model that it trains and of one that lies elsewhere."""
    checkpoint = tmp_path_factory.mktemp("elsewhere") / "gpt2"
    random_gpt2(checkpoint, layers=2)
    folder = copied_repository(tmp_path_factory.mktemp("container") / "study")
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    study = Study(folder, "small.yaml")
    study.configure(models__local__path=str(checkpoint))
    return study


@pytest.fixture(scope="module")
def native(study, tmp_path_factory):
    """The study, run without a container as far as its probes are shown."""
    native = study.copy(tmp_path_factory.mktemp("native") / "study")
    native.snakemake(*TARGETS)
    return native


@pytest.fixture(scope="module")
def contained(study, apptainer, image, tmp_path_factory):
    """The same, each job in a container of the image."""
    contained = study.copy(tmp_path_factory.mktemp("contained") / "study")
    contained.configure(container=str(image))
    contained.environment = apptainer.environment
    apptainer.jobs()
    contained.output = contained.snakemake(*TARGETS, "--use-singularity").stderr
    contained.jobs = apptainer.jobs()
    return contained


def rows(folder):
    return {path: (folder / path).read_bytes() for path in ROWS}


@pytest.mark.documented(
    "container/build",
    "container/build --base docker://python:3.11-slim",
    "snakemake --cores 2 --use-singularity",
)
def test_probe_rows_from_a_container_are_the_same_to_the_last_bit(native, contained):
    assert all(rows(native.folder).values())
    assert rows(contained.folder) == rows(native.folder)


def test_containers_leave_nothing_else_in_the_folder(native, contained):
    assert set(os.listdir(contained.folder)) == set(os.listdir(native.folder))


def test_every_job_ran_in_the_image_and_without_a_gpu_declared_saw_none(contained, image):
    planned = re.search(r"^(\d+) jobs, about", contained.output, re.MULTILINE)
    assert len(contained.jobs) == int(planned[1])
    for job in contained.jobs:
        assert f" {image} " in job
        assert " --nv " not in job


@pytest.fixture(scope="module")
def gpu_study(contained, tmp_path_factory):
    """The finished study, its local model now declaring a GPU."""
    study = contained.copy(tmp_path_factory.mktemp("gpu") / "study")
    study.environment = contained.environment
    study.configure(models__local__device="gpu")
    return study


def test_jobs_of_a_local_run_see_gpus_if_one_of_them_asks_for_one(gpu_study, apptainer):
    apptainer.jobs()
    target = "results/local/seed-1/hidden_states/level-1/test/00000.safetensors"
    gpu_study.snakemake(target, "--use-singularity", "--forcerun", target)
    jobs = apptainer.jobs()
    assert len(jobs) == 1
    assert " --nv " in jobs[0]


def test_on_a_cluster_the_jobs_that_ask_for_a_gpu_see_it(gpu_study, apptainer):
    hidden_states = "results/{}/seed-1/hidden_states/level-1/test/00000.safetensors"
    targets = [hidden_states.format("local"), hidden_states.format("tiny"), ROWS[1]]
    apptainer.jobs()
    gpu_study.snakemake(
        *targets,
        *("--use-singularity", "--executor", "cluster-generic", "--jobs", "1"),
        *("--seconds-between-status-checks", "1"),
        *("--cluster-generic-submit-cmd", "bash", "--forcerun", *targets),
    )
    jobs = apptainer.jobs()
    # A forced shard of tiny's, and one of local's, which asks for a GPU.
    decoding = [job for job in jobs if "hidden_states.py" in job]
    assert sorted(" --nv " in job for job in decoding) == [False, True]
    assert [" --nv " in job for job in jobs if job not in decoding] == [False]


@pytest.mark.documented("WORK_DIR=/data/study container/run")
def test_a_whole_study_runs_in_the_image_in_a_work_folder(native, image, apptainer, tmp_path):
    config = yaml.safe_load((native.folder / "config.yaml").read_text())
    update_config(config, yaml.safe_load((native.folder / "small.yaml").read_text()))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    outside = {"WORK_DIR": str(tmp_path), "APPTAINER_BIND": config["models"]["local"]["path"]}
    run(
        *(native.folder / "container/run", "--image", image),
        env={**apptainer.environment, **outside},
    )
    assert rows(tmp_path) == rows(native.folder)


def test_another_image_reruns_nothing_that_did_not_run_in_one(native, tmp_path):
    study = native.copy(tmp_path / "study")
    study.configure(container="docker://some/image:1")
    assert study.planned(*TARGETS) == set()


def test_a_missing_image_is_refused_with_how_to_build_it(study, apptainer, tmp_path):
    study = study.copy(tmp_path / "study")
    study.environment = apptainer.environment
    refused = study.snakemake("--use-singularity", check=False)
    assert refused.returncode == 1
    assert "container/think-to-talk.sif: no such file; build it with" in refused.stderr
    assert not (study.folder / "results").exists()


def test_a_build_that_fails_leaves_nothing(build, tmp_path):
    (tmp_path / "no_wheels").mkdir()
    output = tmp_path / "images" / "image.sif"
    failed = build("--mirror", tmp_path / "no_wheels", "--output", output)
    assert failed.returncode != 0
    assert "No matching distribution found" in failed.stdout
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("build", ["--base", "python:3.11"], "is written docker://python:3.11"),
        ("build", ["--mirror", "nowhere"], "expected the URL of a package index or an existing"),
        ("build", ["--output"], "--output: a value is expected after it"),
        ("run", ["--image", "no.sif"], "no.sif: no such file; build it with container/build"),
        ("run", ["--work-dir", "nowhere"], "nowhere: no such folder; set WORK_DIR"),
        ("run", ["--nv"], "--nv: unknown argument; see --help"),
    ],
)
def test_scripts_say_what_is_wrong_with_their_arguments(script, arguments, message):
    refused = subprocess.run(
        [REPOSITORY / "container" / script, *arguments], capture_output=True, text=True
    )
    assert refused.returncode == 1
    assert message in refused.stderr

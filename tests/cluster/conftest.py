"""A real Slurm with one `gpu:a100`, and a small study whose model asks for a GPU."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support.checkpoints import random_gpt2
from support.queues import Slurm
from support.studies import Study, copied_repository

SCRIPT = Path(__file__).with_name("slurm")
LEVELS = [f"level-{i}" for i in range(1, 6)]
TINY = {
    "seeds": [1],
    "splits": {"train": 60, "valid": 20, "test": 40, "probing_train": 60},
    "hidden_states": {"shard_rows": 60},
    "probes": {"train_on": "all", "min_train_rows": 20, "folds": 2},
    "tasks": dict.fromkeys(LEVELS[1:]),
    "models": {
        "tiny": None,
        "local": {
            **{"kind": "local", "path": "checkpoints/gpt2", "device": "gpu"},
            **{"layers": 2, "max_new_tokens": 60},
        },
    },
}
# What a site edits in the profile: its facts, and that this one has no accounting database.
SITE = {
    "slurm_account: my_account": "slurm_account: physics",
    "slurm_partition: cpu": "slurm_partition: batch",
    "gpu_partition: gpu": "gpu_partition: accelerated",
    "gpu_constraint: a100": 'gpu_constraint: "a100&gpu{memory_gb}gb"',
    "slurm-status-command: sacct": "slurm-status-command: squeue",
    # Jobs here take seconds.
    "before-status-checks: 20": "before-status-checks: 6",
    "latency-wait: 60": "latency-wait: 10",
}


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    if shutil.which("slurmctld") is None and (os.geteuid() != 0 or not shutil.which("apt-get")):
        # In CI these tests are to run.
        fail = pytest.fail if os.environ.get("CI") else pytest.skip
        fail("Slurm is not installed, and to install it root and apt-get are needed")
    folder = tmp_path_factory.mktemp("slurm")
    try:
        subprocess.run([SCRIPT, "start", folder], check=True)
        yield Slurm(folder)
    finally:
        subprocess.run([SCRIPT, "stop", folder], check=True)


@pytest.fixture(scope="session")
def untouched(tmp_path_factory):
    """The study as a site has it before its first run."""
    folder = copied_repository(tmp_path_factory.mktemp("cluster") / "study")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    random_gpt2(folder / "checkpoints/gpt2")
    study = Study(folder, "tiny.yaml")
    for old, new in SITE.items():
        study.edit("profiles/slurm/config.yaml", old, new)
    return study


@pytest.fixture(scope="session")
def run_locally(untouched, tmp_path_factory):
    """The study, run on this machine alone."""
    study = untouched.copy(tmp_path_factory.mktemp("locally") / "study")
    study.snakemake()
    return study

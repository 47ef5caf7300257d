"""Environments: the lock and the conda file name the same versions; nothing names a registry."""

import re
import subprocess
import sys

import yaml
from repository import REPOSITORY

CONDA_NAMES = {"pytorch": "torch"}


def pins(name):
    text = (REPOSITORY / "envs" / name).read_text()
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", text, re.MULTILINE))


def test_every_dependency_is_pinned_and_the_lock_holds_all_of_them():
    wanted = re.findall(
        r"^([a-z0-9-]+)", (REPOSITORY / "envs/requirements.in").read_text(), re.MULTILINE
    )
    assert set(wanted) <= set(pins("requirements.txt"))


def test_the_conda_environment_names_the_locked_versions():
    environment = yaml.safe_load((REPOSITORY / "envs/environment.yaml").read_text())
    locked = pins("requirements.txt")
    for dependency in environment["dependencies"]:
        name, version = dependency.split("=")
        if name != "python":
            assert version == locked[CONDA_NAMES.get(name, name)], name


def test_the_development_lock_agrees_with_the_runtime_lock():
    runtime, development = pins("requirements.txt"), pins("dev.txt")
    assert {n: v for n, v in development.items() if n in runtime and runtime[n] != v} == {}


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

"""Every command in the documentation is run by a test: here, or where its own test is."""

import re
import subprocess

import pytest
import yaml
from repository import REPOSITORY
from studies import Study, copied_repository, own_environment

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/cluster.md")
#: Run here in a copy of the repository, with what makes it small added to it.
HERE = {
    "make docs": "",
    "make format": "",
    "make lock": "--dry-run",
    "pip install -r envs/wandb.txt": "--dry-run",
    "snakemake -n": "",
    "snakemake --lint": "",
    "snakemake --unlock": "",
    "snakemake --cores 1 plan --configfile studies/paper.yaml": "",
    # 324 of its jobs need a GPU.
    "snakemake --profile profiles/slurm --configfile studies/paper.yaml": "--dry-run",
    "snakemake --profile profiles/slurm --configfile studies/paper.yaml --dry-run": "",
    "snakemake --cores 2 --directory runs/smollm2 --configfile studies/smollm2.yaml": "few.yaml",
}
#: Run by other tests, those of studies with smaller ones.
ELSEWHERE = {
    "make study": "workflow/conftest.py::default_study",
    ". .venv/bin/activate": "workflow/test_documented_commands.py::test_it_runs",
    "snakemake --cores 2": "workflow/test_same_answer.py::test_two_runs",
    "snakemake --cores 2 --configfile studies/controls.yaml": (
        "workflow/test_controls_study.py::finished"
    ),
    "snakemake --report report.html": "workflow/test_report.py::report",
    "snakemake --cores 2 --use-singularity": "container/test_container.py::contained",
    "container/build": "container/conftest.py::build",
    "container/build --base docker://python:3.11-slim": "container/conftest.py::build",
    "WORK_DIR=/data/study container/run": "container/test_container.py::test_a_whole_study",
    "snakemake --profile profiles/slurm": "cluster/test_slurm.py::eventful",
    "make bench": "test_benchmarks.py::everything",
    "make audit": "test_environments.py::test_the_audit_reads_every_lock",
}
#: What tests themselves are run by.
OF_CI = {
    *("make test", "make check", "make .venv/study .venv/slurm"),
    *("make .venv/slurm", "make .venv/smollm2", "make .venv/wandb"),
}
FEW = {
    "splits": {"train": 3, "valid": 1, "test": 6, "probing_train": 10},
    "tasks": {"level-3": None},
    "models": {"smollm2-135m-instruct": {"layers": [0, 30], "shots": 1, "tasks": ["level-1"]}},
    "probes": {"train_on": "all", "min_train_rows": 5},
}


def documented():
    """The commands in documents, without comments: lines of ```sh, and code in the text."""
    commands = set()
    for document in DOCUMENTS:
        text = (REPOSITORY / document).read_text(encoding="utf-8")
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            commands |= {re.sub(r"\s+#.*", "", line).strip() for line in block.splitlines()}
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        for code in re.findall(r"`([^`]+)`", prose):
            if re.match(r"(make|snakemake|pip|container/(build|run)) ?", f"{code} "):
                commands.add(" ".join(code.split()))
    return commands - {"", "snakemake", "container/run"}


def test_each_command_in_the_documentation_is_run_by_a_test():
    assert documented() == {*HERE, *ELSEWHERE, *OF_CI}


@pytest.mark.parametrize("place", sorted(set(ELSEWHERE.values())))
def test_the_tests_that_run_the_others_are_there(place):
    path, name = place.split("::")
    assert re.search(rf"^def {name}", (REPOSITORY / "tests" / path).read_text(), re.MULTILINE)


def test_ci_runs_the_tests_and_the_checks_with_all_extras():
    ran = (REPOSITORY / ".ci/run").read_text()
    assert {"make check", "make test"} <= set(ran.splitlines())


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of the repository with what is installed beside the tests."""
    study = Study(copied_repository(tmp_path_factory.mktemp("documented") / "study"))
    study.link_environment()
    (study.folder / "few.yaml").write_text(yaml.safe_dump(FEW))
    return study.folder


@pytest.mark.parametrize("command", HERE)
def test_it_runs(clone, command):
    run = subprocess.run(
        ["bash", "-c", f". .venv/bin/activate && {command} {HERE[command]}"],
        cwd=clone,
        env=own_environment(),
        text=True,
        capture_output=True,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]

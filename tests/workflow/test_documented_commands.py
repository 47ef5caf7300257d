"""Every command in the documentation is run by a test: here, or by one that is marked with it."""

import ast
import re
import subprocess

import pytest
import yaml
from support.repository import REPOSITORY
from support.studies import Study, copied_repository, own_environment

DOCUMENTS = (
    *("README.md", "CONTRIBUTING.md"),
    *(f"docs/{page.name}" for page in sorted((REPOSITORY / "docs").glob("*.md"))),
)
HUB_MODEL = (
    "snakemake --profile profiles/slurm --directory runs/hub-model "
    "--configfile studies/hub-model.yaml"
)
#: Run here in a copy of the repository, with what makes it small added to it.
HERE = {
    "make docs": "",
    "make format": "",
    "make lock": "--dry-run",
    "make sizes": "--dry-run",
    "pip install -r envs/wandb.txt": "--dry-run",
    "pip install .": "--no-deps --no-build-isolation --target installed",
    "snakemake -n": "",
    "snakemake --unlock": "",
    "snakemake --cores 2 --notemp all_hidden_states": "--dry-run",
    "snakemake --cores 2 --configfile studies/findings.yaml": "--dry-run",
    "snakemake --cores 2 --configfile studies/findings.yaml studies/clocks.yaml": "--dry-run",
    "snakemake --cores 2 --configfile studies/answer-only.yaml": "--dry-run",
    "snakemake --cores 2 --configfile studies/transfer.yaml": "--dry-run",
    "snakemake --cores 2 --configfile studies/controls.yaml": "--dry-run",
    "snakemake --cores 2 --directory runs/names --configfile studies/names.yaml": "--dry-run",
    "snakemake --cores 2 --directory runs/wording --configfile studies/wording.yaml": "--dry-run",
    "snakemake --cores 2 --directory runs/mine --configfile studies/mine.yaml": "--dry-run",
    f"{HUB_MODEL} --dry-run": "",
    HUB_MODEL: "--dry-run",
    "snakemake --cores 1 plan --configfile studies/paper.yaml": "",
    # 324 of its jobs need a GPU.
    "snakemake --profile profiles/slurm --configfile studies/paper.yaml": "--dry-run",
    "snakemake --profile profiles/slurm --configfile studies/paper.yaml --dry-run": "",
}
#: The same, but it takes minutes.
THOROUGH = {
    "snakemake --cores 2 --directory runs/smollm2 --configfile studies/smollm2.yaml": "few.yaml",
}
FEW = {
    "splits": {"train": 3, "valid": 1, "test": 6, "probing_train": 10},
    "tasks": {"level-3": None},
    "models": {"smollm2-135m-instruct": {"layers": [0, 30], "shots": 1, "tasks": ["level-1"]}},
    "probes": {"train_on": "all", "min_train_rows": 5},
    # The chat of `test_chat_study.py` has these of the same model.
    **{"logit_lens": False, "forced_answers": False},
}


def lines(commands):
    """What is run: each line once, though it is documented with --dry-run and without."""
    return list(dict.fromkeys(f"{command} {added}".strip() for command, added in commands.items()))


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


def yaml_blocks(document):
    """The examples of configurations in a document."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def marked():
    """The commands of all `documented` marks in the tests."""
    commands = set()
    for source in (REPOSITORY / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "documented":
                commands |= {ast.literal_eval(argument) for argument in node.args}
    return commands


def test_each_command_in_the_documentation_is_run_by_a_test():
    assert documented() == {*HERE, *THOROUGH, *marked()}


@pytest.mark.documented("make check", "make test", "make test-services", "make test-all")
def test_ci_runs_the_checks_and_all_tests():
    ran = (REPOSITORY / ".ci/run").read_text().splitlines()
    assert ran[-3:] == ["make check", "make test", "make test-services"]


@pytest.mark.documented(
    "make .venv/study",
    "make .venv/study .venv/slurm",
    "make .venv/dev",
    "make .venv/smollm2",
    "make .venv/wandb",
)
def test_what_the_tests_need_is_installed_by_the_documented_targets():
    lines = (REPOSITORY / "Makefile").read_text().splitlines()
    [needed] = [line for line in lines if line.startswith(".venv/dev:")]
    assert {".venv/study", ".venv/wandb", ".venv/slurm", ".venv/smollm2"} <= set(needed.split())


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of the repository with what is installed beside the tests."""
    study = Study(copied_repository(tmp_path_factory.mktemp("documented") / "study"))
    study.link_environment()
    (study.folder / "few.yaml").write_text(yaml.safe_dump(FEW))
    [mine] = yaml_blocks("docs/laptop.md")
    (study.folder / "studies/mine.yaml").write_text(mine)
    return study.folder


@pytest.mark.documented(". .venv/bin/activate")
@pytest.mark.parametrize(
    "command",
    [*lines(HERE), *(pytest.param(each, marks=pytest.mark.thorough) for each in lines(THOROUGH))],
)
def test_it_runs(clone, command):
    run = subprocess.run(
        ["bash", "-c", f". .venv/bin/activate && {command}"],
        cwd=clone,
        env=own_environment(),
        text=True,
        capture_output=True,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]


def test_the_overlay_of_the_first_hub_model_is_the_shown_one():
    """The file has its sizes as well, so that it can be planned without the hub."""
    [shown] = yaml_blocks("docs/first-hub-model.md")
    overlay = yaml.safe_load((REPOSITORY / "studies/hub-model.yaml").read_text(encoding="utf-8"))
    del overlay["models"]["qwen2.5-7b"]["architecture"]
    assert yaml.safe_load(shown) == overlay


@pytest.mark.documented("snakemake --cores 1 plan --configfile studies/hub-model.yaml")
def test_what_the_first_hub_model_costs_is_what_planning_says(clone):
    """Of a plan in its own folder, after `plan` has run there."""
    page = (REPOSITORY / "docs/first-hub-model.md").read_text(encoding="utf-8")
    plan = "snakemake --cores 1 plan --configfile studies/hub-model.yaml"
    run = subprocess.run(
        f". .venv/bin/activate && {plan} --directory runs/planned",
        shell=True,
        executable="/bin/bash",
        cwd=clone,
        env=own_environment(),
        text=True,
        capture_output=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    plan = (clone / "runs/planned/results/plan.md").read_text()
    memory, least, most, jobs, decoding = re.search(
        r"\| ([\d.]+) GB +\| \d+ +\| \d+ .*?(\d+\.\d) – (\d+\.\d).*?"
        r"\*\*all\*\*[ |]+(\d+) +\| (\d+) ",
        plan,
        re.DOTALL,
    ).groups()
    assert f"{memory} GB of its memory" in page
    assert f"| GPU hours | {least} if all chains are right, {most} if none is" in page
    assert f"| jobs | {jobs}, of which {decoding} decode on a GPU |" in page
    end, model, weights, low, high = re.search(
        r"about ([\d.]+) GB in the end \(probe weights ([\d.]+) GB, .*?models ([\d.]+) GB\).*?"
        r"at least ([\d.]+) GB and at most ([\d.]+) GB",
        plan,
    ).group(1, 3, 2, 4, 5)
    assert f"| {end} GB: the model {model}, probe weights {weights}, " in page
    assert f"| {float(low):.0f} GB at least, {float(high):.0f} GB at most: " in page

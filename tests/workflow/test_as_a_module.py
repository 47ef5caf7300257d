"""A workflow of another folder uses this one as a module, as snakedeploy sets it up."""

import subprocess
import sys

import pytest
import yaml
from support.configs import level_1_study
from support.repository import REPOSITORY
from support.studies import own_environment

from think_to_talk.files.jsonl import read_jsonl

OUTER = f"""
configfile: "config/config.yaml"


module think_to_talk:
    snakefile:
        "{REPOSITORY}/Snakefile"
    config:
        config


use rule * from think_to_talk
"""
#: A rule of the module with a change, and one beside it with a script of its own.
MORE = """

use rule heatmap from think_to_talk as heatmap with:
    threads: 2


rule probes_of_mine:
    input:
        "results/summary/timing.md",
    output:
        "mine.txt",
    script:
        "probes.py"
"""


class Outer:
    """A folder with a Snakefile and a configuration, and nothing else of the workflow."""

    def __init__(self, folder):
        self.folder = folder
        config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
        small = level_1_study([1], 20)
        small["models"]["tiny"]["training"].update(steps=20, rows=200, hidden_size=32)
        small["splits"]["probing_train"] = 60
        config["tasks"] = {"level-1": config["tasks"]["level-1"]}
        config["models"]["tiny"] |= {**small.pop("models")["tiny"], "tasks": ["level-1"]}
        del small["tasks"]
        switched_off = {"patching": False, "inconsistent_chains": False}
        config |= {**small, "interventions": switched_off, "controls": {"thresholds": [0.5]}}
        (folder / "config").mkdir(parents=True)
        (folder / "config/config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True))
        self.use("")

    def use(self, more, old="", new=""):
        (self.folder / "Snakefile").write_text(OUTER.replace(old, new) + more)

    def snakemake(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=self.folder,
            env=own_environment(),
            text=True,
            capture_output=True,
        )


@pytest.fixture(scope="module")
def outer(tmp_path_factory):
    return Outer(tmp_path_factory.mktemp("outer") / "study")


def test_a_study_runs_from_a_foreign_folder_with_the_config_handed_over(outer):
    run = outer.snakemake()
    assert run.returncode == 0, run.stderr[-5000:]
    summary = outer.folder / "results/summary"
    assert [row["task"] for row in read_jsonl(summary / "timing.jsonl")] == ["level-1"] * 2
    assert (summary / "explorer.html").stat().st_size > 100_000
    # Its messages are there, and its lock.
    assert "tiny, level-1: B" in run.stdout
    assert (outer.folder / ".snakemake/lock.json").exists()
    again = outer.snakemake("--dry-run")
    assert "Nothing to be done" in again.stderr + again.stdout


def test_its_rules_can_be_renamed_and_changed_and_stand_beside_others(outer):
    (outer.folder / "probes.py").write_text("open(snakemake.output[0], 'w').write('mine')\n")
    outer.use(MORE)
    run = outer.snakemake("mine.txt", "--force")
    assert run.returncode == 0, run.stderr[-5000:]
    assert (outer.folder / "mine.txt").read_text() == "mine"
    outer.use("", "use rule * from think_to_talk", "use rule * from think_to_talk as ttt_*")
    run = outer.snakemake("ttt_plan")
    assert run.returncode == 0, run.stderr[-5000:]
    assert "# What this study will cost" in run.stdout
    assert "localrules" not in run.stderr
    planned = outer.snakemake("--dry-run")
    assert "Nothing to be done" in planned.stderr + planned.stdout


def test_a_module_that_is_no_folder_of_this_machine_is_refused_in_a_line(outer, tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "init", "--quiet", clone], check=True, env={**own_environment(), "HOME": "/"}
    )
    for name in ("Snakefile", "rules/setup/config_files.smk"):
        # Snakemake 9.27.1 finds no includes of a Snakefile at the top of a git repository.
        file = clone / "workflow" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text((REPOSITORY / name).read_text())
    author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["add", "."], [*author, "commit", "--quiet", "--message", "a"]):
        subprocess.run(["git", "-C", clone, *command], check=True)
    outer.use("", f"{REPOSITORY}/Snakefile", f"git+file://{clone}/workflow/Snakefile@HEAD")
    run = outer.snakemake("--dry-run")
    assert run.returncode == 1
    message = "this workflow runs from a folder of this machine: clone its repository"
    assert message in run.stdout + run.stderr

"""A workflow of another folder uses this one as a module, as snakedeploy sets it up."""

import shutil
import subprocess

import pytest
import yaml
from snakemake.utils import update_config
from support.outcomes import record
from support.repository import REPOSITORY
from support.studies import Study, own_environment

OUTER = """
configfile: "config/config.yaml"


module think_to_talk:
    snakefile:
        "{module}"
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


class Outer(Study):
    """A folder with a Snakefile, a configuration and the study's inputs: nothing of the workflow.

    study: whose workflow it uses as a module, and whose configuration it hands over; its models
        study level 1 alone.
    """

    def __init__(self, folder, study):
        super().__init__(folder)
        self.module = study.folder / "Snakefile"
        config = yaml.safe_load((study.folder / "config.yaml").read_text())
        update_config(config, yaml.safe_load((study.folder / study.overlay).read_text()))
        config["models"]["local"]["tasks"] = ["level-1"]
        (folder / "config").mkdir(parents=True)
        (folder / "config/config.yaml").write_text(
            yaml.safe_dump(config, allow_unicode=True, sort_keys=False)
        )
        for inputs in ("data", "checkpoints"):
            shutil.copytree(study.folder / inputs, folder / inputs)
        self.use("")

    def use(self, more, old="", new=""):
        snakefile = OUTER.format(module=self.module)
        (self.folder / "Snakefile").write_text(snakefile.replace(old, new) + more)


@pytest.fixture(scope="module")
def outer(untouched, tmp_path_factory):
    return Outer(tmp_path_factory.mktemp("outer") / "study", untouched)


#: A file that no model asks for, made of a dataset that lies in the folder.
DATASET = "results/formulas/seed-1/existing/test.jsonl"


def test_a_study_runs_from_a_foreign_folder_to_the_same_bytes(outer, finished_mini):
    """What is of level 1, or of the model that studies nothing else, is that of the whole study."""
    run = outer.snakemake("all", DATASET)
    found, expected = outer.results(), finished_mini.results()
    same = {name for name in expected if "level-1" in name or "tiny" in name} | {DATASET}
    assert same <= found.keys()
    assert [name for name in same if found[name] != expected[name]] == []
    record(
        *("the same answer everywhere", "run again, as a module"),
        f"{len(same)} files byte-identical",
    )
    # Its messages are there, and its lock.
    assert "tiny, level-1: B" in run.stdout
    assert (outer.folder / ".snakemake/lock.json").exists()
    assert outer.planned() == set()


def test_its_rules_can_be_renamed_and_changed_and_stand_beside_others(outer):
    (outer.folder / "probes.py").write_text("open(snakemake.output[0], 'w').write('mine')\n")
    outer.use(MORE)
    outer.snakemake("mine.txt", "--force")
    assert (outer.folder / "mine.txt").read_text() == "mine"
    outer.use("", "use rule * from think_to_talk", "use rule * from think_to_talk as ttt_*")
    run = outer.snakemake("ttt_plan")
    assert "# What this study will cost" in run.stdout
    assert "localrules" not in run.stderr
    assert outer.planned() == set()


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
    outer.use("", str(outer.module), f"git+file://{clone}/workflow/Snakefile@HEAD")
    run = outer.snakemake("--dry-run", check=False)
    assert run.returncode == 1
    message = "this workflow runs from a folder of this machine: clone its repository"
    assert message in run.stdout + run.stderr

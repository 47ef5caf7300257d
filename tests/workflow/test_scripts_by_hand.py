"""Scripts run by hand: what `--help` says of them is what their rules give, and examples run."""

import json
import re
import shlex
import subprocess
import sys

import pytest
from support.repository import REPOSITORY
from support.studies import own_environment

from think_to_talk.run.failures import COMMAND
from think_to_talk.run.job_arguments import ALL, names_read

SCRIPTS = sorted(set((REPOSITORY / "workflow_scripts").glob("*.py")), key=lambda path: path.name)
SCRIPTS = [path for path in SCRIPTS if path.name != "job.py"]
#: Prints what each rule gives to its script.
LISTING = f"""
configfile: "{REPOSITORY}/config.yaml"


module workflow_of_scripts:
    snakefile:
        "{REPOSITORY}/Snakefile"
    config:
        config


use rule * from workflow_of_scripts


for each in workflow.rules:
    if each.script:
        parts = ("input", "output", "params")
        named = {{part: list(dict(getattr(each, part).items())) for part in parts}}
        print("RULE", json.dumps([each.script, named]))
"""
#: Scripts whose example takes a second; the others take longer, or need W&B or the network.
QUICK = ("ceilings", "clocks", "findings", "formulas", "heatmap", "timing", "timing_table")


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """{name of a script: names of the input, output and params of each of its rules}."""
    folder = tmp_path_factory.mktemp("listing")
    (folder / "Snakefile").write_text(f"import json\n{LISTING}")
    listed = subprocess.run(
        [sys.executable, "-m", "snakemake", "--list-rules"],
        cwd=folder,
        env=own_environment(),
        text=True,
        capture_output=True,
    )
    found = {}
    for line in re.findall("^RULE (.*)$", listed.stdout, re.MULTILINE):
        script, named = json.loads(line)
        found.setdefault(script.rpartition("/")[2], []).append(named)
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_reads_what_its_rules_give_and_no_more(script, rules):
    for rule in rules[script.name]:
        for part, names in names_read(script).items():
            given = rule.get(part, [])
            assert part not in rule or set(names) - {ALL} <= set(given), part
        for part in ("input", "params"):
            read = names_read(script).get(part, [])
            unread = set() if ALL in read else set(rule[part]) - set(read) - {"code"}
            # A model's files are read by way of its checkpoint.
            assert unread <= {"model"}, part


@pytest.fixture
def by_hand(mini):
    def run(script, *arguments):
        return subprocess.run(
            [sys.executable, REPOSITORY / f"workflow_scripts/{script}.py", *arguments],
            cwd=mini.folder,
            text=True,
            capture_output=True,
        )

    return run


@pytest.mark.parametrize("script", QUICK)
def test_the_example_of_help_makes_the_same_files(script, by_hand, mini):
    shown = by_hand(script, "--help").stdout
    assert "output." in shown
    example = shown.rstrip().splitlines()[-1].strip()
    outputs = re.findall(r"output\.\w+=(\S+)", example)
    before = {path: (mini.folder / path).read_bytes() for path in outputs}
    assert before
    for path in outputs:
        (mini.folder / path).unlink()
    subprocess.run(shlex.split(example), cwd=mini.folder, check=True, env=own_environment())
    assert before == {path: (mini.folder / path).read_bytes() for path in outputs}


def test_each_log_begins_with_the_command_of_its_job(finished_mini):
    logs = sorted((finished_mini.folder / "results/logs").rglob("*.log"))
    assert logs
    for log in logs:
        assert log.read_text().startswith(f"{COMMAND}{sys.executable} "), log


def test_help_needs_no_study(tmp_path):
    shown = subprocess.run(
        [sys.executable, REPOSITORY / "workflow_scripts/timing.py", "--help"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert shown.startswith("Find when each variable of a task becomes readable.")
    assert "input.probes" in shown
    assert "results/logs is such a command" in shown


def test_a_missing_argument_is_one_line(by_hand):
    refused = by_hand("timing", "output.timing=timing.jsonl")
    assert refused.returncode == 1
    assert refused.stderr == (
        "error: argument input.probes: missing; expected input.probes=VALUE, see --help\n"
    )

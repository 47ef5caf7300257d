"""Code versions: they change with behaviour, and with nothing else."""

import shutil

import pytest
from repository import REPOSITORY

from think_to_talk.provenance import _behaviour, _parse, code_version

SCRIPTS = ["formulas", "tokens", "hidden_states", "probes", "timing", "heatmap"]


@pytest.fixture
def scripts(tmp_path):
    return shutil.copytree(REPOSITORY / "workflow_scripts", tmp_path / "scripts")


def versions(scripts):
    _parse.cache_clear()
    _behaviour.cache_clear()
    return {name: code_version(scripts / f"{name}.py") for name in SCRIPTS}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def changed(scripts, path, old, new):
    before = versions(scripts)
    edit(scripts / path, old, new)
    after = versions(scripts)
    return {name for name in SCRIPTS if before[name] != after[name]}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("think_to_talk/lbfgs.py", "_HISTORY = 5", "_HISTORY = 5  # pairs"),
        ("think_to_talk/lbfgs.py", "_HISTORY = 5", "_HISTORY  =  (\n    5\n)"),
        ("think_to_talk/solvers.py", '"""Three ways', '"""Some ways'),
        ("think_to_talk/errors.py", '    """Something given', '    """Anything given'),
        ("probes.py", '"""Fit and score', '"""Score and fit'),
        ("job.py", "def stem", "def other():\n    pass\n\n\ndef stem"),
    ],
)
def test_comments_docstrings_and_formatting_change_nothing(scripts, path, old, new):
    assert changed(scripts, path, old, new) == set()


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("think_to_talk/lbfgs.py", "_HISTORY = 5", "_HISTORY = 12", {"probes"}),
        ("think_to_talk/hooks.py", "call(0, args[0]", "call(0, args[1]", {"hidden_states"}),
        # The figures use the module of t* too.
        ("think_to_talk/timing.py", "] > threshold", "] >= threshold", {"timing", "heatmap"}),
        ("think_to_talk/figures.py", "WIDTH = 7.0", "WIDTH = 6.0", {"heatmap"}),
        ("think_to_talk/formulas.py", '"num"', '"number"', {"formulas"}),
        ("think_to_talk/prompts.py", '",;"', '";,"', {"tokens", "hidden_states", "probes"}),
        ("timing.py", "write_jsonl(", "write_jsonl(  \n", set()),
        ("timing.py", "this.params.threshold", "0.5", {"timing"}),
    ],
)
def test_behaviour_changes_the_versions_of_what_depends_on_it(scripts, path, old, new, expected):
    assert changed(scripts, path, old, new) == expected

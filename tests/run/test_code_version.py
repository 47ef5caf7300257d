"""Code versions: they change with behaviour, and with nothing else."""

import shutil

import pytest
from support.repository import REPOSITORY

from think_to_talk.run.code_version import (
    _behaviour,
    _run_tree,
    code_version,
    imported_sources,
)

SCRIPTS = ["formulas", "tokens", "hidden_states", "probes", "timing", "heatmap"]


@pytest.fixture
def scripts(tmp_path):
    return shutil.copytree(REPOSITORY / "workflow_scripts", tmp_path / "scripts")


def versions(scripts):
    _run_tree.cache_clear()
    _behaviour.cache_clear()
    return {name: code_version(scripts / f"{name}.py") for name in SCRIPTS}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def changed(scripts, path, old, new):
    before = versions(scripts)
    edit(scripts / "think_to_talk" / path, old, new)
    after = versions(scripts)
    return {name for name in SCRIPTS if before[name] != after[name]}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("probes/lbfgs.py", "_HISTORY = 5", "_HISTORY = 5  # pairs"),
        ("probes/lbfgs.py", "_HISTORY = 5", "_HISTORY  =  (\n    5\n)"),
        ("probes/solvers.py", '"""Three ways', '"""Some ways'),
        ("errors.py", '    """An input of', '    """Any input of'),
        ("../probes.py", '"""Fit and score', '"""Score and fit'),
        ("../job.py", "def stem", "def other():\n    pass\n\n\ndef stem"),
    ],
)
def test_comments_docstrings_and_formatting_change_nothing(scripts, path, old, new):
    assert changed(scripts, path, old, new) == set()


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("probes/lbfgs.py", "_HISTORY = 5", "_HISTORY = 12", {"probes"}),
        ("hidden_states/hooks.py", "call(0, args[0]", "call(0, args[1]", {"hidden_states"}),
        ("timing/best_probes.py", "] > threshold", "] >= threshold", {"timing", "heatmap"}),
        ("figures/style.py", "WIDTH = 7.0", "WIDTH = 6.0", {"heatmap"}),
        ("formulas/templates.py", '"num"', '"number"', {"formulas"}),
        ("tokens/layout.py", '",;"', '";,"', {"tokens", "hidden_states", "probes"}),
        ("../timing.py", "write_jsonl(", "write_jsonl(  \n", set()),
        ("../timing.py", "this.params.threshold", "0.5", {"timing"}),
    ],
)
def test_behaviour_changes_the_versions_of_what_depends_on_it(scripts, path, old, new, expected):
    assert changed(scripts, path, old, new) == expected


def package_of(folder, **modules):
    """A folder with a script that imports think_to_talk.first, and the modules of its package."""
    package = folder / "think_to_talk"
    package.mkdir()
    script = folder / "script.py"
    script.write_text("import think_to_talk.first\n")
    for name, text in {"__init__": "", **modules}.items():
        (package / f"{name}.py").write_text(text)
    return script


@pytest.mark.parametrize("line", ["from . import second", "from .second import x"])
def test_a_relative_import_is_refused(tmp_path, line):
    script = package_of(tmp_path, first=f"import os\n\n{line}\n", second="x = 1\n")
    with pytest.raises(ValueError, match=r"first\.py, line 3: a relative import"):
        code_version(script)


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("from typing import TYPE_CHECKING", "TYPE_CHECKING"),
        ("import typing", "typing.TYPE_CHECKING"),
    ],
)
def test_only_what_runs_is_followed(tmp_path, module, test):
    block = "if {}:\n    import think_to_talk.{}\nelse:\n    import think_to_talk.third\n"
    script = package_of(
        tmp_path, first=f"{module}\n\n{block.format(test, 'second')}", second="", third="x = 1\n"
    )
    names = {source.stem for source in imported_sources(script)}
    assert names == {"script", "__init__", "first", "third"}
    before = code_version(script)
    _run_tree.cache_clear()
    _behaviour.cache_clear()
    first = tmp_path / "think_to_talk" / "first.py"
    first.write_text(f"{module}\n\n{block.format(test, 'fourth')}")
    assert code_version(script) == before
    _run_tree.cache_clear()
    _behaviour.cache_clear()
    edit(tmp_path / "think_to_talk" / "third.py", "x = 1", "x = 2")
    assert code_version(script) != before

"""Code versions: they change with behaviour, and with nothing else."""

import ast
import shutil

import pytest
from support.repository import REPOSITORY

from think_to_talk.run.code_version import Code

SCRIPTS = ["formulas", "tokens", "hidden_states", "probes", "timing", "heatmap"]


@pytest.fixture
def scripts(tmp_path):
    return shutil.copytree(REPOSITORY / "workflow_scripts", tmp_path / "scripts")


def versions(scripts):
    code = Code(scripts)
    return {name: code.version(f"{name}.py") for name in SCRIPTS}


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
        ("figures/style.py", "WIDTH = 13 / 2.54", "WIDTH = 12 / 2.54", {"heatmap"}),
        ("formulas/templates.py", '"num"', '"number"', {"formulas"}),
        ("tokens/layout.py", '== "?"', '!= "?"', {"tokens", "hidden_states", "probes"}),
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


def version(script):
    return Code(script.parent).version(script.name)


@pytest.mark.parametrize("line", ["from . import second", "from .second import x"])
def test_a_relative_import_is_refused(tmp_path, line):
    script = package_of(tmp_path, first=f"import os\n\n{line}\n", second="x = 1\n")
    with pytest.raises(ValueError, match=r"first\.py, line 3: a relative import"):
        version(script)


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
    names = {source.stem for source in Code(script.parent).sources(script.name)}
    assert names == {"script", "__init__", "first", "third"}
    before = version(script)
    first = tmp_path / "think_to_talk" / "first.py"
    first.write_text(f"{module}\n\n{block.format(test, 'fourth')}")
    assert version(script) == before
    edit(tmp_path / "think_to_talk" / "third.py", "x = 1", "x = 2")
    assert version(script) != before


def test_what_was_parsed_is_kept_and_gives_the_same_versions(scripts, tmp_path, monkeypatch):
    kept = tmp_path / ".snakemake/code.json"
    first = Code(scripts, kept)
    before = {name: first.version(f"{name}.py") for name in SCRIPTS}
    first.keep()
    parsed = []
    monkeypatch.setattr(
        "think_to_talk.run.code_version._run_tree",
        lambda content, path: parsed.append(path.name) or ast.parse(content),
    )
    second = Code(scripts, kept)
    assert {name: second.version(f"{name}.py") for name in SCRIPTS} == before
    assert second.libraries("probes.py") == first.libraries("probes.py")
    assert parsed == []
    edit(scripts / "think_to_talk/probes/lbfgs.py", "_HISTORY = 5", "_HISTORY = 12")
    third = Code(scripts, kept)
    changed = {name for name in SCRIPTS if third.version(f"{name}.py") != before[name]}
    assert changed == {"probes"}
    assert parsed == ["lbfgs.py"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"key": 1}', '{"key": [[1], 2]}'])
def test_what_was_kept_may_be_damaged(scripts, tmp_path, content):
    kept = tmp_path / "code.json"
    kept.write_text(content)
    code = Code(scripts, kept)
    assert code.version("probes.py") == Code(scripts).version("probes.py")
    code.keep()
    assert len(kept.read_text()) > 100


def test_a_script_s_libraries_are_those_of_its_modules_too(scripts):
    libraries = Code(scripts).libraries("probes.py")
    assert {("torch", None), ("safetensors", "safe_open"), ("scipy.stats", "binomtest")} < libraries
    assert not any(module.startswith("think_to_talk") for module, _ in libraries)

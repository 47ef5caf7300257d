"""docs/configuration.md: the reference of the config is what its schema says."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from support.repository import REPOSITORY


def read(path):
    return (REPOSITORY / path).read_text(encoding="utf-8")


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with the schema of the config and what makes its reference."""
    for path in ("docs/configuration.py", "docs/configuration.md", "schemas/config.schema.yaml"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / path, tmp_path / path)
    return tmp_path


def add_key(folder, description):
    """Add `timing.added` to the schema of a folder."""
    path = folder / "schemas/config.schema.yaml"
    schema = yaml.safe_load(path.read_text(encoding="utf-8"))
    schema["properties"]["timing"]["properties"]["added"] = description
    path.write_text(yaml.safe_dump(schema, sort_keys=False), encoding="utf-8")


def reference(folder, *arguments):
    return subprocess.run(
        [sys.executable, str(folder / "docs/configuration.py"), *arguments],
        capture_output=True,
        text=True,
    )


def rows(page):
    """{dotted name: the other cells of its row} of a reference."""
    cells = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
        for line in re.findall(r"^\| (`.+) \|$", page, re.MULTILINE)
    ]
    assert {len(row) for row in cells} == {4}
    return {name.strip("`"): rest for name, *rest in cells}


def test_the_reference_of_the_config_is_current():
    run = reference(REPOSITORY, "--check")
    assert (run.returncode, run.stderr) == (0, "")


def test_a_reference_that_is_not_current_is_one_line_that_says_what_to_do(elsewhere):
    (elsewhere / "docs/configuration.md").write_text("# Old\n")
    run = reference(elsewhere, "--check")
    assert run.returncode == 1
    assert run.stderr.splitlines() == [
        "error: docs/configuration.md is not what schemas/config.schema.yaml says; run `make docs`"
    ]
    assert (elsewhere / "docs/configuration.md").read_text() == "# Old\n"
    assert reference(elsewhere).returncode == 0
    assert reference(elsewhere, "--check").returncode == 0
    assert (elsewhere / "docs/configuration.md").read_bytes() == (
        REPOSITORY / "docs/configuration.md"
    ).read_bytes()


def test_a_key_of_the_schema_is_in_the_reference_without_more(elsewhere):
    key = {"description": "One | two* of `a|b`.", "type": "integer", "minimum": 2, "default": 3}
    add_key(elsewhere, key)
    assert reference(elsewhere, "--check").returncode == 1
    assert reference(elsewhere).returncode == 0
    page = (elsewhere / "docs/configuration.md").read_text(encoding="utf-8")
    row = r"| `timing.added` | integer ≥ 2 | `3` | One \| two\* of `a\|b`. |"
    assert row in page.splitlines()


def test_what_the_reference_cannot_put_in_words_is_an_error(elsewhere):
    add_key(elsewhere, {"description": "A date.", "type": "string", "format": "date"})
    run = reference(elsewhere)
    assert run.returncode == 1
    assert run.stderr.startswith("error: schemas/config.schema.yaml: format: ")
    assert run.stderr.count("\n") == 1


def test_every_key_has_a_row_with_its_default_and_description(schema):
    def keys(entry, path):
        """All keys below an entry; names of tasks, models and the like are `{…}`, lists `[i]`."""
        if "$ref" in entry:
            entry = schema["$defs"][entry["$ref"].split("/")[-1]]
        for name, sub in entry.get("properties", {}).items():
            yield f"{path}{name}", sub, name in entry.get("required", [])
            yield from keys(sub, f"{path}{name}.")
        inner = entry.get("additionalProperties")
        if isinstance(inner, dict):
            name = inner.get("$ref", "name").split("/")[-1]
            yield from keys(inner, f"{path}{{{name}}}.")
        if isinstance(entry.get("items"), dict):
            yield from keys(entry["items"], f"{path.removesuffix('.')}[i].")

    found = rows(read("docs/configuration.md"))
    expected = [key for key in keys(schema, "") if "." in key[0]]
    assert set(found) == {path for path, _, _ in expected}
    for path, entry, required in expected:
        _, default, description = found[path]
        if required:
            assert default == "*required*"
        else:
            assert default == "" or yaml.safe_load(default.strip("`")) == entry["default"]
            assert (default == "") == ("default" not in entry)
        assert description.replace("\\", "") == " ".join(entry["description"].split())


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("splits.test", "integer from 1 to 10000000"),
        ("timing.threshold", "number from 0 to 1"),
        ("probes.penalty", "number > 0"),
        ("probes.solver", "one of `lbfgs`, `sgd` or `sklearn`"),
        ("controls.thresholds", "list of numbers > 0 and < 1, all different"),
        ("models.{model}.layers", "`all`, or integer ≥ 1, or list of integers ≥ 0, not empty"),
        ("models.{model}.training", "[mapping](#modelsmodeltraining)"),
        ("tasks.{task}.few_shot.values", "list of 2 integers from 0 to 199"),
        (
            "interventions.specs",
            "mapping of [names](#name) to [`interventions.specs.{name}`](#interventionsspecsname)",
        ),
    ],
)
def test_a_type_is_said_in_words(key, kind):
    assert rows(read("docs/configuration.md"))[key][0] == kind


def test_what_each_kind_of_model_and_task_requires_is_said_in_words():
    said = read("docs/configuration.md")
    for rule in (
        "- If `kind` is `train`: `training` is required; `path`, `package`, `repository`, "
        "`revision`, `architecture` and `trust_remote_code` are not allowed.",
        "- If `kind` is `local`: exactly one of `path` and `package` is required; `training`, "
        "`repository` and `revision` are not allowed.",
        "- If `kind` is `hub`: `repository` and `revision` are required; `training`, `path` and "
        "`package` are not allowed.",
        "  - `equations` and `order` are required; `files` is not allowed.",
        "  - `files` is required; `equations` and `order` are not allowed.",
        "- Exactly 1 of the keys must be given.",
    ):
        assert rule in said.splitlines()


def test_make_writes_and_checks_the_reference():
    def commands(target):
        run = subprocess.run(
            ["make", "--dry-run", target],
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},
        )
        return [line.partition("/python ")[2] for line in run.stdout.splitlines()]

    assert "docs/configuration.py" in commands("docs")
    assert "docs/configuration.py --check" in commands("check")

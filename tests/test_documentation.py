"""Documentation: what it says of keys, files and versions is so. Its commands are not run here."""

import copy
import os
import re
import shutil
import subprocess
import sys

import jsonschema
import pytest
import yaml
from repository import REPOSITORY
from snakemake.utils import update_config

from think_to_talk import configuration
from think_to_talk.errors import InputError

#: Folders at the top level that hold what was made or installed, and are not the repository's.
MADE = {"results", "runs", "wandb"}
#: The hosts that documents may name: none of them has packages.
HOSTS = {"github.com", "arxiv.org", "keepachangelog.com", "semver.org"}
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def mapping(properties, optional=()):
    """The schema of a mapping with these keys and no others."""
    required = [key for key in properties if key not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def list_of(items):
    return {"type": "array", "items": items, "minItems": 1, "uniqueItems": True}


TEXT = {"type": "string", "minLength": 1}
SWITCH = {"type": "boolean"}
AUTHORS = list_of(
    {"anyOf": [mapping({"family-names": TEXT, "given-names": TEXT}), mapping({"name": TEXT})]}
)
IDENTIFIER = mapping(
    {"type": {"enum": ["doi", "url", "swh", "other"]}, "value": TEXT, "description": TEXT},
    optional=["description"],
)
#: What CITATION.cff must be: the parts of the Citation File Format 1.2.0 that it uses. (The package
#: that has all of the format's schema cannot be installed beside the study's jsonschema.)
CITATION = mapping(
    {
        "cff-version": {"const": "1.2.0"},
        "message": TEXT,
        "type": {"const": "software"},
        "title": TEXT,
        "abstract": TEXT,
        "authors": AUTHORS,
        "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        "license": {"const": "MIT"},
        "keywords": list_of(TEXT),
        "references": list_of(
            mapping(
                {
                    "type": {"enum": ["article", "conference-paper"]},
                    "title": TEXT,
                    "authors": AUTHORS,
                    "year": {"type": "integer"},
                    "url": {"type": "string", "pattern": "^https://"},
                    "identifiers": list_of(IDENTIFIER),
                }
            )
        ),
    }
)
#: What the Snakemake workflow catalog reads.
CATALOG = mapping(
    {
        "usage": mapping(
            {
                "mandatory-flags": mapping(
                    {"desc": {"type": "string"}, "flags": {"type": "array", "items": TEXT}}
                ),
                "software-stack-deployment": mapping(
                    {"conda": SWITCH, "apptainer": SWITCH, "apptainer+conda": SWITCH}
                ),
                "report": SWITCH,
            }
        )
    }
)


def read(path):
    return (REPOSITORY / path).read_text(encoding="utf-8")


def markdown_files():
    """The names of the repository's Markdown files."""
    folders = [
        path
        for path in REPOSITORY.iterdir()
        if path.is_dir() and not path.name.startswith(".") and path.name not in MADE
    ]
    found = [
        *REPOSITORY.glob("*.md"),
        *(path for folder in folders for path in folder.rglob("*.md")),
    ]
    return sorted(str(path.relative_to(REPOSITORY)) for path in found)


MARKDOWN = markdown_files()
DOCUMENTS = [*MARKDOWN, "LICENSE", "CITATION.cff", ".snakemake-workflow-catalog.yml"]


def without_blocks(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """The anchors of a document's headings, as GitHub makes them."""
    anchors, plain = [], []
    for heading in re.findall(r"^#{1,6} (.+)$", without_blocks(text), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = "".join(c for c in shown if c.isalnum() or c in "-_ ").replace(" ", "-")
        earlier = plain.count(anchor)
        anchors.append(f"{anchor}-{earlier}" if earlier else anchor)
        plain.append(anchor)
    return anchors


def links(text):
    """The targets of a document's links and images."""
    prose = re.sub(r"`[^`\n]*`", "", without_blocks(text))
    return re.findall(r"\]\(([^)\s]+)", prose) + re.findall(r'(?:src|href)="([^"]+)"', prose)


def yaml_blocks():
    """(document, position, content) of the examples of configurations."""
    return [
        pytest.param(block, id=f"{name}-{i}")
        for name in MARKDOWN
        for i, block in enumerate(
            re.findall(r"^```yaml\n(.*?)^```$", read(name), re.MULTILINE | re.DOTALL)
        )
    ]


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
        ("tasks.{task}.few_shot.values", "list of 2 integers from 0 to 9"),
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


@pytest.mark.parametrize("name", MARKDOWN)
def test_every_link_and_image_is_there(name):
    for target in links(read(name)):
        if re.match(r"https?://|mailto:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (REPOSITORY / name).parent / file if file else REPOSITORY / name
        assert path.resolve().is_relative_to(REPOSITORY), target
        assert path.exists(), target
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), target


def test_anchors_are_unique_in_the_reference():
    page = read("docs/configuration.md")
    contents = [target for target in links(page.partition("\n## ")[0]) if target.startswith("#")]
    assert contents == [f"#{anchor}" for anchor in anchors(page)[1:]]


@pytest.mark.parametrize("block", yaml_blocks())
def test_an_example_of_a_configuration_is_accepted_but_for_files_that_are_not_here(
    block, raw_config, schema
):
    overlay = yaml.safe_load(block.replace("<commit>", "c0ffee" + 34 * "0"))
    config = copy.deepcopy(raw_config)
    update_config(config, overlay)
    refusal = ""
    try:
        configuration.complete(config, schema)
    except InputError as error:
        refusal = str(error)
    assert not refusal or re.search(r": no such (file|folder)\b", refusal)


def test_readme_has_examples_of_configurations():
    assert [block.id for block in yaml_blocks() if block.id.startswith("README.md")]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_names_no_registry_and_no_folder_of_a_machine(name):
    text = read(name)
    named = set(re.findall(r"https?://([^/\s:)>\"']+)", text))
    named |= set(re.findall(r"\b(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev)\b", text))
    assert named <= HOSTS
    assert str(REPOSITORY) not in text
    assert not re.search(r"(?<![\w.~}])/(home|root|Users|tmp)/", text)


def test_the_citation_is_in_the_citation_file_format():
    citation = yaml.safe_load(read("CITATION.cff"))
    jsonschema.validate(citation, CITATION)
    assert citation["authors"] == [{"name": "The think-to-talk authors"}]


def test_the_paper_is_cited():
    (paper,) = yaml.safe_load(read("CITATION.cff"))["references"]
    assert [identifier["value"] for identifier in paper["identifiers"]] == ["arXiv:2412.01113"]
    assert paper["url"] in read("README.md")
    assert paper["authors"][0] == {"family-names": "Kudo", "given-names": "Keito"}


def test_the_license_is_the_cited_one():
    first, _, copyright_line, *_ = read("LICENSE").splitlines()
    assert first == f"{yaml.safe_load(read('CITATION.cff'))['license']} License"
    assert copyright_line == "Copyright (c) 2026 the think-to-talk authors"


def test_the_newest_entry_of_the_changelog_is_of_the_cited_version():
    changelog = read("CHANGELOG.md")
    versions = re.findall(r"^## \[?(\d+\.\d+\.\d+)\b", changelog, re.MULTILINE)
    assert versions[0] == yaml.safe_load(read("CITATION.cff"))["version"]
    assert set(re.findall(r"^### (.+)$", changelog, re.MULTILINE)) <= SECTIONS


def test_the_catalog_s_file_says_what_the_workflow_can_do():
    catalog = yaml.safe_load(read(".snakemake-workflow-catalog.yml"))
    jsonschema.validate(catalog, CATALOG)
    usage = catalog["usage"]
    rules = "".join(path.read_text() for path in sorted((REPOSITORY / "rules").glob("*.smk")))
    jobs = len(re.findall(r"^ *script:$", rules, re.MULTILINE))
    environments = re.findall(r"^ *conda:\n *\"../(.+)\"$", rules, re.MULTILINE)
    assert usage["software-stack-deployment"] == {
        "conda": len(environments) == jobs
        and all((REPOSITORY / e).is_file() for e in environments),
        "apptainer": 'container: config["container"]' in read("Snakefile"),
        "apptainer+conda": "conda" in read("container/think-to-talk.def"),
    }
    assert usage["report"] == bool(re.search(r"\breport\(", rules))

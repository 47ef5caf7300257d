"""CITATION.cff, LICENSE, CHANGELOG.md and the catalog's file agree, and are what readers expect."""

import re
import subprocess
import sys

import jsonschema
import pytest
import yaml
from support.repository import REPOSITORY

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


TEXT = {"type": "string", "minLength": 1}
SWITCH = {"type": "boolean"}
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


def check_citation(path):
    """Check a file by the Citation File Format's own schema, which check-jsonschema carries."""
    schema = ("--builtin-schema", "vendor.citation-file-format")
    command = [sys.executable, "-m", "check_jsonschema", *schema, path]
    return subprocess.run(command, text=True, capture_output=True)


def test_the_citation_is_in_the_citation_file_format(tmp_path):
    checked = check_citation(REPOSITORY / "CITATION.cff")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["authors"] == [{"name": "The think-to-talk authors"}]
    wrong = tmp_path / "CITATION.cff"
    wrong.write_text(yaml.safe_dump({**citation, "licence": "MIT"}))
    checked = check_citation(wrong)
    assert checked.returncode == 1
    assert "'licence' was unexpected" in checked.stdout


def test_the_paper_is_cited():
    (paper,) = yaml.safe_load(read("CITATION.cff"))["references"]
    preprint = [identifier["value"] for identifier in paper["identifiers"]]
    assert preprint == ["arXiv:2412.01113", "https://arxiv.org/abs/2412.01113"]
    assert preprint[1] in read("README.md")
    assert paper["authors"][0] == {"family-names": "Kudo", "given-names": "Keito"}
    assert paper["collection-title"].endswith("EACL 2026")
    assert (paper["start"], paper["end"]) == ("1114", "1153")


def test_the_citation_has_what_an_archive_asks_of_a_release():
    """Zenodo takes a tagged release's title, authors, description, license and keywords from it."""
    citation = yaml.safe_load(read("CITATION.cff"))
    for key in ("title", "authors", "abstract", "license", "keywords", "version", "type"):
        assert citation[key], key


def test_the_license_is_the_cited_one():
    first, _, copyright_line, *_ = read("LICENSE").splitlines()
    assert first == f"{yaml.safe_load(read('CITATION.cff'))['license']} License"
    assert copyright_line == "Copyright (c) 2026 the think-to-talk authors"


def test_the_newest_entry_of_the_changelog_is_of_the_cited_version():
    changelog = read("CHANGELOG.md")
    versions = re.findall(r"^## \[?(\d+\.\d+\.\d+)\b", changelog, re.MULTILINE)
    assert versions[0] == yaml.safe_load(read("CITATION.cff"))["version"]
    assert set(re.findall(r"^### (.+)$", changelog, re.MULTILINE)) <= SECTIONS


TAG = 'git tag --annotate v0.1.0 --message "think-to-talk 0.1.0"'


@pytest.mark.documented(
    'git tag --annotate v0.1.0 --message "think-to-talk 0.1.0"', "git push origin v0.1.0"
)
def test_the_documented_tag_is_that_of_the_version_and_can_be_pushed(tmp_path):
    version = yaml.safe_load(read("CITATION.cff"))["version"]
    assert TAG.split()[3] == f"v{version}"
    assert f"{TAG}\ngit push origin v{version}\n" in read("CONTRIBUTING.md")
    commands = (
        "git init --quiet --bare ../origin.git && git init --quiet . && "
        "git -c user.name=a -c user.email=a@b commit --quiet --allow-empty --message first && "
        "git remote add origin ../origin.git && "
        "git config user.name a && git config user.email a@b && "
        f"{TAG} && git push --quiet origin v{version} && git ls-remote --tags origin"
    )
    (tmp_path / "clone").mkdir()
    run = subprocess.run(
        commands, shell=True, cwd=tmp_path / "clone", text=True, capture_output=True
    )
    assert run.returncode == 0, run.stderr
    assert f"refs/tags/v{version}\n" in run.stdout


def test_the_catalog_s_file_says_what_the_workflow_can_do():
    catalog = yaml.safe_load(read(".snakemake-workflow-catalog.yml"))
    jsonschema.validate(catalog, CATALOG)
    usage = catalog["usage"]
    rules = "".join(path.read_text() for path in sorted((REPOSITORY / "rules").rglob("*.smk")))
    jobs = len(re.findall(r"^ *script:$", rules, re.MULTILINE))
    environments = re.findall(r"^ *conda:\n *\"../(.+)\"$", rules, re.MULTILINE)
    assert usage["software-stack-deployment"] == {
        "conda": len(environments) == jobs
        and all((REPOSITORY / e).is_file() for e in environments),
        "apptainer": 'container: config["container"]' in rules,
        "apptainer+conda": "conda" in read("container/think-to-talk.def"),
    }
    assert usage["report"] == bool(re.search(r"\breport\(", rules))

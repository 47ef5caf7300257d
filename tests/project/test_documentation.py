"""Documentation: what it says of keys, files and versions is so. Its commands are not run here."""

import copy
import re
from collections import defaultdict

import pytest
import yaml
from snakemake.utils import update_config
from support.repository import REPOSITORY

from think_to_talk.errors import InputError
from think_to_talk.formulas.problems import Problem
from think_to_talk.formulas.templates import Form
from think_to_talk.study import configuration

#: Folders at the top level that hold what was made or installed, and are not the repository's.
MADE = {"build", "results", "runs", "site", "wandb"}
#: The hosts that documents may name: none of them has packages.
HOSTS = {"github.com", "arxiv.org", "aclanthology.org", "keepachangelog.com", "semver.org"}
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


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


def test_readme_is_short():
    assert len(read("README.md").splitlines()) <= 150


def test_nothing_stands_on_two_pages():
    """No sequence of fifteen words does, but for code and the generated reference."""
    found = defaultdict(set)
    for name in MARKDOWN:
        if name in ("CHANGELOG.md", "docs/configuration.md"):
            continue
        words = re.findall(r"[\w*']+", without_blocks(read(name)))
        for start in range(len(words) - 14):
            found[" ".join(words[start : start + 15])].add(name)
    assert {words: names for words, names in found.items() if len(names) > 1} == {}


def test_the_worked_problem_is_one_of_level_3(raw_config):
    """Its text and chain are what the package writes, and t counts from the chain's first token."""
    plus_or_minus = {"equations": ["v0 = num ± num", "v1 = num ± v0"], "order": "reversed"}
    assert plus_or_minus.items() <= raw_config["tasks"]["level-3"].items()
    [block] = re.findall(r"^```text\n(problem\n.*?)^```", read("docs/question.md"), re.M | re.S)
    positions = [int(t) for line in re.findall(r"^t (.*)", block, re.M) for t in line.split()]
    symbols = [each for line in re.findall(r"^symbol (.*)", block, re.M) for each in line.split()]
    forms = (Form((None, None), "-"), Form((None, 0), "-"))
    problem = Problem(("e", "b"), forms, ((4, 2), (7,)), (2, 5), (1, 0), 1)
    read_by_model = problem.source.replace("?", " ?").split()
    assert symbols == [*read_by_model, *problem.scratchpad.split(), "⏎"]
    assert positions == list(range(-len(read_by_model), len(symbols) - len(read_by_model)))


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

"""The documentation as a site: the repository's own pages, without a link that leads nowhere."""

import re
import shutil
import subprocess
import sys

import pytest
import yaml
from support.repository import REPOSITORY

TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "mkdocs.yml")


@pytest.fixture
def clone(tmp_path):
    """What the site is made of, to be changed."""
    shutil.copytree(REPOSITORY / "docs", tmp_path / "docs")
    for name in TOP:
        shutil.copy(REPOSITORY / name, tmp_path)
    return tmp_path


def build(folder):
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=folder,
        text=True,
        capture_output=True,
    )


@pytest.mark.documented("make site")
def test_it_is_built_and_has_every_page(clone):
    assert "site: .venv/dev\n\t$(BIN)/mkdocs build --strict\n" in (
        REPOSITORY / "Makefile"
    ).read_text(encoding="utf-8")
    built = build(clone)
    assert built.returncode == 0, built.stderr
    pages = {path.stem for path in (REPOSITORY / "docs").glob("*.md")} | {"index", "CONTRIBUTING"}
    assert pages <= {path.stem for path in (clone / "site").glob("*.html")}
    assert (clone / "site/tutorial.ipynb").is_file()
    home = (clone / "site/index.html").read_text(encoding="utf-8")
    pictures = re.findall(r'<img [^>]*src="([^"]+)"', home)
    assert pictures
    assert all((clone / "site" / picture).is_file() for picture in pictures)


def test_it_loads_nothing_from_elsewhere(clone):
    assert build(clone).returncode == 0
    for page in (clone / "site").glob("*.html"):
        loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', page.read_text())
        assert [address for address in loaded if address.startswith(("http", "//"))] == []


@pytest.mark.parametrize("target", ["nowhere.md", "findings.md#nowhere", "nowhere.png"])
def test_a_link_that_leads_nowhere_is_an_error(clone, target):
    with open(clone / "docs/clocks.md", "a", encoding="utf-8") as page:
        page.write(f"\n[see]({target})\n")
    built = build(clone)
    assert built.returncode == 1
    assert "clocks.md" in built.stderr
    assert target.partition("#")[0] in built.stderr


def test_every_page_is_in_its_contents():
    def leaves(entry):
        if isinstance(entry, str):
            yield entry
        else:
            for part in entry.values() if isinstance(entry, dict) else entry:
                yield from leaves(part)

    contents = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    pages = {path.name for path in (REPOSITORY / "docs").glob("*.md")}
    assert set(leaves(contents)) == pages | {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}

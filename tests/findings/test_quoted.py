"""The findings that documents quote: tests/workflow/test_default_study.py asserts each of them."""

import re

import pytest
from support.findings import quoted_findings
from support.repository import REPOSITORY

from think_to_talk.findings.kinds import FINDINGS

KEYS = {finding.key for finding in FINDINGS}
PAGES = sorted(
    str(path.relative_to(REPOSITORY))
    for path in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")]
)
#: Pages that quote findings by their keys.
QUOTING = ["README.md", "docs/findings.md", "docs/results.md"]


def words(page):
    """A page's text in one line."""
    return " ".join((REPOSITORY / page).read_text(encoding="utf-8").split())


def keys_in(text):
    return [key for key in re.findall(r"`([a-z-]+)`", text) if key in KEYS]


def quoted_in(page):
    """(key, level) of each finding that a page names in brackets, as (`key`, levels 2 to 4)."""
    quoted = set()
    for inside in re.findall(r"\(([^()]*)\)", words(page)):
        levels = re.search(r"levels? ([1-5](?:(?:, | and | to )[1-5])*)", inside)
        first_to_last = [int(level) for level in re.findall(r"[1-5]", levels[1])] if levels else []
        if levels and " to " in levels[1]:
            first_to_last = range(first_to_last[0], first_to_last[-1] + 1)
        quoted |= {(key, f"level-{level}") for key in keys_in(inside) for level in first_to_last}
    return quoted


def numbers(text):
    """The first and last of `-5`, `−2 to 1` or `22 to 56 tokens`."""
    first, last = re.search(r"([-−]?[\d.]+)(?: to ([-−]?[\d.]+))?", text).groups()
    return tuple(float(each.replace("−", "-")) for each in (first, last or first))


def test_the_page_quotes_findings_that_there_are_each_level_once():
    quoted = quoted_findings()
    assert {key for key, _ in quoted} <= KEYS
    assert len(set(quoted)) == len(quoted)
    # Every line of its table is read.
    page = (REPOSITORY / "docs/findings.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| `(?!results)", page, re.MULTILINE)
    assert len(lines) == len({key for key, _ in quoted}) > 0


def test_every_page_that_names_a_finding_is_read():
    assert [page for page in PAGES if keys_in(words(page))] == QUOTING


@pytest.mark.parametrize("page", QUOTING)
def test_pages_quote_no_finding_and_no_level_that_the_table_does_not(page):
    assert set(keys_in(words(page))) <= {key for key, _ in quoted_findings()}
    assert quoted_in(page) <= set(quoted_findings())
    assert quoted_in(page) or page == "docs/findings.md"


@pytest.mark.parametrize("page", PAGES)
def test_what_is_linked_as_a_finding_is_named(page):
    for sentence in re.split(r"(?<=[.:]) ", words(page)):
        assert "[finding](" not in sentence or keys_in(sentence), sentence


#: {finding: (the clock, what is subtracted from it)} in the table of docs/clocks.md.
CLOCKS = {
    "answer-after-text": ("readable", "text determines it"),
    "answer-said-in-chain": ("said", None),
    "said-before-readable": ("readable, held out", "said"),
    "changed-in-chain": ("changed by patches", None),
}


def clocks_table():
    """The rows of the table of five trainings in docs/clocks.md, as {heading: cell}."""
    page = (REPOSITORY / "docs/clocks.md").read_text(encoding="utf-8")
    head, _, *lines = re.search(r"^\| level \|(?:.|\n\|)*", page, re.MULTILINE)[0].splitlines()
    headings, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in (head, *lines))
    return [dict(zip(headings, row, strict=True)) for row in rows]


@pytest.mark.parametrize("finding", CLOCKS)
def test_the_dates_of_the_clocks_page_have_the_ranges_of_the_findings_page(finding):
    clock, subtracted = CLOCKS[finding]
    levels = [level.removeprefix("level-") for key, level in quoted_findings() if key == finding]
    roles = ("answer", "needed value") if finding == "changed-in-chain" else ("answer",)
    dates = []
    for row in clocks_table():
        if row["level"] in levels and row["variable"].endswith(roles):
            first, last = numbers(row[clock])
            low, high = numbers(row[subtracted]) if subtracted else (0, 0)
            dates += [first - high, last - low]
    page = (REPOSITORY / "docs/findings.md").read_text(encoding="utf-8")
    [measured] = re.findall(rf"^\| `{finding}` .*\| ([^|]*) \|$", page, re.MULTILINE)
    assert (min(dates), max(dates)) == numbers(measured)

"""The findings that documents quote: tests/workflow/test_default_study.py asserts each of them."""

import re

from support.findings import quoted_findings
from support.repository import REPOSITORY

from think_to_talk.findings.kinds import FINDINGS

KEYS = {finding.key for finding in FINDINGS}


def test_the_page_quotes_findings_that_there_are_each_level_once():
    quoted = quoted_findings()
    assert {key for key, _ in quoted} <= KEYS
    assert len(set(quoted)) == len(quoted)
    # Every line of its table is read.
    page = (REPOSITORY / "docs/findings.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| `(?!results)", page, re.MULTILINE)
    assert len(lines) == len({key for key, _ in quoted}) > 0


def test_readme_quotes_none_that_the_page_does_not():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", readme)) & KEYS
    assert named
    assert named <= {key for key, _ in quoted_findings()}

"""Files that a reader takes in at once: how many lines one may have."""

import pytest
from support.repository import REPOSITORY

PACKAGE = "workflow_scripts/think_to_talk"
#: (files, the most lines that one may have).
LIMITS = [
    (f"{PACKAGE}/**/*.py", 300),
    (f"{PACKAGE}/**/*.js", 300),
    ("workflow_scripts/*.py", 300),
    ("rules/**/*.smk", 300),
    ("rules/common.smk", 120),
    ("Snakefile", 300),
    ("tests/**/*.py", 350),
]


@pytest.mark.parametrize(("pattern", "most"), LIMITS)
def test_a_file_has_no_more_lines_than_a_reader_takes_in(pattern, most):
    lines = {
        str(path.relative_to(REPOSITORY)): len(path.read_text(encoding="utf-8").splitlines())
        for path in REPOSITORY.glob(pattern)
    }
    assert lines
    assert {name: n for name, n in lines.items() if n > most} == {}

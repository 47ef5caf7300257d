"""Snakemake's own linter, without the one finding that this repository decides otherwise.

Snakemake wants all functions in a common module. Here a function that one stage uses stands in that
stage's file, so that a reader finds it beside its rule (docs/architecture.md).
"""

import re
import subprocess
import sys

_DECIDED_OTHERWISE = "Mixed rules and functions in same snakefile."
#: A finding begins with a star, and goes on to the next, or to the next file.
_FINDING = re.compile(r"^    \* (.*?)(?=^    \* |^Lints for |\Z)", re.MULTILINE | re.DOTALL)


def findings(report):
    """The findings of a report of `snakemake --lint` that count."""
    found = [match[1] for match in _FINDING.finditer(report)]
    return [finding for finding in found if not finding.startswith(_DECIDED_OTHERWISE)]


if __name__ == "__main__":
    lint = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"], capture_output=True, text=True
    )
    report = lint.stdout + lint.stderr
    if lint.returncode and not _FINDING.search(report):
        sys.exit(report)
    sys.exit("\n".join(findings(report)) or None)

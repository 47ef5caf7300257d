"""Provenance of a page: the commit, the day, the processor and the software that made it."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from think_to_talk.machine import processor
from think_to_talk.run.packages import package_versions

#: The repository that this file is part of.
_REPOSITORY = Path(__file__).resolve().parents[3]


def provenance(packages: Sequence[str]) -> dict[str, str]:
    """{what: its name or version}.

    packages: whose versions are given.
    The day is that of SOURCE_DATE_EPOCH, seconds since 1970, where it is set
    (https://reproducible-builds.org/specs/source-date-epoch).
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.fromtimestamp(int(seconds), UTC) if seconds else datetime.now(UTC)
    return {
        "Commit": commit(_REPOSITORY),
        "Day (UTC)": now.date().isoformat(),
        "Processor": processor(),
        "Python": platform.python_version(),
        **package_versions(packages),
    }


def commit(repository: str | Path) -> str:
    """The commit of a git checkout, and whether files that it tracks were changed since."""
    head = _git(repository, "rev-parse", "HEAD")
    if head is None or Path(_git(repository, "rev-parse", "--show-toplevel") or "") != repository:
        return "not known: no git checkout"
    changed = _git(repository, "status", "--porcelain", "--untracked-files=no")
    return f"{head}, with changes" if changed else head


def _git(repository: str | Path, *arguments: str) -> str | None:
    """What git prints; None without git, or where it fails."""
    try:
        run = subprocess.run(
            ["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.strip()

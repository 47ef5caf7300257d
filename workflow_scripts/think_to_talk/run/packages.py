"""The software that results are made with."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from pathlib import Path


def required_packages(*requirements: str | Path) -> list[str]:
    """The packages that requirements files ask for, by name."""
    text = "".join(Path(file).read_text(encoding="utf-8") for file in requirements)
    return re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", text, re.MULTILINE)


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """{package: its installed version}, without those that are not installed here."""
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions

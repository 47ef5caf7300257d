"""The study page: the configuration and the software versions of a study, in HTML."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from html import escape
from typing import Any

import yaml

from think_to_talk.pages.tables import html_page, html_table


def study_page(config: Mapping[str, Any], packages: Mapping[str, str]) -> str:
    """The page as HTML.

    config: the configuration with defaults filled in.
    packages: {package: installed version}.
    """
    software = [["Software", "Version"], ["Python", platform.python_version()], *packages.items()]
    return html_page(
        "The study",
        "<h2>Software</h2>\n",
        html_table(software),
        "<h2>Configuration, with defaults filled in</h2>\n",
        f"<pre>{escape(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))}</pre>\n",
    )

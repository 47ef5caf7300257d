"""The study page: configuration, provenance and devices of a study, in HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import yaml

from think_to_talk.pages.tables import html_page, html_table


def study_page(
    config: Mapping[str, Any],
    provenance: Mapping[str, str],
    model_checks: Iterable[Mapping[str, Any]],
    left_out: Sequence[str] = (),
) -> str:
    """The page as HTML.

    config: the configuration with defaults filled in.
    provenance: {what: its name or version}.
    model_checks: what was found out about each model and seed (schemas/model_check.schema.yaml).
    left_out: lines on tasks that stages cannot read.
    """
    lines = "".join(f"<li>{escape(line)}</li>\n" for line in left_out)
    devices = [[check["model"], check["seed"], check["device"]] for check in model_checks]
    return html_page(
        "The study",
        "<h2>This page was made with</h2>\n",
        html_table([["what", "name or version"], *map(list, provenance.items())]),
        "<h2>Models ran on</h2>\n",
        html_table([["model", "seed", "device"], *devices]),
        f"<h2>Left out</h2>\n<ul>\n{lines}</ul>\n" if left_out else "",
        "<h2>Configuration, with defaults filled in</h2>\n",
        f"<pre>{escape(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))}</pre>\n",
    )

"""The explorer's page: study, charts, Vega and the page's own parts in one HTML file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import vl_convert

from think_to_talk.pages.explorer.charts import charts

_PARTS = Path(__file__).parent

#: One program; the last begins it.
_SCRIPTS = ("clocks.js", "examples.js", "tables.js", "page.js")


def explorer_page(study: Mapping[str, Any], provenance: Mapping[str, str]) -> str:
    """The whole page. It loads nothing, and forbids loading.

    study: as of `data.study_data`.
    provenance: {what: its name or version}, as in the study page.
    """
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(_part("page.html"))
    return template.render(
        style=_part("page.css"),
        script="\n".join(map(_part, _SCRIPTS)),
        threshold=study["threshold"],
        provenance=provenance,
        study=_inside_script(study),
        charts=_inside_script(charts()),
        vega=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"),
    )


def _part(file: str) -> str:
    return (_PARTS / file).read_text(encoding="utf-8")


def _inside_script(value: Any) -> str:
    """JSON that cannot end the element it is in, whatever the names and tokens in it are."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c")

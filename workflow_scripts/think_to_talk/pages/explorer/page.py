"""The explorer's page: study, charts, Vega and the page's own parts in one HTML file."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import vl_convert

from think_to_talk.pages.explorer.charts import charts
from think_to_talk.pages.explorer.parts import SCRIPTS, STYLES

_PARTS = Path(__file__).parent


def explorer_page(study: Mapping[str, Any], provenance: Mapping[str, str]) -> str:
    """The whole page. It loads nothing, and forbids loading.

    study: as of `data.study_data`.
    provenance: {what: its name or version}, as in the study page.
    """
    parts = jinja2.FileSystemLoader(_PARTS)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, loader=parts)
    return environment.get_template("page.html").render(
        style="\n".join(map(_part, STYLES)),
        script="\n".join(map(_part, SCRIPTS)),
        threshold=study["threshold"],
        lanes=study["lanes"],
        provenance=provenance,
        study=_compressed(study),
        charts=_json(charts()),
        vega=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"),
    )


def _part(file: str) -> str:
    return (_PARTS / file).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _compressed(value: Any) -> str:
    """JSON as gzip in base64: small, and no name or token in it ends the element it is in."""
    # The time is left out: the same study is the same page.
    return base64.b64encode(gzip.compress(_json(value).encode(), mtime=0)).decode()

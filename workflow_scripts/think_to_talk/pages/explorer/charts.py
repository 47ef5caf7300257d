"""The explorer's charts, declared in Vega; the page feeds them with rows and draws nothing."""

from __future__ import annotations

from think_to_talk.pages.explorer.chart_parts import Part
from think_to_talk.pages.explorer.equation_charts import equation_map, whole_parts
from think_to_talk.pages.explorer.position_charts import clocks, curves, probe_map


def charts() -> dict[str, Part]:
    """{name: Vega specification} of all charts."""
    return {
        "map": probe_map(),
        "curves": curves(),
        "clocks": clocks(),
        "readable": equation_map("accuracy: share of test problems, best within the equation"),
        "patched": equation_map("success rate: share of pairs"),
        "whole": whole_parts(),
    }

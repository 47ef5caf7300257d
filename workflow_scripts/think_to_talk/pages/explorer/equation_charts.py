"""The explorer's charts of patching: over equations, and of whole parts."""

from __future__ import annotations

from think_to_talk.pages.explorer.chart_parts import (
    COLUMNS,
    HEAT,
    MARK,
    ROWS,
    THIN_WHITE,
    Part,
    at,
    begin,
    chart,
    heat,
    heat_legend,
    mark,
    named,
    rectangle,
    share,
)

_OUTLINE: Part = {"stroke": {"value": MARK}, "strokeWidth": {"value": 2}}


def equation_map(title: str) -> Part:
    """Layers (or windows of them) by equations (`cells`), the `asked` one outlined."""
    asked: Part = {
        "x": {"scale": "x", "signal": "asked - 0.5"},
        "x2": {"scale": "x", "signal": "asked + 0.5"},
        "y": {"value": 0},
        "y2": {"signal": "height"},
    }
    return chart(
        f"Layers by equations; {title}",
        data=("cells",),
        scales=(COLUMNS, ROWS, HEAT),
        axes=(
            named(
                "x",
                "equation",
                "names",
                "columns",
                orient="bottom",
                labelAngle=-50,
                labelAlign="right",
                labelOverlap=False,
            ),
            named("y", "layer", "row_names", "rows", orient="left", labelOverlap="greedy"),
        ),
        marks=(
            rectangle("cells", heat(), **THIN_WHITE),
            *begin(),
            mark("rect", None, **asked, **_OUTLINE),
        ),
        legends=(heat_legend(title),),
        asked=0,
    )


def whole_parts() -> Part:
    """Success rates of patching whole parts, and of wrong results (`parts`), a colour per edit."""
    colour = {"scale": "colour", "field": "edit"}
    y = at("y", "place")
    edits = {"type": "ordinal", "domain": {"signal": "edits"}}
    return chart(
        "Final answers that become the other problem's when a part is patched in all layers, and "
        "that follow a wrong result",
        data=("parts",),
        scales=(
            share("score", "width"),
            ROWS,
            {**edits, "name": "colour", "range": {"signal": "colours"}},
            {**edits, "name": "shape", "range": {"signal": "shapes"}},
        ),
        axes=(
            {
                "scale": "score",
                "orient": "bottom",
                "title": "share of pairs",
                "grid": True,
                "gridColor": "#e4e4e4",
                "tickCount": 5,
            },
            named("y", "patched part", "row_names", "rows", orient="left", labelLimit=160),
        ),
        marks=(
            mark(
                "rule",
                "parts",
                x={"scale": "score", "field": "ci_low"},
                x2={"scale": "score", "field": "ci_high"},
                y=y,
                stroke=colour,
                strokeWidth={"value": 1.5},
            ),
            mark(
                "symbol",
                "parts",
                x={"scale": "score", "field": "score"},
                y=y,
                fill=colour,
                shape={"scale": "shape", "field": "edit"},
                size={"value": 55},
            ),
        ),
        legends=(
            {
                "fill": "colour",
                "shape": "shape",
                "title": "edit",
                "orient": "top",
                "columns": {"signal": "legend_columns"},
            },
        ),
        edits=["none"],
        colours=["#666666"],
        shapes=["circle"],
    )

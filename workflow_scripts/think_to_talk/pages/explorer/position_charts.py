"""The explorer's charts over token positions: the map, the curves and the clocks."""

from __future__ import annotations

from think_to_talk.pages.explorer.chart_parts import (
    COLUMNS,
    HEAT,
    MARK,
    RIGHT,
    ROWS,
    THIN_WHITE,
    WRONG,
    Part,
    at,
    begin,
    chart,
    heat,
    heat_legend,
    mark,
    named,
    only,
    rectangle,
    share,
    symbols,
    times,
)

#: How the page names the two accuracies, and the dashes of their curves.
_DASHES = {"accuracy": [1, 0], "held-out accuracy": [5, 3]}

#: Fields of curves, in the order of legends.
_BESIDE_CURVES = {"ceiling of the text": "#666666", "threshold τ": "#999999"}


def probe_map() -> Part:
    """Layers by positions: accuracy (`cells`), an example (`texts`), and t* (`stars`)."""
    middle = {"x": at("x", "column"), "y": at("y", "row")}
    centred = {"align": {"value": "center"}, "baseline": {"value": "middle"}}
    colour = [
        {"test": "datum.right === true", "value": "white"},
        {"test": "datum.right === false", "value": WRONG},
        {"value": "#1b1b1b"},
    ]
    text_line = {
        "y": {"scale": "y", "signal": "datum.row - text_rows / 2"},
        "y2": {"scale": "y", "signal": "datum.row + text_rows / 2"},
    }
    size = {"fontSize": {"value": 11}, "limit": {"value": 60}}
    star = {"text": {"value": "★"}, "fontSize": {"value": 17}, "fill": {"value": MARK}}
    edge = {"stroke": {"value": "white"}, "strokeWidth": {"value": 0.7}}
    return chart(
        "Probe accuracy over layers and token positions, and an example below it",
        data=("cells", "texts", "stars", only("right", "texts", "datum.right === true")),
        scales=(COLUMNS, ROWS, HEAT),
        axes=(
            symbols(),
            times(),
            named("y", "layer", "row_names", "rows", orient="left", labelOverlap="greedy"),
        ),
        marks=(
            rectangle("cells", heat(), **THIN_WHITE),
            rectangle("right", {"value": RIGHT}, **text_line),
            mark(
                "text",
                "texts",
                "example",
                **middle,
                **centred,
                **size,
                text={"field": "text"},
                fill=colour,
                angle={"signal": "length(datum.text) > 2 ? -90 : 0"},
            ),
            *begin(),
            mark("text", "stars", "star", **middle, **centred, **star, **edge),
        ),
        legends=(heat_legend("accuracy: share of test problems"),),
        text_rows=1,
    )


def curves() -> Part:
    """Best layer's accuracy along the symbols (`points`), the ceiling (`ceilings`), and `tau`.

    `lines` are the names of lines, with `colours` and `shapes`; `visible` those that are drawn.
    """
    x, y = at("x", "column"), {"scale": "score", "field": "score"}
    colour = {"scale": "colour", "field": "line"}
    line = mark("line", "series", x=x, y=y, stroke=colour, strokeWidth={"value": 1.5})
    line["encode"]["update"]["strokeDash"] = {"scale": "dash", "field": "accuracy"}
    band = mark(
        "area",
        "series",
        x=x,
        y={"scale": "score", "field": "ci_low"},
        y2={"scale": "score", "field": "ci_high"},
        fill=colour,
        fillOpacity={"value": 0.15},
    )
    dots = mark(
        "symbol",
        "series",
        x=x,
        y=y,
        fill=colour,
        shape={"scale": "shape", "field": "line"},
        size={"value": 26},
    )
    series = {"facet": {"name": "series", "data": "points", "groupby": "series"}}
    dashes = {"type": "ordinal", "domain": list(_DASHES), "range": list(_DASHES.values())}
    beside = {
        "type": "ordinal",
        "domain": list(_BESIDE_CURVES),
        "range": list(_BESIDE_CURVES.values()),
    }
    of_lines = {"type": "ordinal", "domain": {"signal": "lines"}}
    above = {"orient": "top", "columns": {"signal": "legend_columns"}}
    strokes = {"symbolType": "stroke", "symbolStrokeWidth": 2, "symbolSize": 200}
    grey = {"signal": "'#555555'"}
    return chart(
        "Accuracy of the best layer along the symbols of problem and chain of thought",
        data=("points", "ceilings"),
        scales=(
            COLUMNS,
            share("score", "height"),
            {**of_lines, "name": "colour", "range": {"signal": "colours"}},
            {**of_lines, "name": "shape", "range": {"signal": "shapes"}},
            {**dashes, "name": "dash"},
            {**beside, "name": "beside"},
        ),
        axes=(
            symbols("bottom"),
            {
                "scale": "score",
                "orient": "left",
                "title": "accuracy: share of test problems",
                "tickCount": 5,
                "grid": True,
                "gridColor": "#e4e4e4",
            },
        ),
        marks=(
            {"type": "group", "from": series, "marks": [band, line, dots]},
            mark(
                "symbol",
                "ceilings",
                x=x,
                y=y,
                shape={"value": "stroke"},
                stroke={"field": "colour"},
                strokeWidth={"value": 2},
                size={"value": 40},
            ),
            mark(
                "rule",
                None,
                x={"value": 0},
                x2={"signal": "width"},
                y={"scale": "score", "signal": "tau"},
                stroke={"value": _BESIDE_CURVES["threshold τ"]},
            ),
            *begin(),
        ),
        legends=(
            {"fill": "colour", "shape": "shape", "values": {"signal": "visible"}, **above},
            {"strokeDash": "dash", "symbolStrokeColor": grey, **strokes, **above},
            {"stroke": "beside", **strokes, **above},
        ),
        lines=["none"],
        visible=["none"],
        colours=["#666666"],
        shapes=["circle"],
        tau=0.9,
    )


def clocks() -> Part:
    """A row per clock and variable: from each date (`dates`) on, a line to the chain's end.

    `lanes` are the clocks, each of `size` rows from `row` on. `notes` are words in place of a line.
    """
    y, colour = at("y", "row"), {"field": "colour"}
    width, middle = {"value": 3}, {"value": "middle"}
    lane: Part = {
        "x": {"scale": "x", "signal": "-0.5"},
        "x2": {"scale": "x", "signal": "start - 0.5"},
        "y": at("y", "row", -0.5),
        "y2": {"scale": "y", "signal": "datum.row + datum.size - 0.5"},
        "stroke": {"value": "white"},
    }
    chain: Part = {**lane, "x": lane["x2"], "x2": {"signal": "width"}}
    text = {"fontSize": {"value": 10}, "baseline": middle}
    label = {"text": {"signal": "lane_names[datum.value]"}}
    return chart(
        "When the text determines each variable, and when it is readable, said and changed by "
        "patches, along the token positions",
        data=("lanes", "dates", "notes"),
        scales=(COLUMNS, ROWS),
        axes=(
            symbols("bottom"),
            {
                "scale": "y",
                "orient": "left",
                "title": "clock",
                "values": {"signal": "lane_middles"},
                "encode": {"labels": {"update": label}},
            },
        ),
        marks=(
            # Shaded: the chain of thought.
            mark("rect", "lanes", **lane, fill={"value": "#f3f3f3"}),
            mark("rect", "lanes", **chain, fill={"value": "#e4e4e4"}),
            *begin(),
            mark(
                "rule",
                "dates",
                x=at("x", "column"),
                x2={"scale": "x", "signal": "columns - 1"},
                y=y,
                stroke=colour,
                strokeWidth=width,
            ),
            mark(
                "symbol",
                "dates",
                "date",
                x=at("x", "column"),
                y=y,
                size={"value": 170},
                fill={"value": "white"},
                stroke=colour,
                strokeWidth={"value": 2},
            ),
            mark(
                "text",
                "dates",
                "date-name",
                x=at("x", "column"),
                y=y,
                text={"field": "variable"},
                fill={"value": "black"},
                align={"value": "center"},
                **text,
            ),
            mark(
                "text",
                "notes",
                "note",
                x={"signal": "width - 6"},
                y=y,
                text={"field": "text"},
                fill={"value": "#1b1b1b"},
                align={"value": "right"},
                **text,
            ),
        ),
        lane_names=[],
        lane_middles=[],
    )

"""What the explorer's charts are made of: scales, axes and marks that several share, in Vega.

A chart is a grid: columns along x, mostly token positions, and rows along y, both numbered from 0.
Signals hold what the page changes: `columns` and `rows`, how many there are, `names` and
`row_names`, what is written beside them, and `start`, the column in which the chain of thought
begins.
"""

from __future__ import annotations

from typing import Any

Part = dict[str, Any]

#: Without a value.
_NOTHING = "#d9d9d9"

MARK = "#d55e00"

RIGHT, WRONG = "#0072b2", "#b03a2e"

#: Fonts and colours; the page's style replaces colours in a dark scheme.
_CONFIG: Part = {
    "style": {"cell": {"stroke": "#888"}},
    "axis": {
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelColor": "#1b1b1b",
        "titleColor": "#1b1b1b",
        "ticks": False,
        "domain": False,
        "labelPadding": 4,
    },
    "legend": {
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleLimit": 400,
        "labelLimit": 240,
    },
    "title": {"anchor": "start", "fontWeight": "normal", "fontSize": 13, "offset": 12},
}

_FONT = "system-ui, sans-serif"


def chart(
    description: str,
    *,
    data: tuple[str | Part, ...],
    scales: tuple[Part, ...],
    axes: tuple[Part, ...],
    marks: tuple[Part, ...],
    legends: tuple[Part, ...] = (),
    **signals: Any,
) -> Part:
    """A Vega specification; the page sets its size.

    data: names of data sets that the page fills, or sets that follow from these.
    signals: {name: value}, besides those that every chart has.
    """
    common = {"columns": 1, "rows": 1, "names": [], "row_names": [], "start": None}
    common["legend_columns"] = 4
    config = {**_CONFIG, "text": {"font": _FONT}}
    for part in ("axis", "legend"):
        config[part] = {**_CONFIG[part], "labelFont": _FONT, "titleFont": _FONT}
    config["title"] = {**_CONFIG["title"], "font": _FONT, "subtitleFont": _FONT}
    return {
        "description": description,
        "autosize": "pad",
        "padding": 5,
        "width": 600,
        "height": 200,
        "style": "cell",
        "config": config,
        "signals": [{"name": n, "value": value} for n, value in {**common, **signals}.items()],
        "data": [each if isinstance(each, dict) else {"name": each} for each in data],
        "scales": list(scales),
        "axes": list(axes),
        "legends": list(legends),
        "marks": list(marks),
    }


def only(name: str, source: str, condition: str) -> Part:
    """A data set: the rows of another for which a condition holds."""
    return {
        "name": name,
        "source": source,
        "transform": [{"type": "filter", "expr": condition}],
    }


#: A place of a grid: its middle is its number.
COLUMNS: Part = {
    "name": "x",
    "type": "linear",
    "domain": {"signal": "[-0.5, columns - 0.5]"},
    "range": "width",
    "nice": False,
    "zero": False,
}
ROWS: Part = {
    **COLUMNS,
    "name": "y",
    "domain": {"signal": "[-0.5, rows - 0.5]"},
    "range": [0, {"signal": "height"}],
}
#: Perceived alike by colour-blind readers; light is high.
HEAT: Part = {
    "name": "heat",
    "type": "linear",
    "domain": [0, 1],
    "range": {"scheme": "cividis"},
}


def share(name: str, reach: Any) -> Part:
    """A scale from 0 to 1."""
    return {"name": name, "type": "linear", "domain": [0, 1], "range": reach}


def named(scale: str, title: str | None, names: str, count: str, **axis: Any) -> Part:
    """An axis with the names of all columns or rows.

    names, count: the signals that have them and their number.
    """
    label = {"text": {"signal": f"{names}[datum.value]"}}
    return {
        "scale": scale,
        "title": title,
        "values": {"signal": f"sequence({count})"},
        "encode": {"labels": {"update": label}},
        **axis,
    }


def symbols(orient: str = "top") -> Part:
    """The symbols of all token positions; words are upright."""
    title = "symbol that a token completes"
    axis = named("x", title, "names", "columns", orient=orient, labelOverlap=False)
    is_word = "length(names[datum.value] || '') > 1"
    beside, before = ("top", "right") if orient == "bottom" else ("bottom", "left")
    axis["encode"]["labels"]["update"] |= {
        "angle": {"signal": f"{is_word} ? -90 : 0"},
        "align": {"signal": f"{is_word} ? '{before}' : 'center'"},
        "baseline": {"signal": f"{is_word} ? 'middle' : '{beside}'"},
    }
    return axis


def times() -> Part:
    """Every fifth t, below the chart."""
    label = {"text": {"signal": "datum.value - start"}}
    return {
        "scale": "x",
        "orient": "bottom",
        "title": "t, in tokens from the first token of the chain of thought",
        "values": {"signal": "sequence(start % 5, columns, 5)"},
        "encode": {"labels": {"update": label}},
        "labelOverlap": True,
    }


def at(scale: str, field: str, offset: float = 0) -> Part:
    """A place along a scale: the row's field, moved by this many columns or rows."""
    return {"scale": scale, "signal": f"datum['{field}'] + {offset}"}


def rectangle(data: str, fill: Any, **encoding: Any) -> Part:
    """A filled place for each row, at its `column` and `row`."""
    place: Part = {
        "x": at("x", "column", -0.5),
        "x2": at("x", "column", 0.5),
        "y": at("y", "row", -0.5),
        "y2": at("y", "row", 0.5),
    }
    return mark("rect", data, **{**place, **encoding}, fill=fill)


#: Between the cells of a map.
THIN_WHITE = {"stroke": {"value": "white"}, "strokeWidth": {"value": 0.3}}


def mark(kind: str, data: str | None, name: str | None = None, **encoding: Any) -> Part:
    """A mark for each row of a data set, or one of no data. The page itself reads values out."""
    made: Part = {"type": kind, "aria": False, "encode": {"update": encoding}}
    if name:
        made["name"] = name
    if data:
        made["from"] = {"data": data}
    return made


def heat(field: str = "value") -> list[Part]:
    """The colour of a share: grey without a value."""
    return [
        {"test": f"!isValid(datum['{field}'])", "value": _NOTHING},
        {"scale": "heat", "field": field},
    ]


def heat_legend(title: str) -> Part:
    """What the colours of shares mean."""
    return {
        "fill": "heat",
        "type": "gradient",
        "title": title,
        "orient": "top",
        "direction": "horizontal",
        "gradientLength": 160,
    }


def begin() -> tuple[Part, Part]:
    """Where the chain of thought begins: a dashed line."""
    place: Part = {
        "x": {"scale": "x", "signal": "start - 0.5"},
        "y": {"value": 0},
        "y2": {"signal": "height"},
        "opacity": {"signal": "start === null ? 0 : 1"},
    }
    return (
        mark("rule", None, **place, stroke={"value": "white"}, strokeWidth={"value": 3}),
        mark(
            "rule",
            None,
            **place,
            stroke={"value": "black"},
            strokeWidth={"value": 1.5},
            strokeDash={"value": [4, 3]},
        ),
    )

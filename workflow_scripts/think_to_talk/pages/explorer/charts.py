"""The explorer's charts, declared in Altair; the page feeds them with rows and draws nothing.

Every chart has one data set, `rows`, whose rows say by `kind` which of the marks they are for. The
names of places along x are a parameter, `names`, since different places may be called alike.
"""

from __future__ import annotations

from typing import Any

import altair as alt

#: Perceived alike by colour-blind readers; light is high. Grey where there is no value.
_HEAT = alt.Scale(scheme="cividis", domain=[0, 1])

_HEIGHT = 230

_NOTHING = "#d9d9d9"

_MARK = "#d55e00"

_RIGHT, _WRONG = "#0072b2", "#b03a2e"

#: Lines of curves that have colours of their own; those after them begin again.
_N_LINES = 12

#: How the page names the two accuracies, and the dashes of their curves.
_ACCURACIES = {"accuracy": [1, 0], "held-out accuracy": [5, 3]}

#: Okabe and Ito's palette.
_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]

_SHARES = ("score", "ci_low", "ci_high", "chance")

_ACCURACY = alt.Legend(title="accuracy", gradientLength=110)


def charts() -> dict[str, dict[str, Any]]:
    """{name: Vega-Lite specification} of all charts."""
    made = {
        "map": _probe_map(),
        "curves": _curves(),
        "readable": _equation_map("probe accuracy of each layer, best within the equation"),
        "used": _equation_map("success rate of patching these layers at this equation"),
        "whole": _whole_parts(),
    }
    return {name: chart.to_dict() for name, chart in made.items()}


def _only(kind: str) -> alt.Chart:
    """A layer of the rows of one kind."""
    return alt.Chart(alt.NamedData("rows")).transform_filter(f"datum.kind === '{kind}'")


def _finished(description: str, *layers: Any) -> Any:
    """The layers as one chart as wide as its place; the page sets its height."""
    chart = alt.layer(*layers).properties(
        width="container", height=_HEIGHT, description=description
    )
    parameters = alt.param(name="names", value={}), alt.param(name="palette", value=_COLOURS)
    return chart.add_params(*parameters).configure(
        font="system-ui, sans-serif",
        axis=alt.AxisConfig(labelFontSize=11, titleFontSize=11, titleFontWeight="normal"),
        legend=alt.LegendConfig(titleFontWeight="normal"),
        view=alt.ViewConfig(stroke="#888"),
    )


def _legend(title: str) -> alt.Legend:
    return alt.Legend(title=title, orient="top", symbolOpacity=1)


def _named(field: str, title: str | None, **axis: Any) -> alt.X:
    """An x axis of places whose names are given by `names`."""
    return alt.X(
        f"{field}:O",
        axis=alt.Axis(
            title=title, labelExpr="names[datum.value]", labelOverlap=False, ticks=False, **axis
        ),
    )


def _tooltip(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    return [
        alt.Tooltip(f"{field}:Q", title=title, format=".3f")
        if field in _SHARES
        else alt.Tooltip(f"{field}:N", title=title)
        for field, title in fields
    ]


_INTERVAL = (("ci_low", "95 % interval from"), ("ci_high", "to"))


def _heat(legend: alt.Legend | None, field: str = "score") -> Any:
    return alt.condition(
        f"isValid(datum.{field})",
        alt.Color(f"{field}:Q", scale=_HEAT, legend=legend),
        alt.value(_NOTHING),
    )


def _begin(x: str) -> tuple[Any, Any]:
    """Where the chain of thought begins: a line before the place of the row of this kind."""
    at = _only("begin").encode(alt.X(f"{x}:O", bandPosition=0))
    return (
        at.mark_rule(color="white", strokeWidth=3),
        at.mark_rule(color="black", strokeWidth=1.5, strokeDash=[4, 3]),
    )


def _probe_map() -> Any:
    """Layers x positions: accuracy (`cell`), a sample (`text`), t* (`star`), `cursor`, `begin`.

    `drawn` is the accuracy that the page's switch chooses.
    """
    x = _named("position", None, orient="top", labelAngle=0)
    y = alt.Y("row:N", sort=None, axis=alt.Axis(title=None, ticks=False))
    cells = _only("cell").mark_rect(stroke="white", strokeWidth=0.3)
    value = _tooltip(
        ("score", "accuracy"),
        *_INTERVAL,
        ("heldout", "held-out accuracy"),
        ("chance", "chance"),
        ("layer", "layer"),
        ("symbol", "symbol"),
        ("token", "token"),
        ("t", "t (0: first token of the chain)"),
        ("equation", "equation"),
    )
    dates = _tooltip(
        ("t_star", "t*"),
        ("t_star_heldout", "held-out t*"),
        ("before", "best before the chain"),
        ("heldout_before", "held-out, before the chain"),
    )
    cells = cells.encode(x, y, color=_heat(_ACCURACY, "drawn"), tooltip=value)
    text = _only("text").mark_text(fontSize=11, limit=60)
    text = text.encode(
        x,
        y,
        text="text:N",
        color=alt.when("datum.right === true")
        .then(alt.value(_RIGHT))
        .when("datum.right === false")
        .then(alt.value(_WRONG))
        .otherwise(alt.value("black")),
        tooltip=_tooltip(("text", "here"), ("about", "what it is")),
    )
    star = _only("star").mark_text(
        text="★", fontSize=17, fill=_MARK, stroke="white", strokeWidth=0.7
    )
    cursor = _only("cursor").mark_rect(fill=None, stroke=_MARK, strokeWidth=2)
    return _finished(
        "Probe accuracy over layers and token positions, and a sample problem below it",
        cells,
        text,
        *_begin("position"),
        star.encode(x, y, tooltip=dates + value),
        cursor.encode(x, y),
    )


def _curves() -> Any:
    """Best layer's accuracy along the symbols (`point`); τ (`tau`).

    A line per model and seed or per variable, solid for the accuracy and dashed for the held-out
    one. `palette` has the colours of lines in their order. `ceiling` is what the text says.
    """
    x = _named("place", None, labelAngle=0)
    y = alt.Y("score:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title="accuracy"))
    palette = [alt.ExprRef(f"palette[{i} % length(palette)]") for i in range(_N_LINES)]
    colour = alt.Color(
        "line:N", sort=None, scale=alt.Scale(range=palette), legend=_legend("colours")
    )
    kinds = alt.Scale(domain=list(_ACCURACIES), range=list(_ACCURACIES.values()))
    dash = alt.StrokeDash("accuracy:N", scale=kinds, legend=_legend("lines"))
    shape = alt.Shape("seed:N", legend=_legend("seed"))
    points = _only("point")
    band = points.mark_area(opacity=0.15).encode(
        x, alt.Y("ci_low:Q"), alt.Y2("ci_high"), color=colour, detail="series:N"
    )
    line = points.mark_line(strokeWidth=1.5).encode(
        x, y, color=colour, strokeDash=dash, detail="series:N"
    )
    dots = points.mark_point(size=22, filled=True, opacity=1).encode(
        x,
        y,
        color=colour,
        shape=shape,
        tooltip=_tooltip(
            ("model", "model"),
            ("seed", "seed"),
            ("label", "variable"),
            ("accuracy", "what"),
            ("score", "accuracy"),
            *_INTERVAL,
            ("layer", "best layer"),
            ("symbol", "symbol"),
            ("t", "t"),
            ("equation", "equation"),
        ),
    )
    ceiling = _only("ceiling").mark_point(shape="stroke", size=24, opacity=1)
    # Another channel than the lines' colour, whose scale would name it.
    colour_of = alt.Stroke("colour:N", scale=None)
    ceiling = ceiling.encode(x, y, stroke=colour_of, tooltip=_tooltip(("score", "ceiling")))
    tau = _only("tau").mark_rule(color="#999").encode(y)
    return _finished(
        "Accuracy of the best layer along the symbols of problem and chain of thought",
        band,
        line,
        dots,
        ceiling,
        tau,
        *_begin("place"),
    )


def _equation_map(what: str) -> Any:
    """Layers (or windows of them) x equations (`cell`), the asked one outlined (`asked`)."""
    x = _named("equation", None, labelAngle=-50)
    y = alt.Y("row:N", sort=None, axis=alt.Axis(title="layer", ticks=False))
    cells = _only("cell").mark_rect(stroke="white", strokeWidth=0.3)
    cells = cells.encode(
        x,
        y,
        color=_heat(None),
        tooltip=_tooltip(
            ("score", "value"), *_INTERVAL, ("row", "layer"), ("name", "equation"), ("n", "n")
        ),
    )
    asked = _only("asked").mark_rect(fill=None, stroke=_MARK, strokeWidth=2).encode(x)
    return _finished(f"Layers by equations: {what}", cells, *_begin("equation"), asked)


def _whole_parts() -> Any:
    """Success rate of patching whole parts in all layers (`part`), a colour per edit."""
    y = alt.Y("spec:N", sort=None, axis=alt.Axis(title=None, ticks=False))
    beside = alt.YOffset("edit:N")
    colour = alt.Color("edit:N", scale=alt.Scale(range=_COLOURS), legend=_legend("edit"))
    parts = _only("part")
    reach = parts.mark_rule(strokeWidth=1.5).encode(
        alt.X("ci_low:Q"), alt.X2("ci_high"), y, beside, color=colour
    )
    dots = parts.mark_point(filled=True, size=55, opacity=1).encode(
        alt.X("score:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title=None)),
        y,
        beside,
        color=colour,
        tooltip=_tooltip(
            ("score", "share with the other answer"),
            *_INTERVAL,
            ("spec", "patched"),
            ("edit", "edit"),
            ("n", "pairs"),
        ),
    )
    return _finished(
        "Final answers that become the other problem's when a part is patched in all layers",
        reach,
        dots,
    )

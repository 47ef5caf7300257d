"""What the explorer's charts are made of: marks, axes, legends and tooltips that several share."""

from __future__ import annotations

from typing import Any

import altair as alt

#: Perceived alike by colour-blind readers; light is high. Grey where there is no value.
_HEAT = alt.Scale(scheme="cividis", domain=[0, 1])

_HEIGHT = 230

_NOTHING = "#d9d9d9"

MARK = "#d55e00"

RIGHT, WRONG = "#0072b2", "#b03a2e"

#: Lines of curves that have colours of their own; those after them begin again.
N_LINES = 12

#: How the page names the two accuracies, and the dashes of their curves.
ACCURACIES = {"accuracy": [1, 0], "held-out accuracy": [5, 3]}

#: Okabe and Ito's palette.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]

_SHARES = ("score", "ci_low", "ci_high", "chance")

ACCURACY = alt.Legend(title="accuracy", gradientLength=110)


def only(kind: str) -> alt.Chart:
    """A layer of the rows of one kind."""
    return alt.Chart(alt.NamedData("rows")).transform_filter(f"datum.kind === '{kind}'")


def finished(description: str, *layers: Any) -> Any:
    """The layers as one chart as wide as its place; the page sets its height."""
    chart = alt.layer(*layers).properties(
        width="container", height=_HEIGHT, description=description
    )
    parameters = alt.param(name="names", value={}), alt.param(name="palette", value=COLOURS)
    return chart.add_params(*parameters).configure(
        font="system-ui, sans-serif",
        axis=alt.AxisConfig(labelFontSize=11, titleFontSize=11, titleFontWeight="normal"),
        legend=alt.LegendConfig(titleFontWeight="normal"),
        view=alt.ViewConfig(stroke="#888"),
    )


def legend(title: str) -> alt.Legend:
    """A legend above the chart."""
    return alt.Legend(title=title, orient="top", symbolOpacity=1)


def named(field: str, title: str | None, **axis: Any) -> alt.X:
    """An x axis of places whose names are given by `names`."""
    return alt.X(
        f"{field}:O",
        axis=alt.Axis(
            title=title, labelExpr="names[datum.value]", labelOverlap=False, ticks=False, **axis
        ),
    )


def tooltip(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    """A tooltip with these fields, each with its title; shares have three digits."""
    return [
        alt.Tooltip(f"{field}:Q", title=title, format=".3f")
        if field in _SHARES
        else alt.Tooltip(f"{field}:N", title=title)
        for field, title in fields
    ]


INTERVAL = (("ci_low", "95 % interval from"), ("ci_high", "to"))


def heat(legend: alt.Legend | None, field: str = "score") -> Any:
    """The colour of a share: grey without a value."""
    return alt.condition(
        f"isValid(datum.{field})",
        alt.Color(f"{field}:Q", scale=_HEAT, legend=legend),
        alt.value(_NOTHING),
    )


def begin(x: str) -> tuple[Any, Any]:
    """Where the chain of thought begins: a line before the place of the row of this kind."""
    at = only("begin").encode(alt.X(f"{x}:O", bandPosition=0))
    return (
        at.mark_rule(color="white", strokeWidth=3),
        at.mark_rule(color="black", strokeWidth=1.5, strokeDash=[4, 3]),
    )

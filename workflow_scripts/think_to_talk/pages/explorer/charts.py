"""The explorer's charts, declared in Altair; the page feeds them with rows and draws nothing.

Every chart has one data set, `rows`, whose rows say by `kind` which of the marks they are for. The
names of places along x are a parameter, `names`, since different places may be called alike.
"""

from __future__ import annotations

from typing import Any

import altair as alt

from think_to_talk.pages.explorer.chart_parts import (
    ACCURACIES,
    ACCURACY,
    COLOURS,
    INTERVAL,
    MARK,
    N_LINES,
    RIGHT,
    WRONG,
    begin,
    finished,
    heat,
    legend,
    named,
    only,
    tooltip,
)
from think_to_talk.pages.explorer.lanes import LANES


def charts() -> dict[str, dict[str, Any]]:
    """{name: Vega-Lite specification} of all charts."""
    made = {
        "map": _probe_map(),
        "curves": _curves(),
        "clocks": _clocks(),
        "readable": _equation_map("probe accuracy of each layer, best within the equation"),
        "used": _equation_map("success rate of patching these layers at this equation"),
        "whole": _whole_parts(),
    }
    return {name: chart.to_dict() for name, chart in made.items()}


def _probe_map() -> Any:
    """Layers x positions: accuracy (`cell`), a sample (`text`), t* (`star`), `cursor`, `begin`.

    `drawn` is the accuracy that the page's switch chooses.
    """
    x = named("position", None, orient="top", labelAngle=0)
    y = alt.Y("row:N", sort=None, axis=alt.Axis(title=None, ticks=False))
    cells = only("cell").mark_rect(stroke="white", strokeWidth=0.3)
    value = tooltip(
        ("score", "accuracy"),
        *INTERVAL,
        ("heldout", "held-out accuracy"),
        ("chance", "chance"),
        ("layer", "layer"),
        ("symbol", "symbol"),
        ("token", "token"),
        ("t", "t (0: first token of the chain)"),
        ("equation", "equation"),
    )
    dates = tooltip(
        ("t_star", "t*"),
        ("t_star_heldout", "held-out t*"),
        ("before", "best before the chain"),
        ("heldout_before", "held-out, before the chain"),
    )
    cells = cells.encode(x, y, color=heat(ACCURACY, "drawn"), tooltip=value)
    text = only("text").mark_text(fontSize=11, limit=60)
    text = text.encode(
        x,
        y,
        text="text:N",
        color=alt.when("datum.right === true")
        .then(alt.value(RIGHT))
        .when("datum.right === false")
        .then(alt.value(WRONG))
        .otherwise(alt.value("black")),
        tooltip=tooltip(("text", "here"), ("about", "what it is")),
    )
    star = only("star").mark_text(text="★", fontSize=17, fill=MARK, stroke="white", strokeWidth=0.7)
    cursor = only("cursor").mark_rect(fill=None, stroke=MARK, strokeWidth=2)
    return finished(
        "Probe accuracy over layers and token positions, and a sample problem below it",
        cells,
        text,
        *begin("position"),
        star.encode(x, y, tooltip=dates + value),
        cursor.encode(x, y),
    )


def _curves() -> Any:
    """Best layer's accuracy along the symbols (`point`); τ (`tau`).

    A line per model and seed or per variable, solid for the accuracy and dashed for the held-out
    one. `palette` has the colours of lines in their order. `ceiling` is what the text says.
    """
    x = named("place", None, labelAngle=0)
    y = alt.Y("score:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title="accuracy"))
    palette = [alt.ExprRef(f"palette[{i} % length(palette)]") for i in range(N_LINES)]
    colour = alt.Color(
        "line:N", sort=None, scale=alt.Scale(range=palette), legend=legend("colours")
    )
    kinds = alt.Scale(domain=list(ACCURACIES), range=list(ACCURACIES.values()))
    dash = alt.StrokeDash("accuracy:N", scale=kinds, legend=legend("lines"))
    shape = alt.Shape("seed:N", legend=legend("seed"))
    points = only("point")
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
        tooltip=tooltip(
            ("model", "model"),
            ("seed", "seed"),
            ("label", "variable"),
            ("accuracy", "what"),
            ("score", "accuracy"),
            *INTERVAL,
            ("layer", "best layer"),
            ("symbol", "symbol"),
            ("t", "t"),
            ("equation", "equation"),
        ),
    )
    ceiling = only("ceiling").mark_point(shape="stroke", size=24, opacity=1)
    # Another channel than the lines' colour, whose scale would name it.
    colour_of = alt.Stroke("colour:N", scale=None)
    ceiling = ceiling.encode(x, y, stroke=colour_of, tooltip=tooltip(("score", "ceiling")))
    tau = only("tau").mark_rule(color="#999").encode(y)
    return finished(
        "Accuracy of the best layer along the symbols of problem and chain of thought",
        band,
        line,
        dots,
        ceiling,
        tau,
        *begin("place"),
    )


def _clocks() -> Any:
    """Lanes of the clocks along the symbols: from each date (`date`) on, a line to the chain's end.

    Heights are in lanes, the first of which is 0. `lane` is a place of a lane, `label` its name,
    and `note` the words in place of a line. `chosen` is what the keyboard is at.
    """
    x = named("place", None, labelAngle=0)
    down = alt.Scale(domain=[len(LANES) - 0.5, -0.5], nice=False)
    y, top = (alt.Y(f"{field}:Q", axis=None, scale=down) for field in ("height", "top"))
    definition = ("lane", "clock"), ("definition", "definition")
    meaning = tooltip(*definition)
    dates = tooltip(*definition, ("label", "variable"), ("date", "date"))
    lanes = only("lane").mark_rect(stroke="white")
    # Shaded: the chain of thought.
    shade = alt.condition("datum.in_chain", alt.value("#e4e4e4"), alt.value("#f3f3f3"))
    lanes = lanes.encode(x, top, alt.Y2("bottom"), color=shade, tooltip=meaning)
    labels = only("label").mark_text(align="right", baseline="middle", dx=-8, fontSize=11)
    labels = labels.encode(alt.XValue(0), y, text="lane:N", tooltip=meaning)
    begun = only("date")
    # Another channel than fill, whose scale would name the colour.
    colour = alt.Stroke("colour:N", scale=None)
    line = begun.mark_rule(strokeWidth=3).encode(x, alt.X2("end"), y, stroke=colour, tooltip=dates)
    marks = begun.mark_point(size=170, filled=False, fill="white", opacity=1, strokeWidth=2)
    marks = marks.encode(x, y, stroke=colour, tooltip=dates)
    names = begun.mark_text(fontSize=10).encode(x, y, text="variable:N", tooltip=dates)
    notes = only("note").mark_text(align="right", baseline="middle", dx=-6, fontSize=10)
    notes = notes.encode(alt.XValue("width"), y, text="text:N", tooltip=dates)
    chosen = only("chosen").mark_rect(fill=None, stroke=MARK, strokeWidth=2)
    chosen = chosen.encode(top, alt.Y2("bottom"))
    return finished(
        "When each variable is determined by the text, readable, said and used, along the symbols",
        lanes,
        *begin("place"),
        line,
        marks,
        names,
        notes,
        labels,
        chosen,
    )


def _equation_map(what: str) -> Any:
    """Layers (or windows of them) x equations (`cell`), the asked one outlined (`asked`)."""
    x = named("equation", None, labelAngle=-50)
    y = alt.Y("row:N", sort=None, axis=alt.Axis(title="layer", ticks=False))
    cells = only("cell").mark_rect(stroke="white", strokeWidth=0.3)
    cells = cells.encode(
        x,
        y,
        color=heat(None),
        tooltip=tooltip(
            ("score", "value"), *INTERVAL, ("row", "layer"), ("name", "equation"), ("n", "n")
        ),
    )
    asked = only("asked").mark_rect(fill=None, stroke=MARK, strokeWidth=2).encode(x)
    return finished(f"Layers by equations: {what}", cells, *begin("equation"), asked)


def _whole_parts() -> Any:
    """Success rates of patching whole parts, and of wrong results (`part`), a colour per edit."""
    y = alt.Y("spec:N", sort=None, axis=alt.Axis(title=None, ticks=False))
    beside = alt.YOffset("edit:N")
    colour = alt.Color("edit:N", scale=alt.Scale(range=COLOURS), legend=legend("edit"))
    parts = only("part")
    reach = parts.mark_rule(strokeWidth=1.5).encode(
        alt.X("ci_low:Q"), alt.X2("ci_high"), y, beside, color=colour
    )
    dots = parts.mark_point(filled=True, size=55, opacity=1).encode(
        alt.X("score:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title=None)),
        y,
        beside,
        color=colour,
        tooltip=tooltip(
            ("score", "share with the other answer"),
            *INTERVAL,
            ("spec", "patched"),
            ("edit", "edit"),
            ("n", "pairs"),
        ),
    )
    return finished(
        "Final answers that become the other problem's when a part is patched in all layers, and "
        "that follow a wrong result",
        reach,
        dots,
    )

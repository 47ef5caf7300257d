"""The figure of the four clocks: when values are determined, readable, said and used.

A panel per task, a lane per clock, a line per variable in the colour of its role: it begins at the
date and goes on to the end of the chain. The rows come from `timing.clocks`; a lane of which
nothing was measured says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from think_to_talk.figures.style import STYLE, WIDTH, ProbeRows, VariableStyle, variable_styles
from think_to_talk.figures.symbol_axis import AXIS, draw_symbol_axis
from think_to_talk.timing.clocks import CLOCKS, MEASURED
from think_to_talk.timing.roles import variable_roles
from think_to_talk.timing.symbol_axis import on_symbol_axis

#: How words in place of a line are written.
_NOTE: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 6}

#: How far a lane's variables are apart, in lanes.
_SPREAD = 0.2


def draw_clocks(probes: Mapping[str, ProbeRows], clocks: ProbeRows, title: str) -> Figure:
    """The four clocks along the symbols, one panel per task.

    probes: {task: probe rows}.
    clocks: rows of `timing.clocks` of all of them.
    title: names model and seed.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 + 1.3 * len(probes)), layout="constrained")
        panels = list(figure.subplots(len(probes), 1, squeeze=False)[:, 0])
        for panel, (task, rows) in zip(panels, probes.items(), strict=True):
            _draw_task(panel, rows, [row for row in clocks if row["task"] == task])
            panel.set_title(task, loc="left")
        figure.suptitle(f"When values are determined, readable, said and used: {title}", fontsize=9)
        panels[0].set_title("shaded: chain of thought", loc="right", fontsize=7)
        panels[-1].set_xlabel(AXIS)
    return figure


def _draw_task(panel: Axes, probes: ProbeRows, clocks: ProbeRows) -> None:
    on_axis = on_symbol_axis(probes)
    cot_start = draw_symbol_axis(panel, on_axis)
    end = max(row["symbol_index"] for row in on_axis) - cot_start
    styles = variable_styles(variable_roles(probes))
    for lane, clock in enumerate(CLOCKS):
        measured = [row for row in clocks if row[MEASURED.get(clock, "task")]]
        if not measured:
            panel.text(end, lane, "not measured", color="0.5", **_NOTE)
        for row in measured:
            height = lane + _SPREAD * (clocks.index(row) - (len(clocks) - 1) / 2)
            style = styles[row["variable"]]
            if row[clock] is not None:
                at = _place(on_axis, row[clock]) - cot_start
                _draw_date(panel, at, end, height, style)
            elif clock != "t_text":
                panel.text(end, height, "never", color=style.colour, **_NOTE)
    panel.set_yticks(range(len(CLOCKS)), list(CLOCKS.values()))
    panel.set_ylim(len(CLOCKS) - 0.5, -0.5)
    panel.tick_params(axis="y", length=0)
    panel.legend(
        handles=[
            Line2D([], [], color=style.colour, marker=style.marker, markersize=3, label=style.label)
            for style in styles.values()
        ],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
    )


def _draw_date(panel: Axes, at: int, end: int, height: float, style: VariableStyle) -> None:
    """A line from a date to the end of the chain."""
    line: dict[str, Any] = {"color": style.colour, "linewidth": 1.2, "solid_capstyle": "butt"}
    panel.plot([at, end + 0.5], [height, height], **line)
    panel.plot([at], [height], color=style.colour, marker=style.marker, markersize=4)


def _place(on_axis: ProbeRows, t: int) -> int:
    """The symbol that is complete at a token, or that it is a part of: the next to be completed."""
    later = [row["symbol_index"] for row in on_axis if row["relative_position"] >= t]
    return min(later, default=max(row["symbol_index"] for row in on_axis))

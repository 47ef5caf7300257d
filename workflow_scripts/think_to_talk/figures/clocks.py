"""The figure of the four clocks: when values are determined, readable, said and used.

A panel per task, a lane per clock, a line per variable in the colour of its role: it begins at the
date and goes on to the end of the chain. The rows come from `timing.clocks`; a lane of which
nothing was measured says so, and beside a lane stand the variables that never reach it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from textwrap import fill
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from think_to_talk.figures.style import (
    SMALLEST,
    STYLE,
    WIDTH,
    ProbeRows,
    VariableStyle,
    describe,
    legend_above,
    variable_styles,
)
from think_to_talk.figures.symbol_axis import AXIS, SHADED, draw_symbol_axis, place_of
from think_to_talk.formulas.symbols import TEMPLATE, variable_symbol
from think_to_talk.timing.clocks import CLOCKS, MEASURED
from think_to_talk.timing.roles import variable_roles
from think_to_talk.timing.symbol_axis import on_symbol_axis

#: How words in place of a line are written.
_NOTE: dict[str, Any] = {"va": "center", "fontsize": SMALLEST}

#: The size of a date's mark, and how far a lane's lines are apart, in points.
_MARK, _APART = 3.4, 4.4

_LANES = "A line begins at the date from which the lane's words are true"


def draw_clocks(probes: Mapping[str, ProbeRows], clocks: ProbeRows, title: str) -> Figure:
    """The four clocks along the symbols, one panel per task.

    probes: {task: probe rows}.
    clocks: rows of `timing.clocks` of all of them.
    title: names model and seed.
    """
    with matplotlib.rc_context(STYLE):
        n_lines = [_lines_of(variable_roles(rows)) for rows in probes.values()]
        lanes = sum(n_lines) * len(CLOCKS) * _APART / 72
        size = WIDTH, 0.75 + 0.4 * len(probes) + lanes
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(probes), 1, squeeze=False, height_ratios=n_lines)
        panels = list(grid[:, 0])
        for panel, (task, rows) in zip(panels, probes.items(), strict=True):
            _draw_task(panel, rows, [row for row in clocks if row["task"] == task])
            panel.set_title(task, loc="left")
        panels[-1].set_xlabel(AXIS)
        what = f"When values are determined, readable, said and changed: {title}"
        describe(figure, what, [_LANES, SHADED])
    return figure


def _lines_of(variables: Collection[int]) -> int:
    """The height of a lane, in lines: one per variable, and one between lanes."""
    return 1 + max(2, len(variables))


def _draw_task(panel: Axes, probes: ProbeRows, clocks: ProbeRows) -> None:
    on_axis = on_symbol_axis(probes)
    cot_start = draw_symbol_axis(panel, on_axis)
    end = max(row["symbol_index"] for row in on_axis) - cot_start
    styles = variable_styles(variable_roles(probes))
    for lane, clock in enumerate(CLOCKS):
        panel.axhline(lane + 0.5, color="0.85", linewidth=0.5, zorder=0.5)
        measured = [row for row in clocks if row[MEASURED.get(clock, "task")]]
        if not measured:
            panel.text(end, lane, "not measured", color="0.4", ha="right", **_NOTE)
        for row in measured:
            height = lane + (clocks.index(row) - (len(clocks) - 1) / 2) / _lines_of(styles)
            if row[clock] is not None:
                at = _place(probes, row[clock]) - cot_start
                _draw_date(panel, at, end, height, styles[row["variable"]])
        never = [variable_symbol(row["variable"]) for row in measured if row[clock] is None]
        if never and clock != "t_text":
            panel.text(end + 1, lane, f"{', '.join(never)} never", **_NOTE)
    panel.set_yticks(range(len(CLOCKS)), [fill(name, 13) for name in CLOCKS.values()])
    panel.set_ylim(len(CLOCKS) - 0.5, -0.5)
    panel.tick_params(axis="y", length=0)
    legend_above(panel, [_named(style) for style in styles.values()])


def _named(style: VariableStyle) -> Line2D:
    """An entry of a legend."""
    mark: dict[str, Any] = {"color": style.colour, "marker": style.marker, "markersize": _MARK}
    return Line2D([], [], label=style.label, **mark)


def _draw_date(panel: Axes, at: float, end: int, height: float, style: VariableStyle) -> None:
    """A line from a date to the end of the chain."""
    line: dict[str, Any] = {"color": style.colour, "linewidth": 1.0, "solid_capstyle": "butt"}
    panel.plot([at, end + 0.5], [height, height], **line)
    panel.plot([at], [height], color=style.colour, marker=style.marker, markersize=_MARK)


def _place(probes: ProbeRows, t: int) -> float:
    """The symbol that is complete at a token, or that it is a part of: the next to be completed.

    A token of a chat template is half a place before the chain of thought.
    """
    on_axis = on_symbol_axis(probes)
    if any(row["relative_position"] == t and row["symbol"] == TEMPLATE for row in probes):
        return place_of(t, on_axis)
    later = [row["symbol_index"] for row in on_axis if row["relative_position"] >= t]
    return min(later, default=max(row["symbol_index"] for row in on_axis))

"""The figure of probes on patched runs: which values move with a patch, and how far on.

At each symbol it draws, of the layer at which most pairs moved, the share of pairs in which the
probe says the source's value (`timing.patched`), with Wilson intervals, for patches of the whole
problem and of the whole chain. Places that were replaced themselves, or that the probe does not
read, have none. The rows come from `patched_probes.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Transform

from think_to_talk.figures.accuracy_curve import draw_threshold, task_panels
from think_to_talk.figures.style import (
    HELDOUT_DASHES,
    STYLE,
    ProbeRows,
    VariableStyle,
    beside,
    legend_above,
    variable_styles,
)
from think_to_talk.figures.symbol_axis import draw_symbol_axis
from think_to_talk.timing.best_probes import best_layers
from think_to_talk.timing.patched import readable, widest_edit
from think_to_talk.timing.roles import of_values, variable_roles
from think_to_talk.timing.symbol_axis import on_symbol_axis

#: {spec: how its lines are drawn}, and the specs that are drawn.
_LINES: dict[str, Any] = {"problem": "-", "chain": HELDOUT_DASHES}

#: How far variables at one symbol are apart, in points.
_APART = 1.4

_NOTES = (
    "Filled, solid: the problem is patched; hollow, dashed: the chain of thought",
    "Points stand where nothing is patched and the probe reads both unpatched runs",
)


def draw_patched_probes(
    probes: Mapping[str, ProbeRows], patched: Mapping[str, ProbeRows], threshold: float, title: str
) -> Figure:
    """The highest share of pairs that moved along the symbols, one panel per task.

    The edit of a task is the one that changes most variables.

    probes: {task: probe rows}, for the symbols and the variables' roles.
    patched: {task: rows of probes on patched runs} of the same tasks.
    threshold: the accuracy that a probe must reach in both unpatched runs.
    title: names model and seed.
    """
    with matplotlib.rc_context(STYLE):
        what = f"Which values move with a patch: {title}"
        notes = [*_NOTES, f"Grey line: threshold of t*, {threshold}"]
        figure, panels = task_panels(patched, what, notes, label="share of pairs")
        for panel, (task, rows) in zip(panels, patched.items(), strict=True):
            edit = widest_edit(rows)
            panel.set_title(
                f"{task}, edit {edit}" if edit else f"{task}: no pair solved", loc="left"
            )
            of_edit = [row for row in on_symbol_axis(rows) if row["edit"] == edit]
            _draw_task(panel, probes[task], readable(of_edit, threshold))
            draw_threshold(panel, threshold)
    return figure


def _draw_task(panel: Axes, probe_rows: ProbeRows, rows: ProbeRows) -> None:
    cot_start = draw_symbol_axis(panel, on_symbol_axis(probe_rows))
    styles = variable_styles(variable_roles(of_values(probe_rows)))
    for variable, style in styles.items():
        # In the legend, whether it has a line or not.
        panel.plot([], [], color=style.colour, marker=style.marker, markersize=2, label=style.label)
        middle = (len(styles) - 1) / 2
        for spec in _LINES:
            best = best_layers((row for row in rows if row["spec"] == spec), variable, "moved")
            side = beside(panel, _APART * (variable - middle))
            _draw_line(panel, list(best.values()), cot_start, style, spec, side)
    legend_above(panel)


def _draw_line(
    panel: Axes,
    best: ProbeRows,
    cot_start: int,
    style: VariableStyle,
    spec: str,
    side: Transform,
) -> None:
    """Draw a spec's shares of a variable; no line joins symbols between which there is a gap.

    side: the transform of the panel's data that puts variables side by side.
    """
    if not best:
        return
    at = {row["symbol_index"] - cot_start: row for row in best}
    x = range(min(at), max(at) + 1)
    moved, low, high = (
        [at[place][key] if place in at else nan for place in x]
        for key in ("moved", "moved_ci_low", "moved_ci_high")
    )
    line: dict[str, Any] = {"color": style.colour, "linestyle": _LINES[spec], "linewidth": 0.8}
    face = style.colour if spec == "problem" else "white"
    marked: dict[str, Any] = {"marker": style.marker, "markerfacecolor": face}
    panel.plot(x, moved, **line, **marked, markeredgewidth=0.5, markersize=1.8, transform=side)
    shade: dict[str, Any] = {"alpha": 0.15, "linewidth": 0, "transform": side}
    panel.fill_between(x, low, high, color=style.colour, **shade)

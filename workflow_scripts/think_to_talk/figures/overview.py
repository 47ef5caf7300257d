"""The overview of a model and seed: probe accuracy along the symbols, all tasks in one figure.

At each symbol it draws the probe of the best layer (`timing.best_probes`) with its Wilson interval,
the held-out accuracy of the layer that is best by it, and the ceiling: what the text up to there
says (`formulas.ceilings`). t* is where a curve first exceeds the threshold. Colours are those of
roles (`timing.roles`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.figures.accuracy_curve import (
    LIGHT,
    draw_accuracy,
    draw_threshold,
    task_panels,
)
from think_to_talk.figures.style import (
    HELDOUT_DASHES,
    STYLE,
    ProbeRows,
    legend_above,
    variable_styles,
)
from think_to_talk.figures.symbol_axis import (
    CEILING,
    ONE_AXIS,
    draw_ceiling,
    draw_symbol_axis,
    equation_widths,
)
from think_to_talk.timing.best_probes import best_layers
from think_to_talk.timing.roles import variable_roles
from think_to_talk.timing.symbol_axis import on_symbol_axis

#: What the dashed lines are.
_HELDOUT = "Dashed: held-out accuracy, of probes that never saw the row's expression"


def draw_overview(
    tasks: Mapping[str, ProbeRows],
    threshold: float,
    title: str,
    ceilings: Mapping[str, ProbeRows] = MappingProxyType({}),
) -> Figure:
    """The best layer's accuracy along the symbols, one panel per task, one line per variable.

    tasks: {name: probe rows}.
    threshold: the accuracy that t* must exceed.
    title: names model and seed.
    ceilings: {name: rows of ceilings} of the tasks that have them.
    """
    with matplotlib.rc_context(STYLE):
        notes = [f"Grey line: threshold of t*, {threshold}"]
        if any(row["heldout_score"] is not None for rows in tasks.values() for row in rows):
            notes.append(_HELDOUT)
        if ceilings:
            notes.append(CEILING)
        widths = equation_widths(map(on_symbol_axis, tasks.values()))
        if widths:
            notes.append(ONE_AXIS)
        what = f"When values become readable: {title}"
        figure, panels = task_panels(tasks, what, [*notes, LIGHT])
        for panel, (name, rows) in zip(panels, tasks.items(), strict=True):
            _draw_curves(panel, rows, threshold, ceilings.get(name, ()), widths)
    return figure


def _draw_curves(
    panel: Axes,
    rows: ProbeRows,
    threshold: float,
    ceiling_rows: ProbeRows,
    widths: Mapping[float, int] | None,
) -> None:
    """Draw a task; widths: of its equations, as of `equation_widths`."""
    on_axis = on_symbol_axis(rows)
    cot_start = draw_symbol_axis(panel, on_axis, widths)
    for variable, style in variable_styles(variable_roles(rows)).items():
        plain = list(best_layers(on_axis, variable).values())
        marked = {"marker": style.marker, "markersize": 2, "label": style.label}
        draw_accuracy(panel, plain, cot_start, style.colour, marked)
        heldout = list(best_layers(on_axis, variable, "heldout_score").values())
        if heldout:
            dashed = {"linestyle": HELDOUT_DASHES}
            draw_accuracy(
                panel, heldout, cot_start, style.colour, dashed, prefix="heldout_", alpha=0.1
            )
        draw_ceiling(panel, on_axis, ceiling_rows, variable, cot_start, style.colour)
    draw_threshold(panel, threshold)
    legend_above(panel)

"""The figure of the logit lens: what the model's own head reads, beside what probes read.

At each symbol it draws the best layer's accuracy (`timing.best_probes`) of both, with Wilson
intervals, so one sees where a value is linearly readable but not yet in the directions that the
model itself reads out. A number of several tokens is read by its first one, which the panel says,
and probes by its value. The rows come from `logit_lens.reading` and `probes.fitting`.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.figures.accuracy_curve import (
    LIGHT,
    draw_accuracy,
    draw_threshold,
    draw_unread,
    task_panels,
)
from think_to_talk.figures.style import STYLE, ProbeRows, legend_above, variable_styles
from think_to_talk.figures.symbol_axis import draw_symbol_axis
from think_to_talk.timing.best_probes import best_layers
from think_to_talk.timing.roles import variable_roles
from think_to_talk.timing.symbol_axis import on_symbol_axis

#: How lines of the logit lens are drawn, beside solid ones of probes.
_DOTTED = {"linestyle": (0, (1, 1)), "linewidth": 1.4}

_LINES = "Solid: probes; dotted: logit lens, the model's own final norm and head on numbers"


def draw_logit_lens(
    probes: Mapping[str, ProbeRows], lens: Mapping[str, ProbeRows], threshold: float, title: str
) -> Figure:
    """The best layer's accuracy along the symbols, one panel per task, two lines per variable.

    probes: {task: probe rows}.
    lens: {task: rows of the logit lens} of the same tasks; none of one that could not be read.
    threshold: the accuracy that t* must exceed.
    title: names model and seed.
    """
    with matplotlib.rc_context(STYLE):
        notes = [_LINES, f"Grey line: threshold of t*, {threshold}", LIGHT]
        figure, panels = task_panels(lens, f"What the model's own head reads: {title}", notes)
        for panel, (task, rows) in zip(panels, lens.items(), strict=True):
            if not rows:
                draw_unread(panel)
                continue
            _draw_task(panel, probes[task], rows)
            draw_threshold(panel, threshold)
    return figure


def _draw_task(panel: Axes, probe_rows: ProbeRows, lens_rows: ProbeRows) -> None:
    probes_on_axis, lens_on_axis = on_symbol_axis(probe_rows), on_symbol_axis(lens_rows)
    cot_start = draw_symbol_axis(panel, lens_on_axis)
    for variable, style in variable_styles(variable_roles(lens_rows)).items():
        probes = list(best_layers(probes_on_axis, variable).values())
        lens = list(best_layers(lens_on_axis, variable).values())
        marked = {"marker": style.marker, "markersize": 2, "label": style.label}
        draw_accuracy(panel, probes, cot_start, style.colour, marked)
        draw_accuracy(panel, lens, cot_start, style.colour, _DOTTED, alpha=0.1)
    if "reads" in lens_rows[0]:
        task = panel.get_title(loc="left")
        panel.set_title(f"{task} (dotted: of a number, the first token)", loc="left")
    legend_above(panel)

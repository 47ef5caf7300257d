"""The figure of forced answers: what the model says at each equation, beside what probes read.

At the end of each equation of the chain it draws the share of right forced answers, with Wilson
intervals, and the probability mass on numbers; behind them the best layer's probe of the answer
(`timing.best_probes`). The rows come from `forced_answers.reading` and `probes.fitting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.figures.accuracy_curve import (
    draw_accuracy,
    draw_threshold,
    draw_unread,
    task_panels,
)
from think_to_talk.figures.style import STYLE, ProbeRows, legend_above
from think_to_talk.figures.symbol_axis import draw_symbol_axis, place_of
from think_to_talk.timing.best_probes import best_layers
from think_to_talk.timing.forced import first_said
from think_to_talk.timing.roles import ANSWER, ROLE_COLOURS, variable_roles
from think_to_talk.timing.symbol_axis import on_symbol_axis

_COLOUR = ROLE_COLOURS[ANSWER][0]

_STAR = "star: the first cut above it, from which the model says the answer (t said)"


def draw_forced_answers(
    probes: Mapping[str, ProbeRows], forced: Mapping[str, ProbeRows], threshold: float, title: str
) -> Figure:
    """Forced answers along the symbols, one panel per task.

    probes: {task: probe rows}.
    forced: {task: rows of forced answers} of the same tasks; none of one that could not be read.
    threshold: the accuracy that t said and t* must exceed.
    title: names model and seed.
    """
    with matplotlib.rc_context(STYLE):
        what = f"What the model says if it must answer there: {title}"
        notes = [f"Thin grey line: threshold, {threshold}; {_STAR}"]
        figure, panels = task_panels(forced, what, notes, label="share of problems")
        answers = (row["answer"] for rows in forced.values() for row in rows)
        largest = max(map(max, answers), default=0)
        numbers = "numbers" if largest > 9 else "digits"
        for panel, (task, rows) in zip(panels, forced.items(), strict=True):
            if not rows:
                draw_unread(panel)
                continue
            _draw_task(panel, probes[task], rows, threshold, numbers)
            draw_threshold(panel, threshold)
        for panel in [panel for panel in panels if panel.lines][:1]:
            legend_above(panel)
    return figure


def _draw_task(
    panel: Axes, probes: ProbeRows, forced: ProbeRows, threshold: float, numbers: str
) -> None:
    on_axis = on_symbol_axis(probes)
    cot_start = draw_symbol_axis(panel, on_axis)
    for variable, role in variable_roles(probes).items():
        if role == ANSWER:
            best = list(best_layers(on_axis, variable).values())
            draw_accuracy(panel, best, cot_start, "0.5", {"label": "best probe of the answer"})
    x = [place_of(row["relative_position"], on_axis) - cot_start for row in forced]
    accuracy = [row["accuracy"] for row in forced]
    low = [row["accuracy"] - row["accuracy_ci_low"] for row in forced]
    high = [row["accuracy_ci_high"] - row["accuracy"] for row in forced]
    marks: dict[str, Any] = {
        "color": _COLOUR,
        "marker": "o",
        "markersize": 3,
        "linewidth": 1.1,
        "capsize": 1.5,
    }
    panel.errorbar(x, accuracy, yerr=(low, high), label="forced answer", **marks)
    mass = [row["digit_mass"] for row in forced]
    dotted: dict[str, Any] = {"color": "0.3", "linewidth": 0.8, "linestyle": (0, (1, 1.5))}
    panel.plot(x, mass, **dotted, label=f"mass on {numbers}")
    first = first_said(forced, threshold)
    if first:
        place = place_of(first["relative_position"], on_axis) - cot_start
        panel.plot([place], [first["accuracy"]], color=_COLOUR, marker="*", markersize=8)

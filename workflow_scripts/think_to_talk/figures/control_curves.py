"""Curves of the controls for probes: accuracy along the symbols, and what it is compared with.

`controls.results` feeds it, `figures.controls` calls it. Each place of a curve is the best layer's
accuracy there, as in `figures.overview`, averaged over seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.controls.kinds import Control
from think_to_talk.controls.results import Result, Row, Rows
from think_to_talk.figures.accuracy_curve import (
    LIGHT,
    draw_band,
    draw_joined,
    line_ends,
    task_panels,
)
from think_to_talk.figures.style import HELDOUT_DASHES, VariableStyle, legend_above, variable_styles
from think_to_talk.figures.symbol_axis import (
    CEILING,
    draw_ceiling,
    draw_symbol_axis,
    place_of,
)
from think_to_talk.timing.best_probes import best_layers
from think_to_talk.timing.roles import variable_roles
from think_to_talk.timing.symbol_axis import SEPARATORS, on_symbol_axis

#: Accuracy by `symbol_index`.
Curve = dict[int, float]


@dataclass
class _TaskCurves:
    """What a panel of curves shows.

    axis: the places of the symbol axis.
    styles: {variable: how it is drawn}.
    main: {variable: a curve per seed} of the model's probes.
    compared: {variable: a curve per seed} of the probes that they are compared with.
    marks: {variable: the place of t* of each seed that has one}.
    """

    axis: list[dict[str, Any]] = field(default_factory=list)
    styles: dict[int, VariableStyle] = field(default_factory=dict)
    main: dict[int, list[Curve]] = field(default_factory=dict)
    compared: dict[int, list[Curve]] = field(default_factory=dict)
    marks: dict[int, list[float]] = field(default_factory=dict)

    def add(self, control: Control, result: Result) -> None:
        """Add the curves and marks of one seed."""
        on_axis = on_symbol_axis(result.probes)
        self.axis = [
            {key: row[key] for key in ("symbol_index", "symbol", "equation", "relative_position")}
            for row in on_axis
        ]
        self.styles = variable_styles(variable_roles(result.probes))
        for variable in result.variables():
            best = list(best_layers(on_axis, variable).values())
            self.main.setdefault(variable, []).append(_curve(best))
            if control.compared_with == "control_probes":
                places = {(row["layer"], row["position"]) for row in best}
                compared = [
                    row
                    for row in on_symbol_axis(result.compared)
                    if row["variable"] == variable and (row["layer"], row["position"]) in places
                ]
                self.compared.setdefault(variable, []).append(_curve(compared))
            elif control.compared_with == "untrained_probes":
                best = list(best_layers(on_symbol_axis(result.compared), variable).values())
                self.compared.setdefault(variable, []).append(_curve(best))
        if control.compared_with == "timing":
            for row in result.compared:
                if row["t_star"] is not None:
                    place = place_of(row["t_star"], on_axis)
                    self.marks.setdefault(row["variable"], []).append(place)


def _curve(rows: Iterable[Row]) -> Curve:
    return {row["symbol_index"]: row["score"] for row in rows if row["score"] is not None}


def draw_curves(
    control: Control, model: str, results: Iterable[Result], ceilings: Mapping[str, Rows]
) -> Figure:
    """Accuracy along the symbol axis, a panel per task and a line per variable.

    control: the record of a control that is drawn as curves.
    model: named in the title.
    results: of each seed and task.
    ceilings: {task: rows of ceilings} of the tasks that have them.
    The caller sets the style.
    """
    tasks: dict[str, _TaskCurves] = {}
    for result in results:
        tasks.setdefault(result.task, _TaskCurves()).add(control, result)
    notes = [control.figure_note, *([CEILING] if ceilings else []), LIGHT]
    figure, panels = task_panels(tasks, f"{control.title}: {model}", notes)
    marked = [variable for curves in tasks.values() for variable in curves.marks]
    for panel, (task, curves) in zip(panels, tasks.items(), strict=True):
        cot_start = draw_symbol_axis(panel, curves.axis)
        joined = {
            row["symbol_index"]: row["equation"]
            for row in curves.axis
            if row["symbol"] not in SEPARATORS
        }
        band = control.compared_with == "timing"
        for variable, style in curves.styles.items():
            _draw_mean(panel, style, curves.main[variable], joined, cot_start, band=band)
            draw_ceiling(
                panel, curves.axis, ceilings.get(task, ()), variable, cot_start, style.colour
            )
            if variable in curves.compared:
                compared = curves.compared[variable]
                _draw_mean(panel, style, compared, joined, cot_start, dashed=True)
            if variable in curves.marks:
                places = np.array(curves.marks[variable]) - cot_start
                _draw_marks(panel, style, places, _mark_height(variable))
        if marked:
            panel.set_ylim(top=_mark_height(max(marked)) + 0.1)
        legend_above(panel)
    return figure


def _mark_height(variable: int) -> float:
    """The height of a variable's marks: one line per variable, above the curves."""
    return 1.12 + 0.1 * variable


def _draw_marks(panel: Axes, style: VariableStyle, places: np.ndarray, height: float) -> None:
    """A triangle for each seed's t*; where seeds agree it is darker."""
    panel.plot(
        places,
        [height] * len(places),
        linestyle="none",
        marker="v",
        markersize=3,
        markeredgewidth=0,
        color=style.colour,
        alpha=0.6,
    )


def _draw_mean(
    panel: Axes,
    style: VariableStyle,
    of_seeds: Sequence[Curve],
    joined: Mapping[int, float],
    cot_start: int,
    *,
    dashed: bool = False,
    band: bool = False,
) -> None:
    """The mean curve of a variable over seeds, with a band from the lowest to the highest.

    joined: {the `symbol_index` of places that are on the line: their equation}.
    """
    places = sorted({place for curve in of_seeds for place in curve})
    scores = [[curve[place] for curve in of_seeds if place in curve] for place in places]
    x = [place - cot_start for place in places]
    on_line = [place in joined for place in places]
    line: dict[str, Any] = {"color": style.colour, "linestyle": HELDOUT_DASHES}
    if not dashed:
        marked = {"marker": style.marker, "markersize": 2, "label": style.label}
        line = {"color": style.colour, **marked}
    ends = line_ends([joined.get(place) for place in places])
    means = [float(np.mean(values)) for values in scores]
    draw_joined(panel, x, means, on_line, line, ends)
    if band:
        low, high = list(map(min, scores)), list(map(max, scores))
        draw_band(panel, x, low, high, on_line, style.colour, 0.25, ends)

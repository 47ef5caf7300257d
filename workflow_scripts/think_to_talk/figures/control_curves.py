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
from think_to_talk.figures.style import WIDTH, VariableStyle, variable_styles
from think_to_talk.figures.symbol_axis import AXIS, CEILING, draw_ceiling, draw_symbol_axis
from think_to_talk.timing.best_probes import best_layers
from think_to_talk.timing.roles import variable_roles
from think_to_talk.timing.symbol_axis import on_symbol_axis

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
            {key: row[key] for key in ("symbol_index", "symbol", "relative_position")}
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
                    place = _place_of(row["t_star"], on_axis)
                    self.marks.setdefault(row["variable"], []).append(place)


def _curve(rows: Iterable[Row]) -> Curve:
    return {row["symbol_index"]: row["score"] for row in rows if row["score"] is not None}


def _place_of(t: int, on_axis: Rows) -> float:
    """The place of token position t on the symbol axis.

    on_axis: as of `on_symbol_axis`. A position that completes no symbol is half a place before the
    symbol that it begins.
    """
    following = (row for row in on_axis if row["relative_position"] >= t)
    row = min(following, key=lambda row: row["relative_position"])
    return row["symbol_index"] - (0.0 if row["relative_position"] == t else 0.5)


def draw_curves(
    control: Control, results: Iterable[Result], ceilings: Mapping[str, Rows]
) -> Figure:
    """Accuracy along the symbol axis, a panel per task and a line per variable.

    control: the record of a control that is drawn as curves.
    results: of each seed and task.
    ceilings: {task: rows of ceilings} of the tasks that have them.
    The caller sets the style and the title.
    """
    tasks: dict[str, _TaskCurves] = {}
    for result in results:
        tasks.setdefault(result.task, _TaskCurves()).add(control, result)
    figure = Figure(figsize=(WIDTH, 0.6 + 1.4 * len(tasks)), layout="constrained")
    panels = figure.subplots(len(tasks), 1, squeeze=False, sharey=True)[:, 0]
    marked = [variable for curves in tasks.values() for variable in curves.marks]
    for panel, (task, curves) in zip(panels, tasks.items(), strict=True):
        cot_start = draw_symbol_axis(panel, curves.axis)
        band = control.compared_with == "timing"
        for variable, style in curves.styles.items():
            _draw_mean(panel, style, curves.main[variable], cot_start, band=band)
            draw_ceiling(
                panel, curves.axis, ceilings.get(task, ()), variable, cot_start, style.colour
            )
            if variable in curves.compared:
                _draw_mean(panel, style, curves.compared[variable], cot_start, dashed=True)
            if variable in curves.marks:
                places = np.array(curves.marks[variable]) - cot_start
                _draw_marks(panel, style, places, _mark_height(variable))
        panel.set_ylim(0, _mark_height(max(marked)) + 0.07 if marked else 1.05)
        panel.set_yticks([0, 0.5, 1])
        panel.set_ylabel("accuracy")
        panel.set_title(task, loc="left")
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, handlelength=1.5)
    panels[0].set_title("shaded: chain of thought", loc="right", fontsize=7)
    labels = [AXIS, control.curve_label, *([CEILING] if ceilings else [])]
    panels[-1].set_xlabel("\n".join(labels))
    return figure


def _mark_height(variable: int) -> float:
    """The height of a variable's marks: one line per variable, above the curves."""
    return 1.08 + 0.09 * variable


def _draw_marks(panel: Axes, style: VariableStyle, places: np.ndarray, height: float) -> None:
    """A triangle for each seed's t*; where seeds agree it is darker."""
    panel.plot(
        places,
        [height] * len(places),
        linestyle="none",
        marker="v",
        markersize=4,
        color=style.colour,
        alpha=0.6,
    )


def _draw_mean(
    panel: Axes,
    style: VariableStyle,
    of_seeds: Sequence[Curve],
    cot_start: int,
    *,
    dashed: bool = False,
    band: bool = False,
) -> None:
    """The mean curve of a variable over seeds, with a band from the lowest to the highest."""
    places = sorted({place for curve in of_seeds for place in curve})
    scores = [[curve[place] for curve in of_seeds if place in curve] for place in places]
    x = np.array(places) - cot_start
    panel.plot(
        x,
        [np.mean(values) for values in scores],
        color=style.colour,
        linestyle=(0, (4, 2)) if dashed else "-",
        marker=None if dashed else style.marker,
        markersize=2.2,
        linewidth=0.9,
        label=None if dashed else style.label,
    )
    if band:
        low, high = map(min, scores), map(max, scores)
        panel.fill_between(x, list(low), list(high), color=style.colour, alpha=0.25, linewidth=0)

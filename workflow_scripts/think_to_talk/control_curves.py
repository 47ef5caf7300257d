"""Curves of the controls for probes: accuracy along the symbols, of all seeds and of a control."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.controls import Result, Row, Rows
from think_to_talk.figures import AXIS, STYLES, WIDTH, draw_symbol_axis
from think_to_talk.symbols import on_symbol_axis, variable_symbol
from think_to_talk.timing import best_layers

#: Accuracy by `symbol_index`.
Curve = dict[int, float]

_LABELS = {
    "labels": "solid: real labels, dashed: control labels in the same layer; mean over seeds; "
    "dotted: chance",
    "untrained": "solid: the model, dashed: its untrained copy; mean over seeds; dotted: chance",
    "seeds": "line: mean over seeds, band: lowest to highest, triangles: t* of each seed; "
    "dotted: chance",
}


@dataclass
class _TaskCurves:
    """What a panel of curves shows.

    axis: the places of the symbol axis. main, beside: {variable: a curve per seed}. marks:
    {variable: the place of t* of each seed that has one}.
    """

    axis: list[dict[str, Any]] = field(default_factory=list)
    chance: float = 0.0
    main: dict[int, list[Curve]] = field(default_factory=dict)
    beside: dict[int, list[Curve]] = field(default_factory=dict)
    marks: dict[int, list[float]] = field(default_factory=dict)

    def add(self, control: str, result: Result) -> None:
        """Take in one seed."""
        on_axis = on_symbol_axis(result.probes)
        self.axis = [
            {key: row[key] for key in ("symbol_index", "symbol", "relative_position")}
            for row in on_axis
        ]
        self.chance = max(self.chance, *(row["chance"] for row in on_axis))
        for variable in result.variables():
            best = list(best_layers(on_axis, variable).values())
            self.main.setdefault(variable, []).append(_curve(best))
            if control == "labels":
                places = {(row["layer"], row["position"]) for row in best}
                beside = [
                    row
                    for row in on_symbol_axis(result.beside)
                    if row["variable"] == variable and (row["layer"], row["position"]) in places
                ]
                self.beside.setdefault(variable, []).append(_curve(beside))
            elif control == "untrained":
                best = list(best_layers(on_symbol_axis(result.beside), variable).values())
                self.beside.setdefault(variable, []).append(_curve(best))
        if control == "seeds":
            for row in result.beside:
                if row["t_star"] is not None:
                    place = _place_of(row["t_star"], on_axis)
                    self.marks.setdefault(row["variable"], []).append(place)


def _curve(rows: Iterable[Row]) -> Curve:
    return {row["symbol_index"]: row["score"] for row in rows}


def _place_of(t: int, on_axis: Rows) -> float:
    """Where on the symbol axis a token position is: half a place before the symbol it begins."""
    following = (row for row in on_axis if row["relative_position"] >= t)
    row = min(following, key=lambda row: row["relative_position"])
    return row["symbol_index"] - (0.0 if row["relative_position"] == t else 0.5)


def draw_curves(control: str, results: Iterable[Result]) -> Figure:
    """Accuracy along the symbol axis, a panel per task and a line per variable.

    control: `labels`, `untrained` or `seeds`. The caller sets the style and the title.
    """
    tasks: dict[str, _TaskCurves] = {}
    for result in results:
        tasks.setdefault(result.task, _TaskCurves()).add(control, result)
    figure = Figure(figsize=(WIDTH, 0.6 + 1.4 * len(tasks)), layout="constrained")
    panels = figure.subplots(len(tasks), 1, squeeze=False, sharey=True)[:, 0]
    marked = [variable for curves in tasks.values() for variable in curves.marks]
    for panel, (task, curves) in zip(panels, tasks.items(), strict=True):
        cot_start = draw_symbol_axis(panel, curves.axis)
        for variable, of_seeds in curves.main.items():
            _draw_mean(panel, variable, of_seeds, cot_start, band=control == "seeds")
        for variable, of_seeds in curves.beside.items():
            _draw_mean(panel, variable, of_seeds, cot_start, dashed=True)
        for variable, places in curves.marks.items():
            _draw_marks(panel, variable, np.array(places) - cot_start)
        panel.axhline(curves.chance, color="0.4", linewidth=0.6, linestyle=(0, (1, 2)))
        panel.set_ylim(0, _mark_height(max(marked)) + 0.07 if marked else 1.05)
        panel.set_yticks([0, 0.5, 1])
        panel.set_ylabel("accuracy")
        panel.set_title(task, loc="left")
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, handlelength=1.5)
    panels[0].set_title("shaded: chain of thought", loc="right", fontsize=7)
    panels[-1].set_xlabel(f"{AXIS}\n{_LABELS[control]}")
    return figure


def _mark_height(variable: int) -> float:
    """Where the marks of a variable are: each has a line of its own, above the curves."""
    return 1.08 + 0.09 * variable


def _draw_marks(panel: Axes, variable: int, places: np.ndarray) -> None:
    """A triangle for each seed's t*; where seeds agree it is darker."""
    panel.plot(
        places,
        [_mark_height(variable)] * len(places),
        linestyle="none",
        marker="v",
        markersize=4,
        color=STYLES[variable % len(STYLES)][0],
        alpha=0.6,
    )


def _draw_mean(
    panel: Axes,
    variable: int,
    of_seeds: Sequence[Curve],
    cot_start: int,
    *,
    dashed: bool = False,
    band: bool = False,
) -> None:
    """The mean curve of a variable over seeds, with a band from the lowest to the highest."""
    colour, marker = STYLES[variable % len(STYLES)]
    places = sorted({place for curve in of_seeds for place in curve})
    scores = [[curve[place] for curve in of_seeds if place in curve] for place in places]
    x = np.array(places) - cot_start
    panel.plot(
        x,
        [np.mean(values) for values in scores],
        color=colour,
        linestyle=(0, (4, 2)) if dashed else "-",
        marker=None if dashed else marker,
        markersize=2.2,
        linewidth=0.9,
        label=None if dashed else variable_symbol(variable),
    )
    if band:
        low, high = map(min, scores), map(max, scores)
        panel.fill_between(x, list(low), list(high), color=colour, alpha=0.25, linewidth=0)

"""Figure of patching and probes on the same axes: where values are used, where decodable.

First a panel per value that the chain of thought states: the best accuracy of its probes
(`probes/fitting.py`) per equation and layer. Then a panel per number of the chain and edit that
changes it: the success rate of the sliding grid of patching (`interventions/patching.py`) per
equation and window of layers. A value that can be decoded but whose patching changes nothing is not
used there. What was not measured has no panel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.figures.style import STYLE, WIDTH, describe
from think_to_talk.figures.symbol_axis import LETTERS
from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.timing.symbol_axis import equation_names

Rows = Sequence[Mapping[str, Any]]

#: Of fewer pairs, rates would be too uncertain to be drawn.
_MIN_PAIRS = 10

#: Panels side by side, and the most equations that have room for their names below one.
_COLUMNS, _MOST_LABELS = 3, 15

#: Letters of an equation and an edit that have room above a panel.
_MOST_TITLE = 30

_HEAT: dict[str, Any] = {"vmin": 0, "vmax": 1, "cmap": "cividis"}

_NOTES = (
    "Outlined: the equation whose last number is asked for. Right of the dashed line: chain of "
    "thought, its equations numbered from 1. Grey: the number is already written",
    "Left out are edits that do not change the number, and fewer than "
    f"{_MIN_PAIRS} pairs that the model solves",
)


@dataclass(frozen=True)
class _Cells:
    """What a panel shows.

    title: its title.
    layers: the heights of its rows: layers, or the middles of windows of layers.
    values: shares [layers, equations], nan where nothing was measured.
    answer: the equation whose number is asked for; None in panels of probes.
    """

    title: str
    layers: list[float]
    values: np.ndarray
    answer: int | None = None


def draw_patching(patching: Rows, probes: Rows) -> Figure:
    """Success rate over equations and windows of layers, and probe accuracy on the same axes.

    Of a distractor's edit, after which no answer can be the source's: the rate of changed answers.
    Rates are over pairs that the model solves without patching.

    patching: all rows of patching of one task.
    probes: all probe rows of the same task.
    """
    sliding = [
        row
        for row in patching
        if row["kind"] == "sliding" and row["donor"] == "paired" and row["rows"] == "solved"
    ]
    names = equation_names(probes)
    equations = list(names)
    n_layers = max((row["layers"][-1] for row in sliding), default=0)
    shown = [
        *_readable(probes, sliding, equations),
        *_changed(sliding, equations, names),
    ]
    lines = max(1, -(-len(shown) // _COLUMNS))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.5 + 0.83 * lines), layout="constrained")
        grid = figure.subplots(lines, _COLUMNS, squeeze=False, sharex=True, sharey=True)
        panels = list(grid.ravel())
        for unused in panels[len(shown) :]:
            unused.remove()
        for panel, cells in zip(panels, shown, strict=False):
            _draw(panel, cells, equations, n_layers)
        for number, panel in enumerate(panels[: len(shown)]):
            is_lowest = number + _COLUMNS >= len(shown)
            panel.tick_params(labelbottom=is_lowest, length=1.5, pad=1)
            if is_lowest:
                step = -(-len(equations) // _MOST_LABELS)
                labels = [names[equation] for equation in equations[::step]]
                places = range(0, len(equations), step)
                panel.set_xticks(places, labels, rotation=90, family=LETTERS)
            if number % _COLUMNS == 0:
                panel.set_ylabel("layer")
        if shown:
            heat = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), _HEAT["cmap"])
            bar = figure.colorbar(
                heat, ax=panels[: len(shown)], location="top", aspect=70, pad=0.02
            )
            bar.set_label("probe accuracy, or share of pairs whose number is switched")
        of = "no pair takes as many tokens in both problems"
        if patching:
            of = "{task}, {model}, seed {seed}".format(**patching[0])
        describe(figure, f"What is readable, and what patches change: {of}", _NOTES)
    return figure


def _readable(probes: Rows, sliding: Rows, equations: Sequence[float]) -> list[_Cells]:
    """The best accuracy of probes within each equation, per layer, of each value that is asked."""
    asked = {row["variable"] for row in sliding if row["variable"] is not None}
    shown = []
    for variable in sorted(asked):
        found = [row for row in probes if row["variable"] == variable and row["score"] is not None]
        if found:
            cells = _grid(found, equations, lambda row: row["layer"], lambda row: row["score"])
            shown.append(_Cells(f"{variable_symbol(variable)} readable", *cells))
    return shown


def _changed(sliding: Rows, equations: Sequence[float], names: Mapping[float, str]) -> list[_Cells]:
    """The success rate of each window, at its middle layer, of each number and edit."""
    shown = []
    for answer in sorted({row["answer_equation"] for row in sliding}):
        asking = [row for row in sliding if row["answer_equation"] == answer]
        for edit in dict.fromkeys(row["edit"] for row in asking):
            found = [row for row in asking if row["edit"] == edit]
            if max(row["n"] for row in found) < _MIN_PAIRS:
                continue
            cells = _grid(found, equations, _middle, _rate)
            changed = all(row["success"] is None for row in found)
            title = f"{answer + 1}. {_shortened(names[answer], edit)}: {edit}"
            shown.append(_Cells(f"{title}, any change" if changed else title, *cells, answer))
    return shown


def _shortened(name: str, edit: str) -> str:
    """The name of an equation, of a long sentence its beginning, that fits beside an edit."""
    most = max(4, _MOST_TITLE - len(edit))
    return name if len(name) <= most else f"{name[: most - 1].rstrip()}…"


def _grid(
    rows: Rows,
    equations: Sequence[float],
    height: Callable[[Mapping[str, Any]], float],
    value: Callable[[Mapping[str, Any]], float],
) -> tuple[list[float], np.ndarray]:
    """(heights, the best value of each height and equation): nan where there is none."""
    heights = sorted({height(row) for row in rows})
    values = np.full((len(heights), len(equations)), np.nan)
    for row in rows:
        place = heights.index(height(row)), equations.index(row["equation"])
        values[place] = np.nanmax([values[place], value(row)])
    return heights, values


def _draw(panel: Axes, cells: _Cells, equations: Sequence[float], n_layers: int) -> None:
    """Cells, where the chain begins, and the equation of the answer."""
    heights = np.array(cells.layers, dtype=float)
    between = (heights[:-1] + heights[1:]) / 2
    half = np.diff(heights).min() / 2 if len(heights) > 1 else 0.5
    edges = [heights[0] - half, *between, heights[-1] + half]
    across = np.arange(len(equations) + 1) - 0.5
    panel.pcolormesh(across, edges, np.ma.masked_invalid(cells.values), **_HEAT)
    panel.set_facecolor("0.88")
    begin = equations.index(0) - 0.5
    panel.axvline(begin, color="white", linewidth=1.0)
    panel.axvline(begin, color="black", linewidth=1.0, linestyle=(0, (3, 3)))
    if cells.answer is not None:
        at = equations.index(cells.answer)
        panel.axvspan(at - 0.5, at + 0.5, facecolor="none", edgecolor="#D55E00", linewidth=1.0)
    panel.set_xlim(-0.5, len(equations) - 0.5)
    panel.set_ylim(-0.5, n_layers + 0.5)
    panel.set_yticks(range(0, n_layers + 1, -(-(n_layers + 1) // 5)))
    panel.set_xticks(range(len(equations)))
    panel.set_title(cells.title, loc="left", fontsize=6.5, pad=2)


def _rate(row: Mapping[str, Any]) -> float:
    return row["other"] if row["success"] is None else row["success"]


def _middle(row: Mapping[str, Any]) -> float:
    return (row["layers"][0] + row["layers"][-1]) / 2

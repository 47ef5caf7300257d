"""Figure of free writing: which states of the problem make the model write another's chain.

The success rate of the sliding grid in the problem (`interventions/free_writing.py`), per equation
and window of layers. Edits of which a task has no solved pair have no panel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.figures.style import STYLE, WIDTH, describe
from think_to_talk.figures.symbol_axis import LETTERS
from think_to_talk.timing.symbol_axis import equation_names

Rows = Sequence[Mapping[str, Any]]

#: The most letters below a panel that have room in one line.
_MOST_LETTERS = 20

_NOTES = (
    "Below: the equation of the problem whose hidden states are another problem's",
    "Left out are edits of which the model solves no pair, and those that leave the chain the same",
)


def draw_free_writing(rows: Rows, probes: Mapping[str, Rows], title: str) -> Figure:
    """Share of chains that become the other problem's: a row per task, a column per edit.

    rows: of free writing, of one model and seed. Only those over pairs that the model solves
        without a patch are drawn.
    probes: {task: its probe rows}, for the names of equations.
    title: the model and the seed, for the figure's title.
    """
    drawn = [row for row in rows if row["kind"] == "sliding" and row["rows"] == "solved"]
    tasks, edits = (list(dict.fromkeys(row[key] for row in drawn)) for key in ("task", "edit"))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.1 + 0.95 * len(tasks)), layout="constrained")
        # Where the problems of no pair take as many tokens, there is nothing to draw.
        grid: Any = figure.subplots(len(tasks), len(edits), squeeze=False) if drawn else []
        mappable = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), "cividis")
        for panels, task in zip(grid, tasks, strict=True):
            names = equation_names(probes[task])
            for panel, edit in zip(panels, edits, strict=True):
                own = [row for row in drawn if (row["task"], row["edit"]) == (task, edit)]
                if own and own[0]["n"]:
                    _draw_rates(panel, own, names, mappable)
                    panel.set_title(f"{task}: {edit}", loc="left", fontsize=6.5)
                else:
                    panel.remove()
            panels[0].set_ylabel("layers")
        if figure.axes:
            panels = list(figure.axes)
            bar = figure.colorbar(mappable, ax=panels, location="top", aspect=70, pad=0.02)
            bar.set_label("share of chains that become the other problem's")
        describe(figure, f"Free writing after a patch of the problem: {title}", _NOTES)
    return figure


def _draw_rates(panel: Axes, rows: Rows, names: Mapping[float, str], mappable: Any) -> None:
    """The success rate of each window of layers at each equation of the problem."""
    equations = sorted({row["equation"] for row in rows})
    windows = sorted({(row["layers"][0], row["layers"][-1]) for row in rows})
    values = np.full((len(windows), len(equations)), np.nan)
    for row in rows:
        window = row["layers"][0], row["layers"][-1]
        values[windows.index(window), equations.index(row["equation"])] = row["success"]
    panel.pcolormesh(np.ma.masked_invalid(values), cmap=mappable.cmap, norm=mappable.norm)
    written = [names[equation] for equation in equations]
    rotation = 90 if sum(map(len, written)) > _MOST_LETTERS else 0
    places = np.arange(len(equations)) + 0.5
    panel.set_xticks(places, written, family=LETTERS, rotation=rotation)
    step = -(-len(windows) // 6)
    labels = [f"{first}" if first == last else f"{first}–{last}" for first, last in windows]
    panel.set_yticks(np.arange(len(windows))[::step] + 0.5, labels[::step])
    panel.tick_params(length=1.5, pad=1)

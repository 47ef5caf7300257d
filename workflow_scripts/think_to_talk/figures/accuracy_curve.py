"""Curves of accuracy along the symbols, with their intervals, a panel per task.

The overview and the figures of the logit lens and of forced answers share them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.figures.style import WIDTH, ProbeRows


def task_panels(
    tasks: Collection[str], title: str, margin: float = 0.5
) -> tuple[Figure, list[Axes]]:
    """A figure with a panel of accuracies per task, one below the other.

    tasks: their names.
    title: of the figure.
    margin: inches beside the panels, for the title and the axis.
    """
    figure = Figure(figsize=(WIDTH, margin + 1.35 * len(tasks)), layout="constrained")
    panels = list(figure.subplots(len(tasks), 1, squeeze=False, sharey=True)[:, 0])
    for panel, task in zip(panels, tasks, strict=True):
        panel.set_title(task, loc="left")
        panel.set_ylabel("accuracy")
    figure.suptitle(title, fontsize=9)
    return figure, panels


def draw_accuracy(
    panel: Axes,
    best: ProbeRows,
    cot_start: int,
    colour: str,
    line: Mapping[str, Any],
    *,
    prefix: str = "",
    alpha: float = 0.2,
) -> None:
    """Draw the accuracy of the best layer at each place, and a band for its interval.

    best: the row of the best layer at each place.
    cot_start: as of `draw_symbol_axis`.
    line: how the line is drawn, as matplotlib's arguments.
    prefix: of the keys of accuracy and interval.
    alpha: how opaque the band is.
    """
    x = np.array([row["symbol_index"] - cot_start for row in best])
    y = [row[f"{prefix}score"] for row in best]
    panel.plot(x, y, color=colour, **{"linewidth": 0.9, **line})
    panel.fill_between(
        x,
        [row[f"{prefix}ci_low"] for row in best],
        [row[f"{prefix}ci_high"] for row in best],
        color=colour,
        alpha=alpha,
        linewidth=0,
    )

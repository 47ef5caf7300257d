"""Curves of accuracy along the symbols, with their intervals, a panel per task.

Most figures along the symbols share them. A line joins the symbols of one equation: the separators
between equations, at which most accuracies drop, are left out of it and drawn lightly. Free text
may have none: then a line ends with each equation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.figures.style import WIDTH, ProbeRows, describe
from think_to_talk.figures.symbol_axis import AXIS, SHADED
from think_to_talk.timing.symbol_axis import SEPARATORS

#: A number per place.
Values = Sequence[float]

#: What the light marks are.
LIGHT = "Lines join the symbols of an equation; light marks: separators between equations"

#: The label of accuracies.
ACCURACY = "accuracy"


def task_panels(
    tasks: Collection[str], title: str, notes: Iterable[str], label: str = ACCURACY
) -> tuple[Figure, list[Axes]]:
    """A figure with a panel of shares per task, one below the other.

    tasks: their names.
    title, notes: of the figure, as of `describe`.
    label: of the vertical axes.
    """
    figure = Figure(figsize=(WIDTH, 0.9 + 1.1 * len(tasks)), layout="constrained")
    panels = list(figure.subplots(len(tasks), 1, squeeze=False, sharey=True)[:, 0])
    for panel, task in zip(panels, tasks, strict=True):
        panel.set_title(task, loc="left")
        panel.set_ylabel(label)
        panel.set_yticks([0, 0.5, 1])
        panel.set_ylim(-0.08, 1.08)
    panels[-1].set_xlabel(AXIS)
    describe(figure, title, [SHADED, *notes])
    return figure, panels


def draw_unread(panel: Axes) -> None:
    """Say in a panel that the stage cannot read its task."""
    what = "left out: this task cannot be read (its log says why)"
    panel.text(0.5, 0.5, what, transform=panel.transAxes, ha="center", va="center", color="0.4")
    panel.set_xticks([])


def draw_threshold(panel: Axes, threshold: float) -> None:
    """Draw the threshold of t*, as a thin grey line."""
    panel.axhline(threshold, color="0.6", linewidth=0.5, zorder=1)


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
    x = [row["symbol_index"] - cot_start for row in best]
    joined = [row["symbol"] not in SEPARATORS for row in best]
    score, low, high = (
        [row[f"{prefix}{key}"] for row in best] for key in ("score", "ci_low", "ci_high")
    )
    on_line = zip(best, joined, strict=True)
    ends = line_ends([row["equation"] if kept else None for row, kept in on_line])
    draw_joined(panel, x, score, joined, {"color": colour, **line}, ends)
    draw_band(panel, x, low, high, joined, colour, alpha, ends)


def line_ends(equations: Sequence[float | None]) -> list[int]:
    """The places, by their numbers, before which a line ends if there are no separators.

    equations: of each place; None for one that is not on the line, such as a separator.
    """
    if None in equations:
        return []
    pairs = enumerate(pairwise(equations), start=1)
    return [place for place, (equation, later) in pairs if equation != later]


def draw_joined(
    panel: Axes,
    x: Values,
    y: Values,
    joined: Sequence[bool],
    line: Mapping[str, Any],
    ends: Sequence[int] = (),
) -> None:
    """Draw a line through the places that are joined, and light marks, if it has marks, elsewhere.

    x, y: the places, those of the chain of thought from 0 on, and their values.
    joined: whether a place is on the line.
    line: how it is drawn, as matplotlib's arguments.
    ends: places, by their numbers, before which the line has a gap, beside the one at 0.
    """
    places, values = _with_gaps(x, joined, ends, x, y)
    panel.plot(places, values, **{"linewidth": 0.9, **line})
    if line.get("marker"):
        light = {**line, "linestyle": "none", "alpha": 0.3, "markeredgewidth": 0, "label": None}
        apart = [(at, value) for at, value, on in zip(x, y, joined, strict=True) if not on]
        panel.plot(*zip(*apart, strict=True) if apart else ([], []), **light)


def draw_band(
    panel: Axes,
    x: Values,
    low: Values,
    high: Values,
    joined: Sequence[bool],
    colour: str,
    alpha: float,
    ends: Sequence[int] = (),
) -> None:
    """Shade what lies between two lines of `draw_joined`."""
    places, below, above = _with_gaps(x, joined, ends, x, low, high)
    panel.fill_between(places, below, above, color=colour, alpha=alpha, linewidth=0)


def _with_gaps(
    x: Values, joined: Sequence[bool], ends: Sequence[int], *lines: Values
) -> list[np.ndarray]:
    """Places and values of lines, nan where a line has a gap.

    The question ends with no separator: a gap is put between it and the chain, at 0.

    ends: as of `draw_joined`.
    """
    begin = [place for place, of_chain in enumerate(x) if of_chain >= 0][:1]
    places, *values = (np.array(line, dtype=float) for line in lines)
    kept = [np.where(joined, of_line, np.nan) for of_line in values]
    gaps = sorted({*begin, *ends})
    return [np.insert(line, gaps, np.nan) for line in (places, *kept)]

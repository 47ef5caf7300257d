"""Figure of the effect of interventions on final answers, from the table of interventions.

A row of panels per task, a panel per outcome: the share of pairs whose answer is switched to the
donor problem's, the share whose answer is unchanged, and, of controls, the share that is unchanged.
A lane is a part of the problem or chain whose hidden states are patched, or a variable whose result
in the chain is wrong. Each edit has a height of its own in a lane, so that no mark hides another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from think_to_talk.figures.style import EDIT_STYLES, STYLE, WIDTH, describe
from think_to_talk.formulas.symbols import variable_symbol

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class _Outcome:
    """A column of panels.

    title: what happened to the answer.
    share: the column of the table that is drawn.
    filled: whether marks are filled.
    of: the interventions that are drawn.
    """

    title: str
    share: str
    filled: bool
    of: tuple[str, ...]


_OUTCOMES = (
    _Outcome("answer switched", "changed", True, ("patching", "inconsistent_chain")),
    _Outcome("answer unchanged", "kept", False, ("patching", "inconsistent_chain")),
    _Outcome("control: unchanged", "kept", False, ("random_donor", "distractor")),
)

#: The size of marks, and how far edits are apart in a lane, in points.
_MARK, _APART = 2.6, 3.8

_NOTES = (
    "Switched: the answer becomes the donor problem's, or follows the chain's wrong result",
    "Unchanged: it is what it is without the intervention",
)

_CONTROLS = (
    "Controls: the same patch from an unrelated problem, or from one that differs in a distractor"
)


def draw_effects(table: Rows, title: str) -> Figure:
    """What happens to final answers: a row of panels per task.

    table: rows of the table of interventions (`interventions/table.py`) of one model and seed. Only
        those over pairs that the model solves without an intervention are drawn.
    title: the model and the seed, for the figure's title.
    """
    drawn = [row for row in table if row["pairs"] == "solved" and row["n"]]
    tasks = list(dict.fromkeys(row["task"] for row in drawn))
    outcomes = [of for of in _OUTCOMES if any(row["intervention"] in of.of for row in drawn)]
    edits = [edit for edit in dict.fromkeys(row["edit"] for row in drawn) if edit is not None]
    lanes = {
        task: list(dict.fromkeys(_lane(row) for row in drawn if row["task"] == task))
        for task in tasks
    }
    heights = [len(of_task) for of_task in lanes.values()]
    lane = _APART * (max(len(edits), 2) + 0.5) / 72
    with matplotlib.rc_context(STYLE):
        size = WIDTH, 0.9 + 0.3 * len(tasks) + lane * sum(heights)
        figure = Figure(figsize=size, layout="constrained")
        what = f"What the final answer follows: {title}"
        if not drawn:
            describe(figure, what, ["The model solves no pair"])
            return figure
        grid = figure.subplots(
            *(len(tasks), len(outcomes)),
            squeeze=False,
            sharex=True,
            sharey="row",
            height_ratios=heights,
        )
        for panels, task in zip(grid, tasks, strict=True):
            for panel, outcome in zip(panels, outcomes, strict=True):
                of_task = [row for row in drawn if row["task"] == task]
                _draw_shares(panel, of_task, outcome, lanes[task], edits)
            panels[0].set_title(task, loc="left")
        for panel, outcome in zip(grid[0], outcomes, strict=True):
            panel.set_title(outcome.title, loc="right", fontsize=6.5)
        for panel in grid[-1]:
            panel.set_xlabel("share of pairs")
        controls = any(outcome.title.startswith("control") for outcome in outcomes)
        notes = [*_NOTES, *([_CONTROLS] if controls else [])]
        legend = [_mark(number, label=edit) for number, edit in enumerate(edits)]
        describe(figure, what, notes, legend)
    return figure


def _mark(number: int, **options: Any) -> Line2D:
    """The mark of an edit, for a legend."""
    colour, marker = EDIT_STYLES[number % len(EDIT_STYLES)]
    return Line2D([], [], color=colour, marker=marker, linestyle="", markersize=3, **options)


def _lane(row: Mapping[str, Any]) -> str:
    """What is patched, or whose result is wrong."""
    if row["intervention"] == "inconsistent_chain":
        return f"wrong {variable_symbol(row['variable'])}"
    return row["spec"]


def _draw_shares(
    panel: Axes, rows: Rows, outcome: _Outcome, lanes: Sequence[str], edits: Sequence[str]
) -> None:
    """Draw a share of each row with its interval, at the height of its lane and edit."""
    for row in rows:
        if row["intervention"] not in outcome.of:
            continue
        height, colour, marker = float(lanes.index(_lane(row))), "black", "o"
        if row["edit"] is not None:
            number = edits.index(row["edit"])
            height += (number - (len(edits) - 1) / 2) / (max(len(edits), 2) + 0.5)
            colour, marker = EDIT_STYLES[number % len(EDIT_STYLES)]
        value = row[outcome.share]
        low, high = row[f"{outcome.share}_ci_low"], row[f"{outcome.share}_ci_high"]
        panel.errorbar(
            value,
            height,
            xerr=np.maximum([[value - low], [high - value]], 0),
            color=colour,
            marker=marker,
            markersize=_MARK,
            markerfacecolor=colour if outcome.filled else "white",
            markeredgewidth=0.6,
            linewidth=0.7,
        )
    panel.set_xlim(-0.06, 1.06)
    panel.set_xticks([0, 0.5, 1])
    panel.set_yticks(range(len(lanes)), lanes)
    panel.set_ylim(len(lanes) - 0.5, -0.5)
    panel.grid(axis="x", color="0.9", linewidth=0.5)
    for between in range(1, len(lanes)):
        panel.axhline(between - 0.5, color="0.9", linewidth=0.5, zorder=0)
    panel.tick_params(axis="y", length=0)

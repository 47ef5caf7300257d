"""Figure of the effect of interventions on final answers, from the table of interventions.

Left, activation patching: a line per part of the problem or chain whose hidden states are patched;
crosses where they are an unrelated problem's, or where the edit is a distractor's. Right,
inconsistent chains: a line per variable whose result in the chain is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.figures.style import EDIT_STYLES, STYLE, WIDTH
from think_to_talk.formulas.symbols import variable_symbol

Rows = Sequence[Mapping[str, Any]]


def draw_effects(table: Rows, title: str) -> Figure:
    """What happens to final answers: a row of panels per task.

    table: rows of the table of interventions (`interventions/table.py`) of one model and seed. Only
        those over pairs that the model solves without an intervention are drawn.
    title: the model and the seed, for the figure's title.
    """
    solved = [row for row in table if row["pairs"] == "solved"]
    tasks = list(dict.fromkeys(row["task"] for row in solved))
    patching = [row for row in solved if row["intervention"] == "patching"]
    controls = [row for row in solved if row["intervention"] in ("random_donor", "distractor")]
    chains = [row for row in solved if row["intervention"] == "inconsistent_chain"]
    specs, edits = (
        list(dict.fromkeys(row[key] for row in [*patching, *controls])) for key in ("spec", "edit")
    )
    longest = max(len(specs), len(_variables(chains)))
    with matplotlib.rc_context(STYLE):
        figure = Figure(
            figsize=(WIDTH, 1.0 + (0.3 + 0.17 * longest) * len(tasks)), layout="constrained"
        )
        grid = figure.subplots(len(tasks), 2, squeeze=False, sharex=True, width_ratios=(3, 2))
        for (left, right), task in zip(grid, tasks, strict=True):
            _draw_patching(left, [r for r in patching if r["task"] == task], specs, edits)
            _draw_controls(left, [r for r in controls if r["task"] == task], specs, edits)
            _draw_chains(right, [r for r in chains if r["task"] == task])
            left.set_title(f"{task}: after patching the", loc="left")
        grid[0, 1].set_title("after a wrong result in the chain for", loc="left")
        label = "share of pairs with the other run's answer (hollow: their own)"
        if controls:
            label += (
                "\ncrosses: with another answer than their own, after the same patch from an"
                "\nunrelated problem, or from one that differs in a distractor"
            )
        grid[-1, 0].set_xlabel(label)
        grid[-1, 1].set_xlabel("the chain's answer (hollow: the problem's)")
        handles = [
            matplotlib.lines.Line2D([], [], color=colour, marker=marker, linestyle="", markersize=4)
            for (colour, marker), _ in zip(EDIT_STYLES, edits, strict=False)
        ]
        figure.legend(handles, edits, loc="outside lower center", ncols=len(edits), frameon=False)
        figure.suptitle(f"What the final answer follows: {title}", fontsize=9)
    return figure


def _variables(rows: Rows) -> list[int]:
    return sorted({row["variable"] for row in rows})


def _draw_patching(panel: Axes, rows: Rows, specs: Sequence[str], edits: Sequence[str]) -> None:
    for row in rows:
        height, colour, marker = _place(row, specs, edits)
        _draw_shares(panel, row, height, colour, marker)
    panel.set_yticks(range(len(specs)), specs)
    _finish(panel, len(specs))


def _draw_controls(panel: Axes, rows: Rows, specs: Sequence[str], edits: Sequence[str]) -> None:
    """The share of answers that a control's patch changes, to whatever."""
    for row in rows:
        if row["n"]:
            height, colour, _ = _place(row, specs, edits)
            panel.plot(1 - row["kept"], height, color=colour, marker="x", markersize=3.5)


def _place(
    row: Mapping[str, Any], specs: Sequence[str], edits: Sequence[str]
) -> tuple[float, str, str]:
    """The height of a row of patching among the specs, and its edit's colour and marker."""
    number = edits.index(row["edit"])
    shift = 0.22 * (number - (len(edits) - 1) / 2)
    return specs.index(row["spec"]) + shift, *EDIT_STYLES[number % len(EDIT_STYLES)]


def _draw_chains(panel: Axes, rows: Rows) -> None:
    variables = _variables(rows)
    for row in rows:
        _draw_shares(panel, row, variables.index(row["variable"]), "black", "o")
    panel.set_yticks(range(len(variables)), list(map(variable_symbol, variables)))
    _finish(panel, len(variables))


def _draw_shares(panel: Axes, row: Mapping[str, Any], y: float, colour: str, marker: str) -> None:
    if not row["n"]:
        return
    for outcome, filled in (("kept", False), ("changed", True)):
        value = row[outcome]
        reach = [[value - row[f"{outcome}_ci_low"]], [row[f"{outcome}_ci_high"] - value]]
        panel.errorbar(
            value,
            y,
            xerr=np.maximum(reach, 0),
            color=colour,
            marker=marker,
            markersize=3.2,
            markerfacecolor=colour if filled else "white",
            linewidth=0.8,
        )


def _finish(panel: Axes, n: int) -> None:
    panel.set_xlim(-0.03, 1.03)
    panel.set_ylim(max(n, 1) - 0.5, -0.5)
    panel.grid(axis="x", color="0.9", linewidth=0.5)
    panel.tick_params(axis="y", length=0)

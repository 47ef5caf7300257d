"""Figures of interventions: where hidden states are used, beside where they are readable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from think_to_talk.figures import STYLE, STYLES, WIDTH
from think_to_talk.symbols import equation_names, variable_symbol

Rows = Sequence[Mapping[str, Any]]

#: Panels of fewer pairs than this are left empty: a rate of so few says nothing.
_FEWEST_PAIRS = 10
_HEAT: dict[str, Any] = {"vmin": 0, "vmax": 1, "cmap": "cividis"}


def draw_patching(patching: Rows, probes: Rows) -> Figure:
    """Success rate over equations and layer windows, beside probe accuracy on the same axes.

    A row of panels per answer of the chain that the patched run is asked for, a column per edit.
    patching, probes: all rows of one task. Only pairs that both runs solve are counted.
    """
    sliding = [row for row in patching if row["kind"] == "sliding" and row["rows"] == "solved"]
    asked = sorted({row["answer_equation"] for row in sliding})
    edits = list(dict.fromkeys(row["edit"] for row in sliding))
    axes = _EquationAxes.of(probes, sliding)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.3 + 0.78 * len(asked)), layout="constrained")
        grid = figure.subplots(len(asked), 1 + len(edits), squeeze=False, sharex=True, sharey=True)
        for panels, answer in zip(grid, asked, strict=True):
            own = [row for row in sliding if row["answer_equation"] == answer]
            variable = next((row["variable"] for row in own if row["variable"] is not None), None)
            image = axes.draw_accuracy(panels[0], probes, variable)
            for panel, edit in zip(panels[1:], edits, strict=True):
                image = (
                    axes.draw_success(panel, [row for row in own if row["edit"] == edit]) or image
                )
            for panel in panels:
                axes.finish(panel, answer)
            asks = "" if variable is None else f": {variable_symbol(variable)}"
            panels[0].set_ylabel(f"{axes.names[answer]}{asks}\n\nlayer", fontsize=6)
        grid[0, 0].set_title("readable: probe accuracy", loc="left")
        for panel, edit in zip(grid[0, 1:], edits, strict=True):
            panel.set_title(f"used: {edit}", loc="left")
        bar = figure.colorbar(image, ax=list(grid.flat), fraction=0.02, pad=0.01, aspect=40)
        bar.set_label("probe accuracy, or success rate of patching")
        first = patching[0]
        figure.suptitle(
            f"{first['task']}: {first['model']}, seed {first['seed']}. In each row the last number "
            "of the outlined equation is asked for",
            fontsize=8,
        )
    return figure


class _EquationAxes:
    """Equations along x, layers along y, the same for probes and for patching.

    names: {equation: its symbols}. n_layers: the model's blocks.
    """

    def __init__(self, names: dict[int, str], n_layers: int) -> None:
        self.names = names
        self.n_layers = n_layers
        self.equations = sorted(names)

    @classmethod
    def of(cls, probes: Rows, sliding: Rows) -> _EquationAxes:
        return cls(equation_names(probes), max(row["layers"][-1] for row in sliding))

    def draw_accuracy(self, panel: Axes, probes: Rows, variable: int | None) -> AxesImage:
        """The best accuracy of the variable's probes within each equation, per layer."""
        layers = sorted({row["layer"] for row in probes})
        values = np.full((len(layers), len(self.equations)), np.nan)
        for row in probes:
            if row["variable"] == variable and row["score"] is not None:
                place = layers.index(row["layer"]), self.equations.index(row["equation"])
                values[place] = np.nanmax([values[place], row["score"]])
        if variable is None:
            _say(panel, "no variable's value")
        return self._draw(panel, layers, values)

    def draw_success(self, panel: Axes, rows: Rows) -> AxesImage | None:
        """The success rate of each window, at its middle layer; None where it says nothing."""
        if not rows or max(row["n"] for row in rows) < _FEWEST_PAIRS:
            _say(panel, "too few pairs" if rows else "the same in both")
            return None
        middles = sorted({_middle(row) for row in rows})
        values = np.full((len(middles), len(self.equations)), np.nan)
        for row in rows:
            place = middles.index(_middle(row)), self.equations.index(row["equation"])
            values[place] = row["success"]
        return self._draw(panel, middles, values)

    def _draw(self, panel: Axes, layers: Sequence[float], values: np.ndarray) -> Any:
        heights = np.array(layers, dtype=float)
        between = (heights[:-1] + heights[1:]) / 2
        half = np.diff(heights).min() / 2 if len(heights) > 1 else 0.5
        edges = [heights[0] - half, *between, heights[-1] + half]
        across = np.arange(len(self.equations) + 1) - 0.5
        return panel.pcolormesh(across, edges, np.ma.masked_invalid(values), **_HEAT)

    def finish(self, panel: Axes, answer: int) -> None:
        """Ticks, where the chain begins, and the equation of the answer."""
        begin = self.equations.index(0) - 0.5
        panel.set_facecolor("0.85")
        panel.axvline(begin, color="white", linewidth=1.2)
        panel.axvline(begin, color="black", linewidth=1.2, linestyle=(0, (3, 3)))
        at = self.equations.index(answer)
        panel.axvspan(at - 0.5, at + 0.5, facecolor="none", edgecolor="#D55E00", linewidth=1.0)
        panel.set_xlim(-0.5, len(self.equations) - 0.5)
        panel.set_ylim(-0.5, self.n_layers + 0.5)
        step = -(-(self.n_layers + 1) // 6)
        panel.set_yticks(range(0, self.n_layers + 1, step))
        labels = [self.names[equation] for equation in self.equations]
        panel.set_xticks(range(len(labels)), labels, rotation=90, fontsize=5)
        panel.tick_params(length=1.5, pad=1)


def _say(panel: Axes, text: str) -> None:
    """Why a panel is empty."""
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", fontsize=6)


def _middle(row: Mapping[str, Any]) -> float:
    return (row["layers"][0] + row["layers"][-1]) / 2


def draw_effects(table: Rows, title: str) -> Figure:
    """What happens to final answers: a row of panels per task.

    table: rows of the table of interventions (see `effects`) of one model and seed. Left, patching;
    right, chains with a wrong result. Only pairs that both runs solve are counted.
    """
    solved = [row for row in table if row["rows"] == "solved"]
    tasks = list(dict.fromkeys(row["task"] for row in solved))
    kinds = [
        [row for row in solved if row["intervention"].startswith("patch ")],
        [row for row in solved if not row["intervention"].startswith("patch ")],
    ]
    names = [list(dict.fromkeys(row["intervention"] for row in kinds[0])), _variables(kinds[1])]
    longest = max(map(len, names))
    edits = list(dict.fromkeys(row["edit"] for row in kinds[0]))
    with matplotlib.rc_context(STYLE):
        figure = Figure(
            figsize=(WIDTH, 1.0 + (0.3 + 0.17 * longest) * len(tasks)), layout="constrained"
        )
        grid = figure.subplots(len(tasks), 2, squeeze=False, sharex=True, width_ratios=(3, 2))
        for (patched, chains), task in zip(grid, tasks, strict=True):
            _draw_patched(patched, [r for r in kinds[0] if r["task"] == task], names[0], edits)
            _draw_chains(chains, [r for r in kinds[1] if r["task"] == task])
            patched.set_title(f"{task}: after patching the", loc="left")
        grid[0, 1].set_title("after a wrong result in the chain for", loc="left")
        grid[-1, 0].set_xlabel("share of pairs with the other run's answer (hollow: their own)")
        grid[-1, 1].set_xlabel("the chain's answer (hollow: the problem's)")
        handles = [
            matplotlib.lines.Line2D([], [], color=colour, marker=marker, linestyle="", markersize=4)
            for (colour, marker), _ in zip(STYLES, edits, strict=False)
        ]
        figure.legend(handles, edits, loc="outside lower center", ncols=len(edits), frameon=False)
        figure.suptitle(f"What the final answer follows: {title}", fontsize=9)
    return figure


def _variables(rows: Rows) -> list[str]:
    return sorted({row["edit"] for row in rows})


def _draw_patched(panel: Axes, rows: Rows, names: Sequence[str], edits: Sequence[str]) -> None:
    for number, edit in enumerate(edits):
        colour, marker = STYLES[number % len(STYLES)]
        shift = 0.22 * (number - (len(edits) - 1) / 2)
        for row in rows:
            if row["edit"] == edit:
                _draw_shares(panel, row, names.index(row["intervention"]) + shift, colour, marker)
    panel.set_yticks(range(len(names)), [name.removeprefix("patch ") for name in names])
    _finish(panel, len(names))


def _draw_chains(panel: Axes, rows: Rows) -> None:
    names = _variables(rows)
    for row in rows:
        _draw_shares(panel, row, names.index(row["edit"]), "black", "o")
    panel.set_yticks(range(len(names)), [variable_symbol(int(name[1:])) for name in names])
    _finish(panel, len(names))


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

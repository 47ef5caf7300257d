"""Figure of patching and probes on the same axes: where values are used, where decodable.

The success rate of the sliding grid of patching (`interventions/patching.py`) per equation and
window of layers, next to the best accuracy of the probes (`probes/fitting.py`) per equation and
layer. A value that can be decoded but whose patching changes nothing is not used there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from think_to_talk.figures.style import STYLE, WIDTH
from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.timing.symbol_axis import equation_names

Rows = Sequence[Mapping[str, Any]]

#: Panels of fewer pairs are left empty: their rates would be too uncertain.
_MIN_PAIRS = 10

_HEAT: dict[str, Any] = {"vmin": 0, "vmax": 1, "cmap": "cividis"}


def draw_patching(patching: Rows, probes: Rows) -> Figure:
    """Success rate over equations and windows of layers, and probe accuracy on the same axes.

    Of a distractor's edit, after which no answer can be the source's: the rate of changed answers.

    A row of panels per number of the chain that is read from the patched run, a column per edit.
    Rates are over pairs that the model solves without patching.

    patching: all rows of patching of one task.
    probes: all probe rows of the same task.
    """
    sliding = [
        row
        for row in patching
        if row["kind"] == "sliding" and row["donor"] == "paired" and row["rows"] == "solved"
    ]
    asked = sorted({row["answer_equation"] for row in sliding})
    edits = list(dict.fromkeys(row["edit"] for row in sliding))
    axes = _EquationAxes.of(probes, sliding)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.3 + 0.78 * len(asked)), layout="constrained")
        grid = figure.subplots(len(asked), 1 + len(edits), squeeze=False, sharex=True, sharey=True)
        for panels, answer in zip(grid, asked, strict=True):
            asking = [row for row in sliding if row["answer_equation"] == answer]
            variable = next(
                (row["variable"] for row in asking if row["variable"] is not None), None
            )
            image = axes.draw_accuracy(panels[0], probes, variable)
            for panel, edit in zip(panels[1:], edits, strict=True):
                image = (
                    axes.draw_success(panel, [row for row in asking if row["edit"] == edit])
                    or image
                )
            for panel in panels:
                axes.finish(panel, answer)
            asks = "" if variable is None else f": {variable_symbol(variable)}"
            panels[0].set_ylabel(f"{axes.names[answer]}{asks}\n\nlayer", fontsize=6)
        size = 8 if len(edits) < 4 else 6
        grid[0, 0].set_title("readable: probe accuracy", loc="left", fontsize=size)
        for panel, edit in zip(grid[0, 1:], edits, strict=True):
            of_edit = [row for row in sliding if row["edit"] == edit]
            panel.set_title(f"{_measured(of_edit)}: {edit}", loc="left", fontsize=size)
        bar = figure.colorbar(image, ax=list(grid.flat), fraction=0.02, pad=0.01, aspect=40)
        bar.set_label(
            "probe accuracy, or rate of patches that succeed (distractor: change anything)"
        )
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
            _annotate_empty(panel, "no variable's value")
        return self._draw(panel, layers, values)

    def draw_success(self, panel: Axes, rows: Rows) -> AxesImage | None:
        """The success rate of each window, at its middle layer; None if the panel stays empty."""
        if not rows or max(row["n"] for row in rows) < _MIN_PAIRS:
            _annotate_empty(panel, "too few pairs" if rows else "the same in both")
            return None
        middles = sorted({_middle(row) for row in rows})
        values = np.full((len(middles), len(self.equations)), np.nan)
        for row in rows:
            place = middles.index(_middle(row)), self.equations.index(row["equation"])
            values[place] = row["other"] if row["success"] is None else row["success"]
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


def _measured(rows: Rows) -> str:
    """What the panels of an edit show."""
    return "changed" if all(row["success"] is None for row in rows) else "used"


def _annotate_empty(panel: Axes, text: str) -> None:
    """Write into a panel why it is empty."""
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", fontsize=6)


def _middle(row: Mapping[str, Any]) -> float:
    return (row["layers"][0] + row["layers"][-1]) / 2

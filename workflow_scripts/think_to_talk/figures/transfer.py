"""The figure of transfer: accuracies of probes at every symbol of another task, as a matrix.

Rows are the symbols at which probes were trained, columns those at which they are tested; each cell
is the layer with the highest accuracy (`transfer.rows`). A block along one direction is a value
that is encoded alike there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from think_to_talk.figures.style import SMALLEST, STYLE, WIDTH, ProbeRows, describe
from think_to_talk.figures.symbol_axis import LETTERS, equation_starts
from think_to_talk.formulas.symbols import variable_symbol

#: Height of a panel, in inches, and the least distance of two labels beside it, in points.
_HEIGHT, _APART = 2.0, 1.3 * SMALLEST

_NOTES = (
    "Each cell: the layer with the highest accuracy, on the tested task's test rows",
    "Dashed: where the chain of thought begins",
    "Letters: the first symbol of each equation (A, B ... variables in definition order)",
)


def draw_transfer(rows: ProbeRows, title: str) -> Figure:
    """Accuracy by symbol trained at (down) and symbol tested at (across), a panel per variable.

    rows: of one transfer, model and seed; none if no probe was fitted.
    title: names them.
    """
    name = f"Which directions transfer: {title}"
    if not rows:
        with matplotlib.rc_context(STYLE):
            figure = Figure(figsize=(WIDTH, 0.9), layout="constrained")
            describe(figure, name, ["No probes (too few rows, or a single value, to train on)"])
        return figure
    variables = sorted({row["variable"] for row in rows})
    first = rows[0]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.9 + _HEIGHT * len(variables)), layout="constrained")
        panels = figure.subplots(len(variables), 1, squeeze=False)[:, 0]
        for panel, variable in zip(panels, variables, strict=True):
            image = _draw_variable(panel, [row for row in rows if row["variable"] == variable])
            panel.set_ylabel(f"trained at ({first['train_task']})")
        panels[-1].set_xlabel(f"tested at ({first['task']})")
        bar = figure.colorbar(image, ax=list(panels), fraction=0.02, pad=0.01, aspect=30)
        bar.set_label("accuracy")
        notes = list(_NOTES)
        if first["train_model"] != first["model"]:
            notes.append(f"Probes of {first['train_model']}")
        describe(figure, name, notes)
    return figure


def _draw_variable(panel: Axes, rows: ProbeRows) -> AxesImage:
    """The matrix of one variable; grey where no probe was fitted."""
    first = rows[0]
    down = {row["symbol_index"]: row for row in sorted(rows, key=lambda r: r["symbol_index"])}
    place = {index: i for i, index in enumerate(down)}
    best = np.full((len(down), len(first["test_symbol"])), np.nan)
    for row in rows:
        at = place[row["symbol_index"]]
        best[at] = np.fmax(best[at], np.array(row["hits"]) / row["n_test"])
    image = panel.imshow(
        best, vmin=0, vmax=1, cmap="cividis", aspect="auto", interpolation="nearest"
    )
    panel.set_facecolor("0.85")
    trained = [row["relative_position"] for row in down.values()]
    tested = first["test_relative_position"]
    for line, positions in ((panel.axhline, trained), (panel.axvline, tested)):
        begins = sum(t < 0 for t in positions) - 0.5
        line(begins, color="white", linewidth=1.0)
        line(begins, color="black", linewidth=1.0, linestyle=(0, (3, 3)))
    _label(panel.yaxis, [row["symbol"] for row in down.values()])
    _label(panel.xaxis, first["test_symbol"])
    names = [variable_symbol(first[key]) for key in ("variable", "test_variable")]
    panel.set_title(names[0] if names[0] == names[1] else f"{names[0]}, read as {names[1]}")
    return image


def _label(axis: Axis, symbols: Sequence[str]) -> None:
    """Name the first symbol of each equation, as far as there is room."""
    least = _APART * len(symbols) / (72 * _HEIGHT)
    labels: dict[int, str] = {}
    for i, symbol in equation_starts(dict(enumerate(symbols))).items():
        if not labels or i - max(labels) >= least:
            labels[i] = symbol
    names: dict[str, Any] = {"family": LETTERS}
    axis.set_ticks(list(labels), list(labels.values()), **names)
    axis.set_tick_params(length=0, pad=2)

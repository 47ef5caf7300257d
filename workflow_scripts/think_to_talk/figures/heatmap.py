"""The heat map of a task: probe accuracy over layers and positions.

It draws the rows of `probes.fitting` and marks t* of the timing table, so one sees in which layers
and from which position on a variable can be read. A line above the layers is the ceiling, what the
text up to there says (`formulas.ceilings`), on the same colour scale. A variable that has held-out
accuracy has a second panel for it, below its first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from think_to_talk.figures.style import STYLE, WIDTH, ProbeRows, describe
from think_to_talk.figures.symbol_axis import AXIS, label_symbols
from think_to_talk.formulas.symbols import TEMPLATE, variable_symbol
from think_to_talk.timing.best_probes import best_layers
from think_to_talk.timing.roles import role_label, variable_roles
from think_to_talk.timing.symbol_axis import shown_symbol
from think_to_talk.timing.text import position_ceilings

#: Keys of accuracies in probe rows.
_PLAIN, _HELDOUT = "score", "heldout_score"


def draw_heatmap(probe_rows: ProbeRows, timing: ProbeRows, ceiling_rows: ProbeRows = ()) -> Figure:
    """Accuracy over layers (rows) and positions (columns), one panel per variable of a task.

    A variable with held-out accuracy has a panel of it below.

    probe_rows: all probes of the task.
    timing: its timing rows, for t* and the titles.
    ceiling_rows: of the task; none of an existing dataset.
    """
    axes = _TaskAxes(probe_rows, ceiling_rows)
    roles = variable_roles(probe_rows)
    drawn = [(summary, key) for summary in timing for key in axes.accuracies(summary["variable"])]
    n_lines = [axes.n_lines(key) for _, key in drawn]
    height = 0.9 + 0.1 * sum(n_lines) + 0.26 * len(drawn) + 0.14 * len(timing)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(len(drawn), 1, squeeze=False, height_ratios=n_lines)[:, 0]
        for panel, (summary, key) in zip(panels, drawn, strict=True):
            image = axes.draw(panel, summary["variable"], key)
            star = axes.star(summary, key)
            axes.mark(panel, star)
            name = role_label(summary["variable"], roles[summary["variable"]])
            if key == _HELDOUT:
                name = f"{variable_symbol(summary['variable'])}, held-out"
            panel.set_title(f"{name}: {_panel_title(summary, key, star)}", loc="left")
        notes = ["Right of the dashed line: chain of thought", "Star: t*, in positions"]
        if len(drawn) > len(timing):
            notes.append(
                "Held-out: accuracy of probes that never saw the row's expression, such as 4 + 5"
            )
        if ceiling_rows:
            notes.append('"text": ceiling, the best accuracy that the text up to there allows')
        if any(row["symbol"] == TEMPLATE for row in axes.positions):
            notes.append(f"{TEMPLATE}: chat template, between the problem and the chain")
        panels[-1].set_xlabel(AXIS)
        bar = figure.colorbar(image, ax=list(panels), fraction=0.02, pad=0.01, aspect=30)
        bar.set_label("probe accuracy")
        first = timing[0]
        whose = f"{first['task']}, {first['model']}, seed {first['seed']}"
        describe(figure, f"Where values are readable: {whose}", notes)
    return figure


class _TaskAxes:
    """Positions along x, layers along y, the same in all panels of a task."""

    def __init__(self, probe_rows: ProbeRows, ceiling_rows: ProbeRows) -> None:
        self.probe_rows = probe_rows
        self.ceiling_rows = ceiling_rows
        self.layers = sorted({row["layer"] for row in probe_rows})
        at = {row["position"]: row for row in probe_rows}
        self.positions = [at[position] for position in sorted(at)]
        self.cot_start = sum(row["relative_position"] < 0 for row in self.positions)

    def accuracies(self, variable: int) -> tuple[str, ...]:
        """The keys of the accuracies that a variable has a panel of, in order."""
        has_heldout = best_layers(self.probe_rows, variable, _HELDOUT)
        return (_PLAIN, _HELDOUT) if has_heldout else (_PLAIN,)

    def n_lines(self, key: str) -> int:
        """The height of a panel in lines; with many layers, a line has several."""
        return min(len(self.layers), 12) + (key == _PLAIN and bool(self.ceiling_rows))

    def draw(self, panel: Axes, variable: int, key: str) -> AxesImage:
        """Draw an accuracy of a variable; above the layers of the plain one, the ceiling."""
        scores = np.full((len(self.layers), len(self.positions)), np.nan)
        for row in self.probe_rows:
            if row["variable"] == variable and row[key] is not None:
                scores[self.layers.index(row["layer"]), row["position"]] = row[key]
        ceilings = position_ceilings(self.probe_rows, self.ceiling_rows, variable)
        if key == _HELDOUT:
            ceilings = {}
        if ceilings:
            scores = np.vstack([scores, list(ceilings.values())])
        image = panel.imshow(
            scores,
            vmin=0,
            vmax=1,
            cmap="cividis",
            aspect="auto",
            origin="lower",
            interpolation="nearest",
        )
        panel.set_facecolor("0.85")
        start = self.cot_start - 0.5
        panel.axvline(start, color="white", linewidth=1.0)
        panel.axvline(start, color="black", linewidth=1.0, linestyle=(0, (3, 3)))
        labelled = self.layers[:: -(-len(self.layers) // 12)]
        ticks, names = [self.layers.index(layer) for layer in labelled], list(map(str, labelled))
        if ceilings:
            panel.axhline(len(self.layers) - 0.5, color="white", linewidth=1.0)
            ticks, names = [*ticks, len(self.layers)], [*names, "text"]
        panel.set_yticks(ticks, names)
        panel.set_ylabel("layer")
        labels = {place: shown_symbol(row) for place, row in enumerate(self.positions)}
        # The panels of a variable share the symbols below the last.
        label_symbols(panel, labels if key == self.accuracies(variable)[-1] else {})
        return image

    def star(self, summary: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
        """The probe row at t* of an accuracy, in the layer that is best there; None without t*."""
        t = summary["t_star" if key == _PLAIN else "t_star_heldout"]
        return None if t is None else best_layers(self.probe_rows, summary["variable"], key)[t]

    def mark(self, panel: Axes, star: Mapping[str, Any] | None) -> None:
        """Draw a star at t*."""
        if star is not None:
            x, y = star["position"], self.layers.index(star["layer"])
            panel.plot(x, y, marker="*", markersize=7, color="#D55E00", markeredgecolor="white")


def _panel_title(summary: Mapping[str, Any], key: str, star: Mapping[str, Any] | None) -> str:
    """What a panel's title says of an accuracy.

    star: the probe row at t*.
    """
    if summary["acc_before"] is None and summary["acc_after"] is None:
        return "no probes (too few rows, or a single value, to train on)"
    before = summary["acc_before" if key == _PLAIN else "heldout_before"]
    best = "no probes before the chain"
    if before is not None:
        best = f"best before the chain {before:.2f}"
    if star is None:
        return f"never readable; {best}"
    where = f"layer {star['layer']}, accuracy {star[key]:.2f}"
    return f"t* = {star['relative_position']} ({where}); {best}"

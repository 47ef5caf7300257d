"""The heat map of a task: probe accuracy over layers and positions.

It draws the rows of `probes.fitting` and marks t* of the timing table, so one sees in which layers
and from which position on a variable can be read. A line above the layers is the ceiling, what the
text up to there says (`formulas.ceilings`), on the same colour scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.figures.style import STYLE, WIDTH, ProbeRows
from think_to_talk.figures.symbol_axis import AXIS
from think_to_talk.formulas.symbols import NO_SYMBOL, variable_symbol
from think_to_talk.timing.text import position_ceilings


def draw_heatmap(probe_rows: ProbeRows, timing: ProbeRows, ceiling_rows: ProbeRows = ()) -> Figure:
    """Accuracy over layers (rows) and positions (columns), one panel per variable of a task.

    probe_rows: all probes of the task.
    timing: its timing rows, for t* and the titles.
    ceiling_rows: of the task; none of an existing dataset.
    """
    layers = sorted({row["layer"] for row in probe_rows})
    positions = {row["position"]: row for row in probe_rows}
    n_positions = len(positions)
    cot_start = sum(row["relative_position"] < 0 for row in positions.values())
    lines = min(len(layers), 12) + (1 if ceiling_rows else 0)
    height = 0.55 + len(timing) * (0.45 + 0.13 * lines + 0.25)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(len(timing), 1, squeeze=False)[:, 0]
        for panel, summary in zip(panels, timing, strict=True):
            scores = np.full((len(layers), n_positions), np.nan)
            for row in probe_rows:
                if row["variable"] == summary["variable"] and row["score"] is not None:
                    scores[layers.index(row["layer"]), row["position"]] = row["score"]
            ceilings = position_ceilings(probe_rows, ceiling_rows, summary["variable"])
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
            panel.axvline(cot_start - 0.5, color="white", linewidth=1.5)
            panel.axvline(cot_start - 0.5, color="black", linewidth=1.5, linestyle=(0, (3, 3)))
            _mark_t_star(panel, summary, cot_start, layers)
            labelled = layers[:: -(-len(layers) // 12)]
            ticks, names = [layers.index(layer) for layer in labelled], list(map(str, labelled))
            if ceilings:
                panel.axhline(len(layers) - 0.5, color="white", linewidth=1.5)
                ticks, names = [*ticks, len(layers)], [*names, "text"]
            panel.set_yticks(ticks, names)
            panel.set_ylabel("layer")
            panel.set_title(_panel_title(summary), loc="left")
            labels = [
                positions[p]["symbol"] if positions[p]["symbol_index"] is not None else NO_SYMBOL
                for p in range(n_positions)
            ]
            panel.set_xticks(range(n_positions), labels)
            panel.tick_params(axis="x", length=0, pad=2)
        text = '\n"text": ceiling, the best accuracy that the text up to there allows'
        panels[-1].set_xlabel(
            f"{AXIS}; from the dashed line on: chain of thought{text if ceiling_rows else ''}"
        )
        bar = figure.colorbar(image, ax=list(panels), fraction=0.02, pad=0.01, aspect=30)
        bar.set_label("probe accuracy")
        first = timing[0]
        figure.suptitle(f"{first['task']}: {first['model']}, seed {first['seed']}", fontsize=9)
    return figure


def _mark_t_star(
    panel: Axes, summary: Mapping[str, Any], cot_start: int, layers: list[int]
) -> None:
    if summary["t_star"] is not None:
        x, y = summary["t_star"] + cot_start, layers.index(summary["layer"])
        panel.plot(x, y, marker="*", markersize=9, color="#D55E00", markeredgecolor="white")


def _panel_title(summary: Mapping[str, Any]) -> str:
    name = variable_symbol(summary["variable"])
    if summary["acc_before"] is None and summary["acc_after"] is None:
        return f"{name}: no probes (too few rows, or a single value, to train on)"
    if summary["t_star"] is None:
        return f"{name}: never readable"
    before = summary["acc_before"]
    shown = "no probes" if before is None else f"{before:.2f}"
    return (
        f"{name}: readable from t* = {summary['t_star']} (★ layer {summary['layer']}, accuracy "
        f"{summary['score']:.2f}); best before the chain of thought {shown}"
    )

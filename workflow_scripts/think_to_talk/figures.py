"""Figures for print: probe accuracy over layers and positions, and along the symbol axis.

Colours are safe for colour-blind readers; a figure's bytes depend on its input alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.files import replacing
from think_to_talk.symbols import NO_SYMBOL, on_symbol_axis, variable_symbol
from think_to_talk.timing import best_layers

matplotlib.use("Agg")

#: Width of a text block, in inches.
WIDTH = 7.0
#: Okabe and Ito's palette, each colour with a marker of its own, per variable.
STYLES = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
)
#: matplotlib settings of all figures.
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 6,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.hashsalt": "think-to-talk",
}
#: What the symbol axis shows.
AXIS = "A, B ... variables in definition order, # a number, ± an operator"

ProbeRows = Sequence[Mapping[str, Any]]


def draw_heatmap(probe_rows: ProbeRows, timing: ProbeRows) -> Figure:
    """Accuracy over layers (rows) and positions (columns), one panel per variable of a task.

    probe_rows: all probes of the task. timing: its timing rows, for t* and the title.
    """
    layers = sorted({row["layer"] for row in probe_rows})
    positions = {row["position"]: row for row in probe_rows}
    n_positions = len(positions)
    cot_start = sum(row["relative_position"] < 0 for row in positions.values())
    height = 0.55 + len(timing) * (0.45 + 0.13 * min(len(layers), 12) + 0.25)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(len(timing), 1, squeeze=False)[:, 0]
        for panel, summary in zip(panels, timing, strict=True):
            scores = np.full((len(layers), n_positions), np.nan)
            for row in probe_rows:
                if row["variable"] == summary["variable"] and row["score"] is not None:
                    scores[layers.index(row["layer"]), row["position"]] = row["score"]
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
            shown = layers[:: -(-len(layers) // 12)]
            panel.set_yticks([layers.index(layer) for layer in shown], list(map(str, shown)))
            panel.set_ylabel("layer")
            panel.set_title(_panel_title(summary), loc="left")
            labels = [
                positions[p]["symbol"] if positions[p]["symbol_index"] is not None else NO_SYMBOL
                for p in range(n_positions)
            ]
            panel.set_xticks(range(n_positions), labels)
            panel.tick_params(axis="x", length=0, pad=2)
        panels[-1].set_xlabel(f"{AXIS}; from the dashed line on: chain of thought")
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
        return f"{name}: no probes (too few rows to train on)"
    if summary["t_star"] is None:
        return f"{name}: never readable"
    return (
        f"{name}: readable from t* = {summary['t_star']} (★ layer {summary['layer']}, accuracy "
        f"{summary['score']:.2f}); best before the chain of thought {summary['acc_before']:.2f}"
    )


def draw_overview(tasks: Mapping[str, ProbeRows], threshold: float, title: str) -> Figure:
    """The best layer's accuracy along the symbols, one panel per task, one line per variable.

    tasks: {name: probe rows}. threshold: the accuracy that t* asks for.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.5 + 1.35 * len(tasks)), layout="constrained")
        panels = figure.subplots(len(tasks), 1, squeeze=False, sharey=True)[:, 0]
        for panel, (name, rows) in zip(panels, tasks.items(), strict=True):
            _draw_curves(panel, rows, threshold)
            panel.set_title(name, loc="left")
            panel.set_ylabel("accuracy")
        panels[0].text(
            0.0, 1.04, "chain of thought →", transform=panels[0].get_xaxis_transform(), fontsize=7
        )
        panels[-1].set_xlabel(f"{AXIS}; dashed: threshold of t*, dotted: chance")
        figure.suptitle(f"When the answers become readable: {title}", fontsize=9)
    return figure


def _draw_curves(panel: Axes, rows: ProbeRows, threshold: float) -> None:
    on_axis = on_symbol_axis(rows)
    cot_start = draw_symbol_axis(panel, on_axis)
    for variable in sorted({row["variable"] for row in on_axis}):
        colour, marker = STYLES[variable % len(STYLES)]
        best = best_layers(on_axis, variable).values()
        x = np.array([row["symbol_index"] - cot_start for row in best])
        score = np.array([row["score"] for row in best])
        panel.plot(
            x,
            score,
            color=colour,
            marker=marker,
            markersize=2.2,
            linewidth=0.9,
            label=variable_symbol(variable),
        )
        panel.fill_between(
            x,
            [row["ci_low"] for row in best],
            [row["ci_high"] for row in best],
            color=colour,
            alpha=0.2,
            linewidth=0,
        )
    chance = max(row["chance"] for row in on_axis)
    panel.axhline(threshold, color="0.4", linewidth=0.6, linestyle=(0, (4, 3)))
    panel.axhline(chance, color="0.4", linewidth=0.6, linestyle=(0, (1, 2)))
    panel.set_ylim(0, 1.05)
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, handlelength=1.5)


def draw_symbol_axis(panel: Axes, on_axis: ProbeRows) -> int:
    """Label a panel's horizontal axis with the symbols, and shade the chain of thought.

    on_axis: as of `on_symbol_axis`. Returns the `symbol_index` that is the axis's 0: the first of
    the chain of thought.
    """
    symbols = {row["symbol_index"]: row["symbol"] for row in on_axis}
    cot_start = min(row["symbol_index"] for row in on_axis if row["relative_position"] >= 0)
    panel.axvline(-0.5, color="black", linewidth=0.9)
    panel.axvspan(-0.5, max(symbols) - cot_start + 0.5, color="0.96", zorder=0)
    panel.set_xlim(-cot_start - 0.5, max(symbols) - cot_start + 0.5)
    panel.set_xticks([index - cot_start for index in symbols], list(symbols.values()))
    panel.tick_params(axis="x", length=0, pad=2)
    return cot_start


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write the figure to each path, in the format of its ending, without dates or versions."""
    silent = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    for path in map(Path, paths):
        kind = path.suffix.lstrip(".")
        with matplotlib.rc_context(STYLE), replacing(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=200, metadata=silent[kind])

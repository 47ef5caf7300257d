"""The overview of a model and seed: probe accuracy along the symbols, all tasks in one figure.

At each symbol it draws the probe of the best layer (`timing.best_probes`) with its Wilson interval,
and the ceiling: what the text up to there says (`formulas.ceilings`). t* is where a curve first
exceeds the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.figures.style import STYLE, STYLES, WIDTH, ProbeRows
from think_to_talk.figures.symbol_axis import AXIS, CEILING, draw_ceiling, draw_symbol_axis
from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.timing.best_probes import best_layers
from think_to_talk.timing.symbol_axis import on_symbol_axis


def draw_overview(
    tasks: Mapping[str, ProbeRows],
    threshold: float,
    title: str,
    ceilings: Mapping[str, ProbeRows] = MappingProxyType({}),
) -> Figure:
    """The best layer's accuracy along the symbols, one panel per task, one line per variable.

    tasks: {name: probe rows}.
    threshold: the accuracy that t* must exceed.
    title: names model and seed.
    ceilings: {name: rows of ceilings} of the tasks that have them.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.5 + 1.35 * len(tasks)), layout="constrained")
        panels = figure.subplots(len(tasks), 1, squeeze=False, sharey=True)[:, 0]
        for panel, (name, rows) in zip(panels, tasks.items(), strict=True):
            _draw_curves(panel, rows, threshold, ceilings.get(name, ()))
            panel.set_title(name, loc="left")
            panel.set_ylabel("accuracy")
        panels[0].text(
            0.0, 1.04, "chain of thought →", transform=panels[0].get_xaxis_transform(), fontsize=7
        )
        dotted = f"; {CEILING}" if ceilings else ""
        panels[-1].set_xlabel(f"{AXIS}\ndashed: threshold of t*{dotted}")
        figure.suptitle(f"When the answers become readable: {title}", fontsize=9)
    return figure


def _draw_curves(panel: Axes, rows: ProbeRows, threshold: float, ceiling_rows: ProbeRows) -> None:
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
        draw_ceiling(panel, on_axis, ceiling_rows, variable, cot_start)
    panel.axhline(threshold, color="0.4", linewidth=0.6, linestyle=(0, (4, 3)))
    panel.set_ylim(0, 1.05)
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, handlelength=1.5)

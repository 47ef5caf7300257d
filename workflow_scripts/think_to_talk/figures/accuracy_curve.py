"""A curve of accuracy along the symbols, with its intervals.

The overview and the figure of the logit lens share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from think_to_talk.figures.style import ProbeRows


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
    x = np.array([row["symbol_index"] - cot_start for row in best])
    y = [row[f"{prefix}score"] for row in best]
    panel.plot(x, y, color=colour, **{"linewidth": 0.9, **line})
    panel.fill_between(
        x,
        [row[f"{prefix}ci_low"] for row in best],
        [row[f"{prefix}ci_high"] for row in best],
        color=colour,
        alpha=alpha,
        linewidth=0,
    )

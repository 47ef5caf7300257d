"""What all figures share: width, colours, matplotlib settings, and how a figure is saved.

Colours are safe for colour-blind readers. Files carry no dates or versions, so the bytes of a
figure depend on its input alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from think_to_talk.files.atomic import replacing

matplotlib.use("Agg")

#: Width of a text block, in inches.
WIDTH = 7.0

#: A colour (of Okabe and Ito's palette) and a marker per variable.
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

ProbeRows = Sequence[Mapping[str, Any]]


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write the figure to each path, in the format of its suffix, without dates or versions."""
    without_dates = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    for path in map(Path, paths):
        kind = path.suffix.lstrip(".")
        with matplotlib.rc_context(STYLE), replacing(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=200, metadata=without_dates[kind])

"""What all figures share: width, colours, matplotlib settings, and how a figure is saved.

Colours are safe for colour-blind readers. Files carry no dates or versions, so the bytes of a
figure depend on its input alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from think_to_talk.files.atomic import replacing
from think_to_talk.timing.roles import Roles, role_colours, role_label

matplotlib.use("Agg")

#: Width of a text block, in inches.
WIDTH = 7.0

#: A marker per variable, by its number.
MARKERS = ("o", "s", "^", "D", "v", "P")

#: A colour of Okabe and Ito's palette and a marker per edit.
EDIT_STYLES = tuple(
    zip(("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"), MARKERS, strict=True)
)

#: How lines of held-out accuracy are drawn, beside solid ones of the accuracy.
HELDOUT_DASHES = (0, (4, 1.5))

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


@dataclass(frozen=True)
class VariableStyle:
    """How a variable is drawn.

    colour: of its role. marker: of its number. label: its name and role.
    """

    colour: str
    marker: str
    label: str


def variable_styles(roles: Roles) -> dict[int, VariableStyle]:
    """{variable: how it is drawn}, in a colour that its role has in every task."""
    return {
        variable: VariableStyle(
            colour=colour,
            marker=MARKERS[variable % len(MARKERS)],
            label=role_label(variable, roles[variable]),
        )
        for variable, colour in role_colours(roles).items()
    }


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write the figure to each path, in the format of its suffix, without dates or versions."""
    without_dates = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    for path in map(Path, paths):
        kind = path.suffix.lstrip(".")
        with matplotlib.rc_context(STYLE), replacing(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=200, metadata=without_dates[kind])

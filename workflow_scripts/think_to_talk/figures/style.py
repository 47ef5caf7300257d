"""What all figures share: width, colours, letters, title and notes, and how a figure is saved.

A figure is as wide as it is printed, so its sizes of letters are those on paper. Colours are safe
for colour-blind readers. Files carry no dates or versions, so the bytes of a figure depend on its
input alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation, Transform

from think_to_talk.files.atomic import replacing
from think_to_talk.timing.roles import Roles, role_colours, role_label

matplotlib.use("Agg")

#: Width of a text block, 13 cm, in inches.
WIDTH = 13 / 2.54

#: Dots per inch of figures as pixels.
_DPI = 300

#: Between notes, legend and panels, in pixels.
_GAP = 4

#: A marker per variable, by its number.
MARKERS = ("o", "s", "^", "D", "v", "P")

#: A colour of Okabe and Ito's palette and a marker per edit.
EDIT_STYLES = tuple(
    zip(("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"), MARKERS, strict=True)
)

#: How lines of held-out accuracy, and of what is compared, are drawn beside solid ones.
HELDOUT_DASHES = (0, (4, 1.5))

#: The smallest size of letters, in points.
SMALLEST = 6

#: matplotlib settings of all figures.
STYLE: dict[Any, Any] = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 6.5,
    "xtick.labelsize": SMALLEST,
    "ytick.labelsize": SMALLEST,
    "legend.fontsize": SMALLEST,
    "axes.linewidth": 0.5,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.handletextpad": 0.4,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0.2,
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


def describe(
    figure: Figure, title: str, notes: Iterable[str], legend: Sequence[Artist] = ()
) -> None:
    """Write the title above a figure and the notes below it, in as many lines as they need.

    notes: sentences without their ends.
    legend: what a legend names that stands above the notes.
    """
    figure.suptitle(title, x=0.01, ha="left", fontsize=8, wrap=True)
    lines: dict[str, Any] = {"fontsize": SMALLEST, "wrap": True}
    below = figure.text(0.01, 0, f"{'. '.join(notes)}.", va="bottom", **lines)
    height = (below.get_window_extent().height + _GAP) / figure.bbox.height
    if legend:
        place: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, height)}
        names = figure.legend(handles=list(legend), ncols=4, **place)
        names.set_in_layout(False)
        height += (names.get_window_extent().height + _GAP) / figure.bbox.height
    figure.set_layout_engine("constrained", rect=(0, height, 1, 1 - height))


def legend_above(panel: Axes, handles: Sequence[Artist] | None = None) -> None:
    """Put a panel's legend above it, to the right of its title.

    handles: what the legend names; None for all that is drawn with a label.
    """
    if handles is None:
        handles, _ = panel.get_legend_handles_labels()
    if handles:
        panel.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3)


def beside(panel: Axes, points: float) -> Transform:
    """The transform of a panel's data with marks this many points to the right of their places."""
    return panel.transData + ScaledTranslation(points / 72, 0, panel.figure.dpi_scale_trans)


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write the figure to each path, as PNG or SVG by its suffix, without dates or versions.

    `Figure.savefig` would draw it twice, as it does not know that the figure is laid out.
    """
    writers = {
        ".png": lambda file: FigureCanvasAgg(figure).print_png(file, metadata={"Software": None}),
        ".svg": lambda file: FigureCanvasSVG(figure).print_svg(
            file, metadata={"Date": None, "Creator": None}
        ),
    }
    with matplotlib.rc_context(STYLE):
        _settle(figure)
        for path in map(Path, paths):
            write = writers[path.suffix]
            with replacing(path) as temporary:
                write(temporary)


def _settle(figure: Figure) -> None:
    """Lay a figure out once and for all, the places of its panels rounded.

    The last digits of what the layout's solver finds differ from one run to the next.
    """
    figure.set_dpi(_DPI)
    if figure.axes and (engine := figure.get_layout_engine()):
        engine.execute(figure)
    figure.set_layout_engine("none")
    for panel in figure.axes:
        left, bottom, width, height = (
            round(float(place), 6) for place in panel.get_position(original=True).bounds
        )
        panel.set_position((left, bottom, width, height))

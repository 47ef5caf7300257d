"""The figure of steering: how often the model follows what a probe was made to say, where.

At each place that is steered it draws the share of chains of thought that follow the value, with
Wilson intervals, in the colour of the variable: filled where the probe passes the held-out test,
hollow where it does not, half filled where the test is not measured. Grey: random steps. Steps of
each length have a panel of their own. The rows come from `steering.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from think_to_talk.figures.accuracy_curve import draw_unread, task_panels
from think_to_talk.figures.style import STYLE, ProbeRows, beside, legend_above, variable_styles
from think_to_talk.figures.symbol_axis import draw_symbol_axis
from think_to_talk.formulas.symbols import TEMPLATE
from think_to_talk.timing.roles import variable_roles
from think_to_talk.timing.symbol_axis import on_symbol_axis

#: {whether a probe passes the held-out test: how its marker is filled}.
FILLS: dict[bool | None, str] = {True: "full", False: "none", None: "left"}

#: The colour of random steps.
RANDOM_COLOUR = "0.65"

_NOTES = (
    "Filled: the probe passes the held-out test; hollow: it does not; half filled: a value without "
    "an expression, for which there is no such test",
    "Grey: random steps of the same length. Markers of one place stand side by side",
)

#: The size of markers, and how far apart those at one position are, in points.
_MARKER, _APART = 2.8, 3.8


def draw_steering(
    probes: Mapping[str, ProbeRows], steering: Mapping[str, ProbeRows], title: str
) -> Figure:
    """Chains that follow a steered value along the symbols, a panel per task and length of steps.

    probes: {task: probe rows}.
    steering: {task: rows of steering} of the same tasks; none of one that could not be read.
    title: names model and seed.
    """
    with matplotlib.rc_context(STYLE):
        what = f"Chains that follow the value that a probe was made to say: {title}"
        shown: dict[str, tuple[ProbeRows, ProbeRows]] = {}
        for task, rows in steering.items():
            for factor in sorted({row["factor"] for row in rows}):
                of_factor = [row for row in rows if row["factor"] == factor]
                shown[f"{task}: {_length(factor)}"] = probes[task], of_factor
            if not rows:
                shown[task] = probes[task], []
        figure, panels = task_panels(shown, what, _NOTES, label="share of chains")
        for panel, (of_task, rows) in zip(panels, shown.values(), strict=True):
            if not rows:
                draw_unread(panel)
                continue
            _draw_task(panel, of_task, rows)
            legend_above(panel)
    return figure


def _length(factor: float) -> str:
    return "least step" if factor == 1 else f"{factor:g} times the least step"


def _draw_task(panel: Axes, probes: ProbeRows, steering: ProbeRows) -> None:
    cot_start = draw_symbol_axis(panel, on_symbol_axis(probes))
    styles = variable_styles(variable_roles(probes))
    places = _places(probes)
    steered = [row for row in steering if row["n"]]
    for variable in sorted({row["variable"] for row in steered}):
        style = styles[variable]
        panel.plot([], [], style.marker, color=style.colour, markersize=3, label=style.label)
    markers: dict[int, list[tuple[int, int, str]]] = {}
    for position, marker in sorted(map(_marker, steered)):
        markers.setdefault(position, []).append(marker)
    for row in steered:
        position, marker = _marker(row)
        here, variable = markers[position], row["variable"]
        shift = here.index(marker) - (len(here) - 1) / 2
        options: dict[str, Any] = {
            "color": styles[variable].colour if row["kind"] == "probe" else RANDOM_COLOUR,
            "marker": styles[variable].marker,
            "fillstyle": FILLS[row["passes_held_out"]],
            "markerfacecoloralt": "white",
            "markersize": _MARKER,
            "markeredgewidth": 0.7,
            "linewidth": 0.8,
            "transform": beside(panel, _APART * shift),
        }
        x = places[position] - cot_start
        low, high = row["follows_ci_low"], row["follows_ci_high"]
        error = [[row["follows"] - low], [high - row["follows"]]]
        panel.errorbar([x], [row["follows"]], yerr=error, **options)


def _marker(row: Mapping[str, Any]) -> tuple[int, tuple[int, int, str]]:
    """(position, (variable, layer, kind of step)): a place, and a marker in the order of those."""
    return row["position"], (row["variable"], row["layer"], row["kind"])


def _places(probes: ProbeRows) -> dict[int, float]:
    """{position: its place on the symbol axis}: the last symbol that is complete there.

    A lone space completes none. A token of a chat template is half a place behind the problem.
    """
    found, last = {}, 0
    for position, row in sorted({row["position"]: row for row in probes}.items()):
        last = last if row["symbol_index"] is None else row["symbol_index"]
        found[position] = last + (0.5 if row["symbol"] == TEMPLATE else 0.0)
    return found

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

from think_to_talk.figures.accuracy_curve import task_panels
from think_to_talk.figures.style import STYLE, ProbeRows, variable_styles
from think_to_talk.figures.symbol_axis import AXIS, draw_symbol_axis
from think_to_talk.timing.roles import variable_roles
from think_to_talk.timing.symbol_axis import on_symbol_axis

#: {whether a probe passes the held-out test: how its marker is filled}.
FILLS: dict[bool | None, str] = {True: "full", False: "none", None: "left"}

#: The colour of random steps.
RANDOM_COLOUR = "0.65"

_MARKERS = (
    "filled: the probe passes the held-out test; hollow: it does not\n"
    "half filled: a value without an expression; grey: random steps"
)

#: Symbols between the markers of two probes at one position.
_APART = 0.4


def draw_steering(
    probes: Mapping[str, ProbeRows], steering: Mapping[str, ProbeRows], title: str
) -> Figure:
    """Chains that follow a steered value along the symbols, a panel per task and length of steps.

    probes: {task: probe rows}.
    steering: {task: rows of steering} of the same tasks.
    title: names model and seed.
    """
    with matplotlib.rc_context(STYLE):
        what = f"Chains that follow the value that a probe was made to say: {title}"
        shown = {
            f"{task}: {_length(factor)}": (
                probes[task],
                [row for row in rows if row["factor"] == factor],
            )
            for task, rows in steering.items()
            for factor in sorted({row["factor"] for row in rows})
        }
        figure, panels = task_panels(shown, what, margin=0.9)
        for panel, (of_task, rows) in zip(panels, shown.values(), strict=True):
            panel.set_ylabel("share of chains")
            _draw_task(panel, of_task, rows)
            handles, _ = panel.get_legend_handles_labels()
            if handles:
                panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        panels[0].set_title("shaded: chain of thought", loc="right", fontsize=7)
        panels[-1].set_xlabel(f"{AXIS}\n{_MARKERS}")
    return figure


def _length(factor: float) -> str:
    return "least step" if factor == 1 else f"{factor:g} times the least step"


def _draw_task(panel: Axes, probes: ProbeRows, steering: ProbeRows) -> None:
    cot_start = draw_symbol_axis(panel, on_symbol_axis(probes))
    styles = variable_styles(variable_roles(probes))
    symbols = _last_symbols(probes)
    steered = [row for row in steering if row["n"]]
    for variable in sorted({row["variable"] for row in steered}):
        style = styles[variable]
        panel.plot([], [], style.marker, color=style.colour, markersize=4, label=style.label)
    beside: dict[int, list[tuple[int, int]]] = {}
    for position, *probe in sorted({_probe(row) for row in steered}):
        beside.setdefault(position, []).append((probe[0], probe[1]))
    for row in sorted(steered, key=lambda row: row["kind"] == "probe"):
        position, variable, layer = _probe(row)
        here = beside[position]
        shift = here.index((variable, layer)) - (len(here) - 1) / 2
        options: dict[str, Any] = {
            "color": styles[variable].colour if row["kind"] == "probe" else RANDOM_COLOUR,
            "marker": styles[variable].marker,
            "fillstyle": FILLS[row["passes_held_out"]],
            "markerfacecoloralt": "white",
            "markersize": 4,
            "linewidth": 0.9,
            "capsize": 1.5,
        }
        x = symbols[position] - cot_start + _APART * shift
        low, high = row["follows_ci_low"], row["follows_ci_high"]
        error = [[row["follows"] - low], [high - row["follows"]]]
        panel.errorbar([x], [row["follows"]], yerr=error, **options)
    panel.set_ylim(-0.05, 1.08)


def _probe(row: Mapping[str, Any]) -> tuple[int, int, int]:
    """Position, variable and layer of a probe."""
    return row["position"], row["variable"], row["layer"]


def _last_symbols(probes: ProbeRows) -> dict[int, int]:
    """{position: the last symbol that is complete there}: a lone space completes none."""
    completed = {row["position"]: row["symbol_index"] for row in probes}
    found, last = {}, 0
    for position, symbol in sorted(completed.items()):
        last = last if symbol is None else symbol
        found[position] = last
    return found

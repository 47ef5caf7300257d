"""The controls for probes: one record each, read by the study, the rules, tables and figures.

A control asks what else could explain the accuracy of probes, or t*: the capacity of the probe,
the architecture without training, rows that the model gets wrong, the threshold, the seed. Its rows
come from `controls.tables` under the same key, and its figure from `figures.controls`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Control:
    """A control for probes.

    title: of its table and figure.
    compared_with: the kind of rows that probes are compared with; None if with none.
    figure: how its figure is drawn: accuracy along the symbols, accuracy on the rows that the model
        gets right and wrong, or t* against the threshold.
    options: keys of the config's `controls` whose values its rows depend on.
    figure_note: what the marks of its figure mean.
    """

    title: str
    compared_with: Literal["control_probes", "untrained_probes", "generations", "timing"] | None
    figure: Literal["curves", "right_and_wrong", "thresholds"] = "curves"
    options: tuple[str, ...] = ()
    figure_note: str = ""


#: {key in the config's `controls`: the control}, in the order of tables.
CONTROLS = {
    "labels": Control(
        "Control labels",
        "control_probes",
        figure_note="Solid: real labels; dashed: control labels in the same layer; mean over seeds",
    ),
    "untrained": Control(
        "The model and an untrained copy",
        "untrained_probes",
        figure_note="Solid: the model; dashed: its untrained copy; mean over seeds",
    ),
    "wrong_rows": Control(
        "Rows that the model gets right and wrong",
        "generations",
        figure="right_and_wrong",
        figure_note="Best probes before and in the chain of thought, with 95 % intervals",
    ),
    "thresholds": Control(
        "How t* depends on its threshold",
        None,
        figure="thresholds",
        options=("thresholds",),
        figure_note="A line per variable and seed. t* is counted from the first token of the chain "
        "of thought, where the black line is",
    ),
    "seeds": Control(
        "How much seeds agree",
        "timing",
        figure_note="Line: mean over seeds; band: lowest to highest; triangles: t* of each seed",
    ),
}

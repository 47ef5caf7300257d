"""Figures of the controls for probes, in the style of the other figures.

`controls.kinds` says how the figure of a control is drawn: as curves along the symbols
(`figures.control_curves`), or from the rows of its table, here. The script of the rule `control`
saves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from think_to_talk.controls.kinds import CONTROLS
from think_to_talk.controls.results import Result, Row, Rows
from think_to_talk.figures.control_curves import draw_curves
from think_to_talk.figures.style import (
    MARKERS,
    STYLE,
    WIDTH,
    VariableStyle,
    variable_styles,
)
from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.timing.roles import ROLE_COLOURS, ROLES, Roles, variable_roles

_GREY = "0.4"


def draw_control(
    control: str,
    model: str,
    results: Iterable[Result],
    rows: Rows,
    ceilings: Mapping[str, Rows] = MappingProxyType({}),
) -> Figure:
    """The figure of a control, a panel per task.

    control: its key in the config's `controls`.
    model: named in the title.
    results: what its table is computed from; read again for curves and for roles.
    rows: its table.
    ceilings: {task: rows of ceilings} of the tasks that have them, for curves.
    """
    record = CONTROLS[control]
    with matplotlib.rc_context(STYLE):
        if record.figure == "curves":
            figure = draw_curves(record, results, ceilings)
        else:
            roles = {result.task: variable_roles(result.probes) for result in results}
            draw = _draw_thresholds
            if record.figure == "right_and_wrong":
                draw = _draw_right_and_wrong
            figure = draw(rows, roles)
        figure.suptitle(f"{record.title}{record.figure_note}: {model}", fontsize=9)
    return figure


def _grid(tasks: Sequence[str]) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel per task, up to three side by side."""
    columns = min(3, len(tasks))
    lines = -(-len(tasks) // columns)
    figure = Figure(figsize=(WIDTH, 0.7 + 2.0 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for unused in grid[len(tasks) :]:
        unused.set_axis_off()
    panels = dict(zip(tasks, grid, strict=False))
    for task, panel in panels.items():
        panel.set_title(task, loc="left")
    return figure, panels


def _by(rows: Rows, *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """{values of the keys: the rows that have them}, in the order of the rows."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def _legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    figure.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=8,
        frameon=False,
        handlelength=1.6,
        columnspacing=1.4,
    )


def _draw_thresholds(rows: Rows, roles: Mapping[str, Roles]) -> Figure:
    """t* against the threshold, a line per variable and seed; `never` is above all others.

    roles: of the variables of each task.
    """
    tasks = [task for (task,) in _by(rows, "task")]
    figure, panels = _grid(tasks)
    n_seeds = len(_by(rows, "seed"))
    for (task,), of_task in _by(rows, "task").items():
        panel, styles = panels[task], variable_styles(roles[task])
        known = [row["t_star"] for row in of_task if row["t_star"] is not None]
        lowest, highest = min([0, *known]), max([0, *known])
        step = 0.12 * max(5, highest - lowest)
        never = highest + step
        has_never = len(known) < len(of_task)
        for (variable, _seed), line in _by(of_task, "variable", "seed").items():
            line = sorted(line, key=lambda row: row["threshold"])
            panel.plot(
                [row["threshold"] for row in line],
                [never if row["t_star"] is None else row["t_star"] for row in line],
                color=styles[variable].colour,
                marker=styles[variable].marker,
                # Marks differ in size so that lines that coincide can be told apart.
                markersize=5.5 - 1.2 * variable,
                linewidth=0.9,
                alpha=1 if n_seeds == 1 else 0.6,
            )
        panel.axhline(-0.5, color="black", linewidth=0.9)
        ticks = MaxNLocator(5, integer=True).tick_values(lowest, highest)
        visible = [int(tick) for tick in ticks if lowest <= tick <= highest]
        if has_never:
            panel.set_yticks([*visible, never], [*map(str, visible), "never"])
        else:
            panel.set_yticks(visible)
        panel.set_ylim(lowest - step / 2, (never if has_never else highest) + step / 2)
        panel.set_xlabel("threshold")
        panel.set_ylabel("t*")
    _legend(
        figure,
        [
            *_role_handles(roles),
            *_variable_handles(rows),
            Line2D([], [], color="black", linewidth=0.9, label="the chain of thought begins"),
        ],
    )
    return figure


def _role_handles(roles: Mapping[str, Roles]) -> list[Line2D]:
    """Entries of a legend: the colours of the roles that variables have."""
    found = {role for of_task in roles.values() for role in of_task.values()}
    return [
        Line2D([], [], color=ROLE_COLOURS[role][0], linewidth=2.5, label=role or "role not known")
        for role in (*ROLES, None)
        if role in found
    ]


def _variable_handles(rows: Rows) -> list[Line2D]:
    """Entries of a legend: the variables' marks."""
    return [
        Line2D(
            *([], []),
            linestyle="none",
            color=_GREY,
            marker=MARKERS[variable % len(MARKERS)],
            markersize=4,
            label=variable_symbol(variable),
        )
        for variable in sorted({row["variable"] for row in rows})
    ]


def _draw_right_and_wrong(rows: Rows, roles: Mapping[str, Roles]) -> Figure:
    """Accuracy of each best probe on right (filled) and wrong (open) rows, with 95 % intervals.

    roles: of the variables of each task.
    """
    tasks = [task for (task,) in _by(rows, "task")]
    figure, panels = _grid(tasks)
    seeds = [seed for (seed,) in _by(rows, "seed")]
    for (task,), of_task in _by(rows, "task").items():
        panel, styles = panels[task], variable_styles(roles[task])
        n_variables = len(_by(of_task, "variable"))
        for row in of_task:
            place = row["variable"] + (n_variables + 0.5) * (row["part"] == "after")
            offset = (seeds.index(row["seed"]) - (len(seeds) - 1) / 2) * 0.2 / len(seeds)
            style = styles[row["variable"]]
            _draw_share(panel, row, "right", place - 0.18 + offset, style)
            _draw_share(panel, row, "wrong", place + 0.18 + offset, style)
        names = [variable_symbol(variable) for variable in range(n_variables)]
        places = [*range(n_variables), *(i + n_variables + 0.5 for i in range(n_variables))]
        panel.set_xticks(places, [*names, *names])
        panel.axvline(n_variables - 0.25, color="black", linewidth=0.9)
        panel.set_xlim(-0.75, 2 * n_variables + 0.25)
        panel.set_ylim(-0.03, 1.05)
        panel.set_xlabel("before | in the chain of thought")
        panel.set_ylabel("accuracy")
        # Each seed's test rows are counted once, though each of its probes has a table row.
        counted = _by(of_task, "variable", "part")[of_task[0]["variable"], of_task[0]["part"]]
        n_wrong, n = (sum(row[f"n_{group}"] for row in counted) for group in ("wrong", "all"))
        panel.set_title(f"{n_wrong:,} of {n:,} rows wrong", loc="right", fontsize=7)
    marks: dict[str, Any] = {"color": _GREY, "marker": "o", "markersize": 4}
    _legend(
        figure,
        [
            *_role_handles(roles),
            Line2D([], [], **marks, label="rows it gets right"),
            Line2D([], [], **marks, markerfacecolor="white", label="rows it gets wrong"),
        ],
    )
    return figure


def _draw_share(panel: Axes, row: Row, group: str, x: float, style: VariableStyle) -> None:
    """Draw an accuracy with its interval; nothing if the group has no rows."""
    accuracy = row[f"accuracy_{group}"]
    if accuracy is None:
        return
    low, high = row[f"ci_low_{group}"], row[f"ci_high_{group}"]
    panel.vlines(x, low, high, color=style.colour, linewidth=0.8)
    panel.plot(
        x,
        accuracy,
        marker=style.marker,
        markersize=4,
        color=style.colour,
        markerfacecolor=style.colour if group == "right" else "white",
    )

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
    SMALLEST,
    STYLE,
    WIDTH,
    VariableStyle,
    beside,
    describe,
    variable_styles,
)
from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.timing.roles import ROLE_COLOURS, ROLES, Roles, variable_roles

_GREY = "0.4"

#: The size of marks, in points.
_MARK_SIZE = 3.2


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
            figure = draw_curves(record, model, results, ceilings)
        else:
            roles = {result.task: variable_roles(result.probes) for result in results}
            draw = _draw_thresholds
            if record.figure == "right_and_wrong":
                draw = _draw_right_and_wrong
            figure, legend = draw(rows, roles)
            describe(figure, f"{record.title}: {model}", [record.figure_note], legend)
    return figure


def _grid(tasks: Sequence[str], x: str, y: str, *, sharex: bool) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel per task, up to two side by side, on the same vertical scale.

    x, y: the labels of the axes.
    sharex: whether the horizontal scale is the same, too.
    """
    columns = min(2, len(tasks))
    lines = -(-len(tasks) // columns)
    figure = Figure(figsize=(WIDTH, 0.9 + 1.45 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharex=sharex, sharey=True).ravel()
    for unused in grid[len(tasks) :]:
        unused.remove()
    panels = dict(zip(tasks, grid, strict=False))
    for number, (task, panel) in enumerate(panels.items()):
        panel.set_title(task, loc="left")
        is_lowest = not sharex or number + columns >= len(tasks)
        panel.tick_params(labelbottom=is_lowest)
        panel.set_xlabel(x if is_lowest else "")
        panel.set_ylabel("" if number % columns else y)
    return figure, panels


def _by(rows: Rows, *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """{values of the keys: the rows that have them}, in the order of the rows."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def _draw_thresholds(rows: Rows, roles: Mapping[str, Roles]) -> tuple[Figure, list[Line2D]]:
    """t* against the threshold, a line per variable and seed; `never` is above all others.

    Lines of variables stand side by side, a mark's width apart, so that none hides another.

    roles: of the variables of each task.
    Returns the figure, and what its legend names.
    """
    tasks = [task for (task,) in _by(rows, "task")]
    figure, panels = _grid(tasks, "threshold (accuracy)", "t* (tokens)", sharex=True)
    known = [row["t_star"] for row in rows if row["t_star"] is not None]
    lowest, highest = min([0, *known]), max([0, *known])
    step = 0.12 * max(5, highest - lowest)
    never = highest + step
    n_seeds = len(_by(rows, "seed"))
    for (task,), of_task in _by(rows, "task").items():
        panel, styles = panels[task], variable_styles(roles[task])
        for (variable, _seed), line in _by(of_task, "variable", "seed").items():
            line = sorted(line, key=lambda row: row["threshold"])
            places = (
                [row["threshold"] for row in line],
                [never if row["t_star"] is None else row["t_star"] for row in line],
            )
            aside = beside(panel, _MARK_SIZE * (variable - (len(styles) - 1) / 2))
            drawn: dict[str, Any] = {"color": styles[variable].colour, "transform": aside}
            drawn["alpha"] = 1 if n_seeds == 1 else 0.6
            panel.plot(*places, linewidth=0.8, drawstyle="steps-mid", **drawn)
            mark: dict[str, Any] = {"marker": styles[variable].marker, "markeredgewidth": 0}
            panel.plot(
                *places, linestyle="none", markersize=_MARK_SIZE - 0.4, zorder=3, **mark, **drawn
            )
        panel.axhline(-0.5, color="black", linewidth=0.8, zorder=1)
    ticks = MaxNLocator(5, integer=True).tick_values(lowest, highest)
    visible = [int(tick) for tick in ticks if lowest <= tick <= highest]
    labels = [f"{tick}".replace("-", "\N{MINUS SIGN}") for tick in visible]
    first = next(iter(panels.values()))
    first.set_yticks([*visible, never], [*labels, "never"])
    first.set_ylim(lowest - step / 2, never + step / 2)
    thresholds = [row["threshold"] for row in rows]
    margin = 0.06 * max(0.1, max(thresholds) - min(thresholds))
    first.set_xlim(min(thresholds) - margin, max(thresholds) + margin)
    return figure, [*_role_handles(roles), *_variable_handles(rows)]


def _role_handles(roles: Mapping[str, Roles]) -> list[Line2D]:
    """Entries of a legend: the colours of the roles that variables have."""
    found = {role for of_task in roles.values() for role in of_task.values()}
    return [
        Line2D([], [], color=ROLE_COLOURS[role][0], linewidth=2, label=role or "role not known")
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
            markersize=_MARK_SIZE,
            label=variable_symbol(variable),
        )
        for variable in sorted({row["variable"] for row in rows})
    ]


def _draw_right_and_wrong(rows: Rows, roles: Mapping[str, Roles]) -> tuple[Figure, list[Line2D]]:
    """Accuracy of each best probe on right (filled) and wrong (open) rows, with 95 % intervals.

    roles: of the variables of each task.
    Returns the figure, and what its legend names.
    """
    tasks = [task for (task,) in _by(rows, "task")]
    figure, panels = _grid(tasks, "before | in the chain of thought", "accuracy", sharex=False)
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
        # Each seed's test rows are counted once, though each of its probes has a table row.
        counted = _by(of_task, "variable", "part")[of_task[0]["variable"], of_task[0]["part"]]
        n_wrong, n = (sum(row[f"n_{group}"] for row in counted) for group in ("wrong", "all"))
        panel.set_title(f"{n_wrong:,} of {n:,} rows wrong", loc="right", fontsize=SMALLEST)
    marks: dict[str, Any] = {
        "color": _GREY,
        "marker": "o",
        "linestyle": "none",
        "markersize": _MARK_SIZE,
    }
    return figure, [
        *_role_handles(roles),
        Line2D([], [], **marks, label="rows it gets right"),
        Line2D([], [], **marks, markerfacecolor="white", label="rows it gets wrong"),
    ]


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
        markersize=_MARK_SIZE,
        color=style.colour,
        markerfacecolor=style.colour if group == "right" else "white",
    )

"""Four clocks: when a value is determined, readable, said and used.

For each variable of a task this joins four dates on one axis, token positions t counted from the
first token of the chain of thought:

- when the *text* determines the value (`timing.text`);
- when it is *readable*: t*, plain and held out (`timing.table`);
- when the model would *say* it, if it had to answer then (`timing.forced`; of the answer alone);
- when it is *used*: when patching hidden states there changes what the chain says of it
  (`interventions.patching`).

`figures.clocks` draws the rows, and a run ends with what they say of answers (`pages.ending`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from think_to_talk.timing.forced import first_said
from think_to_talk.timing.roles import ANSWER, role_label, variable_roles

#: The dates, in the order of lanes: {column: what happens from then on}.
CLOCKS = {
    "t_text": "the text determines it",
    "t_star": "readable",
    "t_star_heldout": "readable, held out",
    "t_said": "said",
    "t_used": "changed by patches",
}

#: {clock: the column that is null, 0 or false where it was not measured}; the others always are,
#: t_text where the task's ceilings are known.
MEASURED = {"t_star_heldout": "heldout", "t_said": "cuts", "t_used": "pairs"}

#: Columns of the table, in order.
COLUMNS = (
    *("model", "seed", "task", "variable", "role", *CLOCKS),
    *("heldout", "cuts", "used_equation", "pairs", "sentence"),
)

#: {column: heading} in the Markdown and HTML tables.
VISIBLE_COLUMNS = {
    "model": "model",
    "seed": "seed",
    "task": "task",
    "variable": "variable",
    "role": "role",
    "t_text": "t_text",
    "t_star": "t*",
    "t_star_heldout": "held-out t*",
    "t_said": "t said",
    "t_used": "t used",
}

Rows = Sequence[Mapping[str, Any]]


def clock_rows(
    probe_rows: Rows, timing_rows: Rows, forced_rows: Rows, patching_rows: Rows, threshold: float
) -> list[dict[str, Any]]:
    """A row per variable of a task (schemas/clock_row.schema.yaml).

    probe_rows, timing_rows: of the task.
    forced_rows, patching_rows: likewise; none where the model was not asked, or not patched.
    threshold: the share that a forced answer's accuracy, or a patch's success, must exceed; the
        dates in `timing_rows` have it already.
    """
    roles = variable_roles(probe_rows)
    # Of the task's positions: pairs may tokenize alike where its rows do not.
    begins: dict[float, int] = {}
    for each in probe_rows:
        t, equation = each["relative_position"], each["equation"]
        begins[equation] = min(t, begins.get(equation, t))
    rows = []
    for dates in timing_rows:
        variable = dates["variable"]
        asked = forced_rows if roles[variable] == ANSWER else []
        said = first_said(asked, threshold)
        grid = _grid(patching_rows, variable)
        used = first_used(grid, threshold)
        row = {
            **{key: dates[key] for key in ("model", "seed", "task")},
            "variable": variable,
            "role": roles[variable],
            **{key: dates[key] for key in ("t_text", "t_star", "t_star_heldout")},
            "t_said": said and said["relative_position"],
            "t_used": used and begins[used["equation"]],
            "heldout": dates["heldout_before"] is not None or dates["heldout_after"] is not None,
            "cuts": len(asked) or None,
            "used_equation": used and used["equation"],
            "pairs": max((each["n"] for each in grid), default=None),
        }
        rows.append({**row, "sentence": sentence(row)})
    return rows


def first_used(grid: Rows, threshold: float) -> Mapping[str, Any] | None:
    """The first equation at which a patch changes what the chain says of a variable.

    grid: rows of the sliding grid (schemas/patching_row.schema.yaml), read where the chain last
        says the variable's value.
    threshold: the success rate that some window of layers must exceed.
    Where no earlier equation holds it, it is the one that says the value: in the last layer the
    hidden states there are what is said.
    """
    changing = [row for row in grid if row["success"] is not None and row["success"] > threshold]
    return min(changing, key=itemgetter("equation"), default=None)


def _grid(patching_rows: Rows, variable: int) -> list[Mapping[str, Any]]:
    """The rows of the grid in which a variable's value is read for the last time.

    Pairs are those that the model solves. A window with layer 0 is left out: it replaces the text.
    """
    read = [
        row
        for row in patching_rows
        if row["kind"] == "sliding"
        and row["donor"] == "paired"
        and row["rows"] == "solved"
        and row["variable"] == variable
        and 0 not in row["layers"]
    ]
    last = max((row["answer_equation"] for row in read), default=None)
    return [row for row in read if row["answer_equation"] == last]


def sentence(row: Mapping[str, Any]) -> str:
    """A row in words: `level-3, B, the answer: determined by the text at t = -5, ...`.

    What was not measured is not mentioned.
    """
    parts = []
    if row["t_text"] is not None:
        parts.append(f"determined by the text at t = {row['t_text']}")
    readable = "never readable" if row["t_star"] is None else f"readable at t = {row['t_star']}"
    if row["heldout"]:
        heldout = row["t_star_heldout"]
        readable += f" (held out: {'never' if heldout is None else f't = {heldout}'})"
    parts.append(readable)
    if row["cuts"]:
        said = row["t_said"]
        parts.append("said at no cut" if said is None else f"said at t = {said}")
    if row["pairs"]:
        used = row["t_used"]
        parts.append(
            "changed by no patch" if used is None else f"changed by patches from t = {used}"
        )
    name = role_label(row["variable"], row["role"])
    return f"{row['task']}, {name}: {', '.join(parts)}"

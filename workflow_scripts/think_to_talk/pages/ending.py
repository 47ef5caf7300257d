"""What a run ends with: what was found about each task's answer, and where to look."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.timing.roles import ANSWER

#: Sentences that a run ends with; a larger study has them in its tables.
_MOST_SENTENCES = 30

_LEGEND = (
    "When each answer can be decoded from hidden states. t counts tokens from the\n"
    "beginning of the chain of thought: negative while the model reads the problem.\n"
    "Held out: for expressions that no probe was trained on."
)

Rows = Sequence[Mapping[str, Any]]


def ending(sentences: Sequence[str], places: Mapping[str, str], columns: int | None = None) -> str:
    """The text that ends a run.

    sentences: what was found; too many are left out.
    places: {what: where it is}.
    columns: of the terminal, where sentences are broken between words; None without a terminal.
    """
    lines = [""]
    if 0 < len(sentences) <= _MOST_SENTENCES:
        shown = [f"  {sentence}" for sentence in sentences]
        if columns is not None:
            shown = [textwrap.fill(each, columns, subsequent_indent="    ") for each in shown]
        lines += [_LEGEND, *shown, ""]
    width = max(map(len, places), default=0) + 2
    return "\n".join([*lines, *(f"{what + ':':<{width}}{where}" for what, where in places.items())])


def found(clock_rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each model and task: when its answer can be decoded, and what that means.

    clock_rows: of a study (schemas/clock_row.schema.yaml). Tasks whose problems do not show which
    variable is the answer have none.
    """
    groups: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    for row in clock_rows:
        if row["role"] == ANSWER:
            groups.setdefault((row["model"], row["task"], row["variable"]), []).append(row)
    return [
        f"{model}, {task}: {_sentence(variable_symbol(variable), rows)}"
        for (model, task, variable), rows in groups.items()
    ]


def _sentence(name: str, rows: Rows) -> str:
    """rows: of one answer, a row for each seed."""
    if all(row["t_star"] is None and row["t_star_heldout"] is None for row in rows):
        return f"{name} never: no probe decodes it"
    heldout = all(row["heldout"] for row in rows)
    dates = _dates(rows, "t_star")
    if heldout:
        dates += f" (held out: {_dates(rows, 't_star_heldout')})"
    return f"{name} {dates}: {_meaning(rows, heldout)}"


def _dates(rows: Rows, clock: str) -> str:
    """The date of all seeds, or their range, and how many seeds reach it if not all do."""
    reached = sorted(row[clock] for row in rows if row[clock] is not None)
    if not reached:
        return "never"
    first, last = reached[0], reached[-1]
    date = f"from t = {first}" if first == last else f"from t = {first} to {last}"
    return date if len(reached) == len(rows) else f"{date}, in {len(reached)} of {len(rows)} seeds"


def _meaning(rows: Rows, heldout: bool) -> str:
    """What dates before the chain, in it, or neither say of the model."""
    meanings = {_meaning_of_dates(row["t_star"], row["t_star_heldout"], heldout) for row in rows}
    if len(meanings) > 1:
        return f"its seeds differ ({len(rows)} seeds)"
    return meanings.pop()


def _meaning_of_dates(plain: int | None, unseen: int | None, heldout: bool) -> str:
    """plain, unseen: t* of all expressions and of held-out ones, if there are held-out probes."""
    if plain is None:
        return "no probe decodes it"
    where = "while the model reads the problem" if plain < 0 else "while it writes the chain"
    if heldout and unseen is None:
        return f"{where}, but only for expressions that probes were trained on: perhaps memorised"
    if heldout and unseen is not None and plain < 0 <= unseen:
        return f"{where} only for expressions that probes were trained on: perhaps memorised"
    return where if plain < 0 else f"not while the model reads the problem, but {where}"

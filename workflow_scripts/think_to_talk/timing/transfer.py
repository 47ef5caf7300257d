"""Transfer summed up: where a probe that reads a value in one part reads it in the other parts.

The rows come from `transfer.rows`. Of the problem, and of the chain, of the task on which probes
were trained, the probe is taken that is best on that task's own test rows; its accuracy on the
tested task is given at the symbol of each part at which it is highest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from think_to_talk.intervals import share

#: {part: whether a place with this t lies in it}.
PARTS = {"problem": lambda t: t < 0, "chain": lambda t: t >= 0}

_WHOSE = ("model", "seed", "transfer", "train_model", "train_task", "task")

#: Columns of the table, in order.
COLUMNS = (
    *_WHOSE,
    *("variable", "test_variable", "trained_in", "tested_in"),
    *("trained_t", "trained_symbol", "layer", "own_accuracy"),
    *("tested_t", "tested_symbol", "accuracy", "accuracy_ci_low", "accuracy_ci_high"),
    *("chance", "n_test"),
)

#: {column: heading} in the Markdown and HTML tables.
VISIBLE_COLUMNS = {
    **{name: name for name in ("model", "seed", "transfer", "variable")},
    "trained_in": "trained in",
    "trained_t": "at t",
    "own_accuracy": "accuracy there",
    "tested_in": "tested in",
    "tested_t": "best at t",
    "accuracy": "accuracy there, transferred",
    "chance": "chance",
}


def table_rows(results: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[dict[str, Any]]:
    """A row per variable, part that probes were trained in, and part that they are tested in.

    results: the rows of each transfer, model and seed. A part without fitted probes has no rows.
    """
    for rows in results:
        for variable in sorted({row["variable"] for row in rows}):
            of_variable = [row for row in rows if row["variable"] == variable]
            for trained_in, inside in PARTS.items():
                candidates = [row for row in of_variable if inside(row["relative_position"])]
                scored = [row for row in candidates if row["own_score"] is not None]
                if not scored:
                    continue
                # The first of the best, in order of writing and then of layers.
                scored.sort(key=itemgetter("relative_position", "layer"))
                probe = max(scored, key=itemgetter("own_score"))
                for tested_in in PARTS:
                    yield _line(probe, trained_in, tested_in)


def _line(probe: Mapping[str, Any], trained_in: str, tested_in: str) -> dict[str, Any]:
    """The table's row of a probe and a part of the tested task."""
    inside = PARTS[tested_in]
    places = [i for i, t in enumerate(probe["test_relative_position"]) if inside(t)]
    best = max(places, key=lambda i: probe["hits"][i])
    return {
        **{key: probe[key] for key in (*_WHOSE, "variable", "test_variable")},
        "trained_in": trained_in,
        "tested_in": tested_in,
        "trained_t": probe["relative_position"],
        "trained_symbol": probe["symbol"],
        "layer": probe["layer"],
        "own_accuracy": probe["own_score"],
        "tested_t": probe["test_relative_position"][best],
        "tested_symbol": probe["test_symbol"][best],
        **share("accuracy", probe["hits"][best], probe["n_test"]),
        "chance": probe["chance"],
        "n_test": probe["n_test"],
    }

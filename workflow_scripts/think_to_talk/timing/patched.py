"""What probes read in patched runs, summed up: where values move with a patch, and how far on.

The rows come from `patched_probes.rows`. Counted are places at which nothing was replaced, as the
others move by construction, and at which the probe reads both unpatched runs: there alone does it
mean something whose value it says after the patch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from think_to_talk.timing.best_probes import best_before_and_after, best_layers

#: What tells the lines of the table apart, within a task.
_LINE = ("edit", "kind", "spec", "source", "variable")

#: Columns of the table, in order.
COLUMNS = (
    *("model", "seed", "task", *_LINE, "n", "n_places"),
    *("moved_before", "t_before", "layer_before", "moved_in", "t_in", "layer_in", "moved_until"),
)

#: {column: heading} in the Markdown and HTML tables.
VISIBLE_COLUMNS = {
    **{name: name for name in ("model", "seed", "task", "edit", "spec", "variable")},
    "n": "pairs",
    "moved_before": "moved before CoT",
    "moved_in": "moved in CoT",
    "moved_until": "moved until t",
}


def readable(rows: Iterable[Mapping[str, Any]], threshold: float) -> list[Mapping[str, Any]]:
    """The rows of states that were not replaced and that the probe reads in both unpatched runs.

    threshold: the accuracy that it must reach in each of them.
    """
    return [
        row
        for row in rows
        if not row["patched"] and min(row["source_accuracy"], row["target_accuracy"]) >= threshold
    ]


def table_rows(
    tasks: Iterable[list[Mapping[str, Any]]], threshold: float
) -> Iterator[dict[str, Any]]:
    """A row per edit, spec and variable (schemas/patched_probes_row.schema.yaml).

    tasks: the rows of each model, seed and task.
    threshold: of t*: the accuracy that a probe must reach in both unpatched runs, and the share of
        pairs that must have moved for `moved_until`.
    """
    for rows in tasks:
        lines: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for row in rows:
            lines.setdefault(tuple(row[key] for key in _LINE), []).append(row)
        for line, of_line in lines.items():
            counted = readable(of_line, threshold)
            best = best_layers(counted, of_line[0]["variable"], "moved")
            before, after = best_before_and_after(best, "moved")
            above = [t for t, row in best.items() if row["moved"] > threshold]
            yield {
                **{key: of_line[0][key] for key in ("model", "seed", "task")},
                **dict(zip(_LINE, line, strict=True)),
                "n": of_line[0]["n"],
                "n_places": len(counted),
                **_highest("before", before),
                **_highest("in", after),
                "moved_until": max(above, default=None),
            }


def _highest(part: str, row: Mapping[str, Any] | None) -> dict[str, Any]:
    """The highest share of a part, and its first place; nulls without a row."""
    return {
        f"moved_{part}": row and row["moved"],
        f"t_{part}": row and row["relative_position"],
        f"layer_{part}": row and row["layer"],
    }


def widest_edit(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """The edit that changes most variables; among equals, that of most pairs, then the first.

    rows: of a task.
    None without rows.
    """
    pairs: dict[str, dict[int, int]] = {}
    for row in rows:
        pairs.setdefault(row["edit"], {})[row["variable"]] = row["n"]
    return max(pairs, key=lambda edit: (len(pairs[edit]), sum(pairs[edit].values())), default=None)

"""The table of interventions: their effect on final answers, for all models, seeds and tasks.

Rows of patching, of free writing and of inconsistent chains become rows of one table with the same
outcomes; of free writing, an outcome is about the whole chain of thought. The overview figure and
the study's tables are made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: What an answer became: the source run's (or what follows from the wrong result), the same as
#: without the intervention (or what follows from the problem), or something else.
OUTCOMES = ("changed", "kept", "other")

#: Columns of the table, in order.
COLUMNS = (
    "model",
    "seed",
    "task",
    "intervention",
    "spec",
    "edit",
    "variable",
    "pairs",
    "n",
    *(f"{outcome}{suffix}" for outcome in OUTCOMES for suffix in ("", "_ci_low", "_ci_high")),
    "base_accuracy",
    "edited_accuracy",
)

#: {column: heading} in the Markdown and HTML tables.
VISIBLE_COLUMNS = {name: name for name in (*COLUMNS[: COLUMNS.index("n") + 1], *OUTCOMES)}

_PATCHING = dict(zip(OUTCOMES, ("success", "unchanged", "other"), strict=True))

_CHAINS = dict(zip(OUTCOMES, ("follows_chain", "follows_problem", "other"), strict=True))


def table_rows(
    patching: Iterable[Mapping[str, Any]],
    chains: Iterable[Mapping[str, Any]],
    free: Iterable[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """All rows of the table (schemas/intervention_row.schema.yaml).

    patching: rows of patching.
    chains: rows of inconsistent chains.
    free: rows of free writing.
    """
    return [
        *rows_of_patching(patching),
        *rows_of_free_writing(free),
        *rows_of_inconsistent_chains(chains),
    ]


def rows_of_patching(patching: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Table rows of patching; the sliding grid, which has a figure of its own, is left out."""
    for row in patching:
        if row["kind"] != "sliding":
            yield {
                **_identity(row),
                "intervention": _intervention(row),
                "spec": row["spec"],
                "edit": row["edit"],
                "variable": None,
                **_outcomes(row, _PATCHING),
                **{key: row[key] for key in ("base_accuracy", "edited_accuracy")},
            }


def rows_of_free_writing(free: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Table rows of free writing, without its grid, which has a figure of its own, too."""
    for row in free:
        if row["kind"] != "sliding":
            yield {
                **_identity(row),
                "intervention": "free_writing",
                "spec": row["spec"],
                "edit": row["edit"],
                "variable": None,
                **_outcomes(row, _PATCHING),
                "base_accuracy": None,
                "edited_accuracy": None,
            }


def rows_of_inconsistent_chains(chains: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Table rows of inconsistent chains; `variable` is the one whose result is wrong."""
    for row in chains:
        yield {
            **_identity(row),
            "intervention": "inconsistent_chain",
            "spec": None,
            "edit": None,
            "variable": row["variable"],
            **_outcomes(row, _CHAINS),
            "base_accuracy": None,
            "edited_accuracy": None,
        }


def _intervention(row: Mapping[str, Any]) -> str:
    """What a row of patching is: of pairs, or one of the two controls."""
    if row["donor"] == "random":
        return "random_donor"
    # Both runs have the same answer: there is none that it could become.
    return "distractor" if row["n"] and row["success"] is None else "patching"


def _identity(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("model", "seed", "task")}


def _outcomes(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    shares = {
        f"{outcome}{suffix}": row[f"{name}{suffix}"]
        for outcome, name in names.items()
        for suffix in ("", "_ci_low", "_ci_high")
    }
    return {"pairs": row["rows"], "n": row["n"], **shares}

"""The table of interventions: what they do to the final answers of all models and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: What happened to an answer: it became the source's (or follows the altered chain), stayed what
#: the run's own problem makes it, or turned into something else.
OUTCOMES = ("changed", "kept", "other")
#: Columns of the table, in order.
COLUMNS = (
    "model",
    "seed",
    "task",
    "intervention",
    "edit",
    "rows",
    "n",
    *(f"{outcome}{suffix}" for outcome in OUTCOMES for suffix in ("", "_ci_low", "_ci_high")),
    "base_accuracy",
    "edited_accuracy",
)
#: Those that people are shown, and what they call them.
SHOWN = {
    name: name for name in ("model", "seed", "task", "intervention", "edit", "rows", "n", *OUTCOMES)
}
_PATCHING = dict(zip(OUTCOMES, ("success", "unchanged", "other"), strict=True))
_CHAINS = dict(zip(OUTCOMES, ("follows_chain", "follows_problem", "other"), strict=True))


def table_rows(
    patching: Iterable[Mapping[str, Any]], chains: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The table of interventions, from rows of patching and of inconsistent chains."""
    return [*final_answers(patching), *after_wrong_results(chains)]


def final_answers(patching: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Table rows of all patching but the sliding grid; `edit` is the edit that made the pairs."""
    for row in patching:
        if row["kind"] != "sliding":
            accuracies = {key: row[key] for key in ("base_accuracy", "edited_accuracy")}
            yield {
                **_identity(row),
                "intervention": f"patch {row['spec']}",
                "edit": row["edit"],
                **_outcomes(row, _PATCHING),
                **accuracies,
            }


def after_wrong_results(chains: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Table rows of inconsistent chains; `edit` is the variable whose result is wrong."""
    for row in chains:
        yield {
            **_identity(row),
            "intervention": "wrong result in the chain",
            "edit": f"v{row['variable']}",
            **_outcomes(row, _CHAINS),
            "base_accuracy": None,
            "edited_accuracy": None,
        }


def _identity(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("model", "seed", "task")}


def _outcomes(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    shares = {
        f"{outcome}{suffix}": row[f"{name}{suffix}"]
        for outcome, name in names.items()
        for suffix in ("", "_ci_low", "_ci_high")
    }
    return {"rows": row["rows"], "n": row["n"], **shares}

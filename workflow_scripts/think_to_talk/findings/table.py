"""The table of findings: whether each holds, per model and task, in every seed of the study.

It reads the rows of the tables of timing, clocks and interventions, of all seeds. Seeds are
never pooled: each gives one number, and the table has their mean and range.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from think_to_talk.findings.kinds import FINDINGS, RELATIONS, Finding, Role
from think_to_talk.formulas.derivations import Derivation
from think_to_talk.formulas.symbols import is_digit, variable_symbol

Row = Mapping[str, Any]

#: The columns of the table, in order.
COLUMNS = (
    *("model", "finding", "task", "variable", "measured", "criterion", "seeds", "values"),
    *("mean", "low", "high", "compared", "compared_low", "compared_high"),
    *("n_holds", "holds", "sentence"),
)


def finding_rows(
    tables: Mapping[str, Sequence[Row]],
    derivations: Mapping[str, Derivation | None],
    threshold: float,
) -> list[dict[str, Any]]:
    """A row for each model, finding, task and variable of which something was measured.

    tables: {`timing`, `clocks`, `interventions`: rows of that table}.
    derivations: {task: its derivation}, of generated tasks; None where it differs between problems.
    threshold: the accuracy that t* must exceed.
    """
    timing = tables["timing"]
    seeds = list(dict.fromkeys(row["seed"] for row in timing))
    rows = []
    for model in dict.fromkeys(row["model"] for row in timing):
        for finding in FINDINGS:
            own = [
                row
                for row in tables[finding.table]
                if row["model"] == model and not is_digit(row["variable"])
            ]
            bound = threshold if finding.bound is None else finding.bound
            for place, of_seeds in _selected(finding, own, derivations):
                observed = [_worst(finding, of_seeds.get(seed, [])) for seed in seeds]
                if any(row is not None for row in observed):
                    identity = {"model": model, "finding": finding.key, **place, "seeds": seeds}
                    rows.append(_over_seeds(finding, identity, observed, bound))
    return rows


def roles(variable: int | None, derivation: Derivation | None) -> set[Role]:
    """What a variable is in its task; nothing if that is unknown.

    variable: its index; None for a row that is about no variable.
    derivation: of the task, if it is the same in all problems.
    """
    if variable is None or derivation is None:
        return set()
    steps = derivation.steps(variable)
    found: set[Role] = {"number"} if steps == 0 else set()
    if derivation.is_needed(variable):
        found.add("computed")
        if steps == 1:
            found.add("one step")
        elif variable == derivation.asked:
            found.add("answer")
    return found


def _selected(
    finding: Finding, rows: Iterable[Row], derivations: Mapping[str, Derivation | None]
) -> Iterator[tuple[dict[str, Any], dict[int, list[Row]]]]:
    """(task and variable, {seed: rows}) of all that a finding is about, in the order of rows."""
    found: dict[tuple[str, int | None], dict[int, list[Row]]] = {}
    for row in rows:
        of_row = roles(row["variable"], derivations.get(row["task"]))
        if finding.where.items() <= row.items() and finding.role in {None, *of_row}:
            key = row["task"], None if finding.of_task else row["variable"]
            found.setdefault(key, {}).setdefault(row["seed"], []).append(row)
    for (task, variable), of_seeds in found.items():
        yield {"task": task, "variable": variable}, of_seeds


def _value(finding: Finding, row: Row) -> float | None:
    """What is measured in a row; None if it was not."""
    value = row[finding.column]
    less = 0 if finding.subtracted is None else row[finding.subtracted]
    return None if value is None or less is None else value - less


def _worst(finding: Finding, rows: Iterable[Row]) -> Row | None:
    """The row whose value is furthest from what is claimed; None if nothing was measured."""
    measured = {value: row for row in rows if (value := _value(finding, row)) is not None}
    _, _, worst = RELATIONS[finding.relation]
    return measured[worst(measured)] if measured else None


def _over_seeds(
    finding: Finding, identity: Mapping[str, Any], observed: Sequence[Row | None], bound: float
) -> dict[str, Any]:
    """The row of a finding.

    identity: model, finding, task, variable and seeds.
    observed: the row of each seed; None where nothing was measured: the claim does not hold there.
    """
    sign, compare, _ = RELATIONS[finding.relation]
    values = [None if row is None else _value(finding, row) for row in observed]
    known = [value for value in values if value is not None]
    n_holds = sum(compare(value, bound) for value in known)
    beside = [
        row[column]
        for column in finding.compared
        for row in observed
        if row is not None and row[column] is not None
    ]
    complete = {
        **identity,
        "measured": finding.measured,
        "criterion": f"{sign} {bound:g}",
        "values": values,
        "mean": statistics.fmean(known),
        "low": min(known),
        "high": max(known),
        "compared": next(iter(finding.compared.values()), None),
        "compared_low": min(beside, default=None),
        "compared_high": max(beside, default=None),
        "n_holds": n_holds,
        "holds": n_holds == len(observed),
    }
    complete["sentence"] = _sentence(finding, complete)
    return {name: complete[name] for name in COLUMNS}


def _sentence(finding: Finding, row: Mapping[str, Any]) -> str:
    """What the row says, with the range over seeds and whether it holds in each."""
    variable = "" if row["variable"] is None else variable_symbol(row["variable"])
    measured = f"{finding.measured}: {_range(row['low'], row['high'])}"
    if row["compared_low"] is not None:
        measured += f"; {row['compared']}: {_range(row['compared_low'], row['compared_high'])}"
    n_seeds = len(row["seeds"])
    seeds = "1 seed" if n_seeds == 1 else f"{n_seeds} seeds"
    if not row["holds"]:
        verdict = f"Does not hold: {row['n_holds']} of {seeds}."
    else:
        verdict = "Holds in 1 seed." if n_seeds == 1 else f"Holds in each of {seeds}."
    return f"{row['task']}: {finding.claim.format(variable=variable)} ({measured}). {verdict}"


def _range(low: float, high: float) -> str:
    """Lowest and highest value as text: shares with three digits, numbers of tokens with none."""
    ends = [f"{end:.3f}" if isinstance(end, float) else str(end) for end in (low, high)]
    return " to ".join(dict.fromkeys(ends))

"""Existing datasets: files that the user provides instead of a template, checked row by row.

The rule `dataset` reads them with the JSON schema of a row and writes them where generated splits
are, so that all later stages read both kinds alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError, located
from think_to_talk.files.external import read_checked
from think_to_talk.formulas.cuts import Chain, shortened
from think_to_talk.formulas.equations import read_equation, substituted


def read_dataset(
    path: str | Path,
    schema: Mapping[str, Any],
    chain: Chain = "full",
    values: Sequence[int] = (0, 9),
) -> list[dict[str, Any]]:
    """Read a split of an existing dataset.

    path: a file in JSON Lines.
    schema: the JSON schema of one row.
    chain: of the rows that are returned, as of `cuts.shortened`; `full` is as in the file.
    values: the smallest and largest value that a variable may have.
    Raises InputError, which names file, line and key, if a row does not fit the schema, if its keys
    contradict each other, if an equation does not hold with the row's labels, or if rows differ in
    their number of variables.
    """
    rows = read_checked(path, schema)
    n_variables = len(rows[0]["intermediate_questions"])
    for number, row in enumerate(rows, start=1):
        for key, problem in _contradictions(row, n_variables):
            raise InputError(f"{path}, line {number}, key {key!r}: {problem}")
        for value in row["intermediate_answers"]:
            if not values[0] <= value <= values[1]:
                raise InputError(
                    f"{path}, line {number}, key 'intermediate_answers': {value}, the task's "
                    f"values are {values[0]} to {values[1]}: set its `values`"
                )
    with located(str(path)):
        return [shortened(row, chain) for row in rows]


def _contradictions(row: Mapping[str, Any], n_variables: int) -> Iterator[tuple[str, str]]:
    """(key, problem) of each key of a row that disagrees with another."""
    if "spans" in row:
        yield "spans", "expected symbols; marked spans are of a task with `free_text: {}`"
    if "symbolic_source" in row:
        yield "symbolic_source", "expected symbols; give a worded task's equations and wording"
    questions, answers = row["intermediate_questions"], row["intermediate_answers"]
    if len(questions) != n_variables:
        yield "intermediate_questions", f"{len(questions)} variables, line 1 has {n_variables}"
    names = [question.removesuffix(" =") for question in questions]
    for name in names:
        if re.fullmatch("[A-Za-z]+", name) is None:
            yield "intermediate_questions", f"variable {name!r}, expected letters from a to z"
        if names.count(name) > 1:
            yield "intermediate_questions", f"variable {name!r} found twice, expected once"
    if len(answers) != len(questions):
        yield "intermediate_answers", f"{len(answers)} for {len(questions)} intermediate_questions"
    if row["target"] != f" {row['scratchpad']}\n":
        yield "scratchpad", "expected the target without its leading space and newline"
    if row["scratchpad"].split()[-1:] != [row["original_answer"]]:
        yield "original_answer", f"{row['original_answer']!r} is not what the scratchpad ends with"
    yield from _false_statements(row, dict(zip(names, answers, strict=True)))


def _false_statements(
    row: Mapping[str, Any], values: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    """(key, problem) of each equation or answer that does not follow from the labels.

    values: {variable: its label}.
    """
    problem, _, question = row["source"].rpartition(";")
    asked = question.replace(" ", "").removesuffix("=?")
    if asked not in values:
        yield (
            "source",
            f"asks for {asked!r}, expected one of the intermediate_questions: {', '.join(values)}",
        )
    elif str(values[asked]) != row["original_answer"]:
        yield (
            "original_answer",
            f"{row['original_answer']!r}, intermediate_answers gives {asked} = {values[asked]}",
        )
    # A chain may be cut: `z = 0 + o ; z = 9`, or `; z = 9`.
    chain = row["scratchpad"].removeprefix(";").replace(";", ",")
    for key, text in (("source", problem), ("scratchpad", chain)):
        defined = set()
        for equation in text.split(","):
            name, error = _checked(equation.strip(), values)
            if error:
                yield key, error
            defined.add(name)
        missing = [name for name in values if name not in defined]
        if key == "source" and missing:
            yield key, f"no equation of the variable {missing[0]!r} of intermediate_questions"
    if asked not in defined:
        yield "scratchpad", f"no equation of {asked!r}, which the source asks for"


def _checked(equation: str, values: Mapping[str, int]) -> tuple[str, str | None]:
    """The variable on the left of an equation, and what is wrong with the equation, if anything."""
    read = read_equation(equation)
    if read is None:
        return "", f"{equation!r}, expected an equation such as 'b = 1 + a'"
    name, terms = read
    for variable in (name, *(term for _, term in terms)):
        if not variable.isdigit() and variable not in values:
            return name, f"{equation!r}: {variable!r} is not in intermediate_questions"
    result = sum(sign * number for sign, number in substituted(terms, values))
    if result != values[name]:
        return name, (
            f"{equation!r} gives {result}, intermediate_answers gives {name} = {values[name]}"
        )
    return name, None

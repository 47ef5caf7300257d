"""Free-text datasets: rows in any words, which name their spans and targets explicitly.

Other rows are in our grammar, and what is studied of them is read from it. Here it is written in
the rows (schemas/free_text_row.schema.yaml). The rule `free_text` checks them and writes them with
the keys of all datasets and their spans, so that later stages read all kinds alike; `tokens.spans`
finds the tokens of spans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.files.external import read_checked
from think_to_talk.formulas.answer_patterns import read_answer
from think_to_talk.formulas.spans import axis
from think_to_talk.formulas.symbols import variable_symbol

Row = Mapping[str, Any]


def read_free_text(
    path: str | Path,
    schema: Mapping[str, Any],
    settings: Mapping[str, Any],
    values: Sequence[int] = (0, 9),
) -> list[dict[str, Any]]:
    """Read a split of a free-text dataset, as rows of a dataset.

    path: a file in JSON Lines.
    schema: the JSON schema of one row.
    settings: the task's `free_text`.
    values: the smallest and largest class that a target may have.
    Raises InputError, which names file, line and key, if a row does not fit the schema, if its keys
    contradict each other, or if rows differ in their targets or in the labels of their spans.
    """
    rows = read_checked(path, schema)
    for number, row in enumerate(rows, start=1):
        for key, problem in _contradictions(row, rows[0], settings, values):
            raise InputError(f"{path}, line {number}, key {key!r}: {problem}")
    return [dataset_row(row, settings) for row in rows]


def dataset_row(row: Row, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A free-text row with the keys of a dataset row.

    settings: the task's `free_text`.
    """
    kept = {key: row[key] for key in ("expressions", "few_shot_context") if key in row}
    if "answer_pattern" in settings:
        kept["answer_pattern"] = settings["answer_pattern"]
    return {
        "source": row["source"],
        "target": row["target"],
        "original_answer": str(row["answer"]),
        "intermediate_questions": [f"{name} =" for name in sorted(row["targets"])],
        "intermediate_answers": [value for _, value in sorted(row["targets"].items())],
        "scratchpad": row["target"].strip(),
        "spans": row["spans"],
        **kept,
    }


def _contradictions(
    row: Row, first: Row, settings: Mapping[str, Any], values: Sequence[int]
) -> Iterator[tuple[str, str]]:
    """(key, problem) of each key of a row that disagrees with another, or with the first row's."""
    names = [variable_symbol(target) for target in range(len(row["targets"]))]
    if sorted(row["targets"]) != names:
        yield "targets", f"{', '.join(row['targets'])}, expected {', '.join(names)}"
    if len(names) != len(first["targets"]):
        yield "targets", f"{len(names)} targets, line 1 has {len(first['targets'])}"
    for name, value in row["targets"].items():
        if not values[0] <= value <= values[1]:
            yield (
                "targets",
                f"{name} is {value}, the task's values are {values[0]} to {values[1]}: set its "
                "`values`",
            )
    for problem in _bad_spans(row):
        yield "spans", problem
    for problem in _other_axis(row["spans"], first["spans"]):
        yield "spans", problem
    pattern = settings.get("answer_pattern")
    read = pattern and read_answer(row["target"].strip(), pattern)
    if pattern and read != str(row["answer"]):
        yield (
            "answer",
            f"{str(row['answer'])!r}, but free_text.answer_pattern reads {read!r} in the target",
        )
    expressions = row.get("expressions", {})
    for name in expressions:
        if name not in row["targets"]:
            yield "expressions", f"{name!r} is none of the targets {', '.join(row['targets'])}"
    if sorted(expressions) != sorted(first.get("expressions", {})):
        there = ", ".join(first.get("expressions", {})) or "none"
        yield "expressions", f"of {', '.join(expressions) or 'none'}, line 1 has those of {there}"


def _bad_spans(row: Row) -> Iterator[str]:
    """What is wrong with the spans of a row, each for itself and beside the one before it."""
    spans = row["spans"]
    for number, span in enumerate(spans, start=1):
        text, start, end = row[span["text"]], span["start"], span["end"]
        where = f"span {number} ({span['label']}, {start} to {end} of {span['text']})"
        if not start < end:
            yield f"{where} ends before it begins; expected start < end"
        elif end > len(text.rstrip("\n")):
            yield f"{where} is out of range: the text has {len(text.rstrip())} characters"
        elif text[start:end].strip() != text[start:end]:
            yield f"{where} is {text[start:end]!r}; mark it without the spaces around it"
        in_source = span["text"] == "source"
        if in_source != (span["equation"] < 0):
            yield (
                f"{where} has equation {span['equation']}; expected -1, -2 ... in the source and "
                "0, 1 ... in the target"
            )
        before = spans[number - 2] if number > 1 else None
        if before is None:
            continue
        if before["text"] == span["text"] and start < before["end"] and before["start"] < end:
            yield f"{where} overlaps span {number - 1}; mark spans apart from each other"
        elif (before["text"], before["start"]) > (span["text"], start):
            yield f"{where} is written before span {number - 1}; give spans in the order of writing"
        elif before["equation"] > span["equation"]:
            yield (
                f"{where} has equation {span['equation']}, span {number - 1} before it "
                f"{before['equation']}; equations cannot decrease"
            )
    for text in ("source", "target"):
        if all(span["text"] != text for span in spans):
            yield f"no span of the {text}, expected at least one"


def _other_axis(spans: Sequence[Row], first: Sequence[Row]) -> Iterator[str]:
    """How the spans of a row differ from those of the first row in what rows have in common."""
    if len(spans) != len(first):
        yield f"{len(spans)} spans, line 1 has {len(first)}; the rows of a task share one axis"
    for number, (own, other) in enumerate(zip(axis(spans), axis(first), strict=False), start=1):
        if own != other:
            ((text, label, equation), (text_1, label_1, equation_1)) = own, other
            yield (
                f"span {number} is {label} of equation {equation} in the {text}, line 1 has "
                f"{label_1} of equation {equation_1} in the {text_1}; the rows of a task share one "
                "axis"
            )
            return

"""Probe rows that the published code wrote, as rows of ours.

The published code (Kudo et al., arXiv:2412.01113) writes a JSON object per layer, position and
variable, with eight keys. A row of ours has them too, and says where the position is: its symbol
and equation, which are read here from the rows' tokens and from a task's dataset. `timing`,
`figures` and `pages` then treat both alike. What such rows do not say is null: held-out accuracy,
how a probe was fitted, and on how many rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.files.external import read_checked
from think_to_talk.formulas.symbols import EITHER_OPERATOR, SYMBOLS
from think_to_talk.intervals import wilson_interval
from think_to_talk.probes.accuracy import NO_PREDICTION
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import lay_out

#: How tokenizers write a space and a newline within a token.
_WRITTEN = {"Ġ": " ", "▁": " ", "Ċ": "\n", "<0x0A>": "\n"}

_OPERATORS = "+-"

#: A published score is stored in single precision.
_ROUNDING = 1e-5

Row = Mapping[str, Any]


def read_published_rows(
    path: str | Path, schema: Mapping[str, Any], dataset: Sequence[Row]
) -> list[dict[str, Any]]:
    """The rows of a published file, with the keys of `schemas/probe_row.schema.yaml`.

    path: JSON Lines, one probe per line.
    schema: the JSON schema of one line.
    dataset: rows of the task; they tell which symbol is which variable, and where rows differ in
        the operator.
    Raises InputError, which names the file and what differs, if a line does not fit the schema, if
    a layer, position or variable is missing or twice, if answers or scores contradict each other,
    or if the tokens are not those of the task's problems.
    """
    rows = read_checked(path, schema)
    layers, positions, variables = (
        sorted({row[key] for row in rows}) for key in ("layer", "position", "intermediate_answer")
    )
    _check_complete(path, rows, layers, positions, variables)
    answers = _answers(path, rows)
    tokens = {row["position"]: row["token"] for row in rows}
    layout = _layout(path, [tokens[position] for position in positions], dataset)
    n_variables = len(dataset[0]["intermediate_questions"])
    if variables[-1] >= n_variables:
        raise InputError(
            f"{path}: intermediate_answer is up to {variables[-1]}, but problems of the task have "
            f"{n_variables} variables: name the rows' own task"
        )
    converted = [
        _converted(f"{path}, line {number}", row, answers[row["intermediate_answer"]], layout)
        for number, row in enumerate(rows, start=1)
    ]
    return sorted(converted, key=lambda row: (row["layer"], row["position"], row["variable"]))


def _check_complete(
    path: str | Path,
    rows: Sequence[Row],
    layers: Sequence[int],
    positions: Sequence[int],
    variables: Sequence[int],
) -> None:
    if positions != list(range(len(positions))):
        missing = next(i for i, p in enumerate(positions) if i != p)
        raise InputError(f"{path}: no row of position {missing}, expected all from 0 on")
    found: set[tuple[int, int, int]] = set()
    for number, row in enumerate(rows, start=1):
        probe = (row["layer"], row["position"], row["intermediate_answer"])
        if probe in found:
            raise InputError(f"{path}, line {number}: a second row of {_named(probe)}")
        found.add(probe)
    for probe in itertools.product(layers, positions, variables):
        if probe not in found:
            raise InputError(f"{path}: no row of {_named(probe)}, expected one of each combination")


def _named(probe: tuple[int, int, int]) -> str:
    return "layer {}, position {}, intermediate_answer {}".format(*probe)


def _answers(path: str | Path, rows: Sequence[Row]) -> dict[int, dict[int, int]]:
    """{variable: {number of a test row: the variable's value}}.

    A row that is too short for a position may be missing there, so all positions are read.
    """
    answers: dict[int, dict[int, int]] = {}
    for number, row in enumerate(rows, start=1):
        where = f"{path}, line {number}"
        n = len(row["sample_ids"])
        for key in ("answer", "predictions"):
            if len(row[key]) != n:
                raise InputError(
                    f"{where}, key {key!r}: {len(row[key])} values, sample_ids has {n}"
                )
        if len(set(row["sample_ids"])) != n:
            raise InputError(f"{where}, key 'sample_ids': a number is there twice")
        known = answers.setdefault(row["intermediate_answer"], {})
        for sample, answer in zip(row["sample_ids"], row["answer"], strict=True):
            if known.setdefault(sample, int(answer)) != answer:
                raise InputError(
                    f"{where}, key 'answer': {int(answer)} for test row {sample}, an earlier line "
                    f"has {known[sample]}"
                )
    return answers


def _converted(where: str, row: Row, answers: Mapping[int, int], layout: Layout) -> dict[str, Any]:
    """A row of ours. answers: {number of a test row: value} of all test rows of the variable."""
    predicted = dict(zip(row["sample_ids"], map(int, row["predictions"]), strict=True))
    samples = sorted(answers)
    values = [answers[sample] for sample in samples]
    predictions = [predicted.get(sample, NO_PREDICTION) for sample in samples]
    n = len(values)
    hits = sum(a == b for a, b in zip(values, predictions, strict=True))
    if abs(hits / n - row["score"]) > _ROUNDING:
        raise InputError(
            f"{where}, key 'score': {row['score']:.4g}, but {hits} of {n} predictions are right"
        )
    low, high = wilson_interval(hits, n)
    return {
        "layer": row["layer"],
        "position": row["position"],
        **layout.place(row["position"]),
        "token": row["token"],
        "intermediate_answer": row["intermediate_answer"],
        "variable": row["intermediate_answer"],
        "score": hits / n,
        "ci_low": low,
        "ci_high": high,
        **dict.fromkeys(("heldout_score", "heldout_ci_low", "heldout_ci_high")),
        "chance": max(map(values.count, set(values))) / n,
        "answer": values,
        "predictions": predictions,
        "heldout_predictions": None,
        "solver": None,
        "n_train": None,
        "n_test": n,
        "sample_ids": samples,
    }


def _layout(path: str | Path, tokens: Sequence[str], dataset: Sequence[Row]) -> Layout:
    """The symbol at each position. tokens: of one problem and its chain of thought."""
    pieces = [_text(token) for token in tokens]
    characters = [
        (position, character)
        for position, piece in enumerate(pieces)
        for character in piece
        if character != " "
    ]
    expected = [_symbols(row) for row in dataset]
    names: dict[str, str] = {}
    for place, (position, character) in enumerate(characters):
        where = f"{path}: token {position}, {tokens[position]!r}"
        if character not in SYMBOLS:
            raise InputError(f"{where}: {character!r} is not a symbol of problems")
        like = expected[0][place] if place < len(expected[0]) else ""
        fits = _kind(character) == _kind(like)
        if like.isalpha():
            fits = fits and names.setdefault(like, character) == character
        if not fits:
            raise InputError(
                f"{where}: {character!r} where problems of the task, such as "
                f"{dataset[0]['source']!r}, have {like or 'ended'!r}: name the rows' own task"
            )
    text = "".join(pieces)
    source, question, target = text.partition("?")
    if not target.strip():
        raise InputError(f"{path}: the last token is {tokens[-1]!r}, expected a chain of thought")
    ends = list(itertools.accumulate(map(len, pieces)))
    spans = list(zip([0, *ends], ends, strict=False))
    letters = [question.split()[0] for question in dataset[0]["intermediate_questions"]]
    problem = {
        "source": source + question,
        "target": target,
        "intermediate_questions": [f"{names[letter]} =" for letter in letters],
    }
    layout = lay_out(problem, spans, sum(end <= len(source) + 1 for end in ends))
    symbols = tuple(
        EITHER_OPERATOR if len({row[i] for row in expected} & set(_OPERATORS)) > 1 else symbol
        for i, symbol in enumerate(layout.symbols)
    )
    return Layout(symbols, layout.position_symbol, layout.completes, layout.n_problem)


def _text(token: str) -> str:
    for written, character in _WRITTEN.items():
        token = token.replace(written, character)
    return token


def _symbols(row: Row) -> list[str]:
    return [c for c in row["source"] + row["target"] if c != " "]


def _kind(character: str) -> str:
    """A character, but one that stands for all letters, digits or operators."""
    if character in _OPERATORS:
        return EITHER_OPERATOR
    return "a" if character.isalpha() else "0" if character.isdigit() else character

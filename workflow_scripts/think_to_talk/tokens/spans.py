"""Marked spans of free text as tokens: the token that completes each span.

Rows of free text (`formulas.free_text`) mark the parts of their texts that are positions of the
task. The hidden state of a span is that of its last token, which has read the span and nothing
behind it but spaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.tokens.layout import Layout

Row = Mapping[str, Any]


def lay_out_spans(row: Row, tokens: Sequence[tuple[int, int] | None], n_problem: int) -> Layout:
    """The layout of one row of free text: each span at the token that completes it.

    row: of a dataset, with spans.
    tokens: [tokens] (start, end) of each in characters, relative to the problem's start; None for
        tokens of a chat template.
    n_problem: tokens before the chain of thought.
    Raises InputError, which names row and span, if no token ends with a span.
    """
    text, spans = row["source"] + row["target"], row["spans"]
    position_symbol: list[int | None] = [None] * len(tokens)
    for number, span in enumerate(spans):
        start, end = _in_text(row, span)
        covering = [
            (position, token)
            for position, token in enumerate(tokens)
            if token is not None and token[0] < end <= token[1]
        ]
        # Tokens that are parts of one character all cover it; the last of them completes it.
        position, token = covering[-1] if covering else (None, (end, end))
        behind = text[end : token[1]]
        if position is None or behind.strip():
            raise InputError(
                f"row {row['source'][:60]!r}: no token ends with span {number + 1} "
                f"({text[start:end]!r} of the {span['text']}): "
                + (
                    f"the tokenizer has {text[slice(*token)]!r} as one token; mark all of it"
                    if behind
                    else "the tokenizer leaves it out"
                )
            )
        position_symbol[position] = number
    return Layout(
        symbols=tuple(span["label"] for span in spans),
        position_symbol=tuple(position_symbol),
        completes=tuple(symbol is not None for symbol in position_symbol),
        n_problem=n_problem,
        numbers=tuple(span["equation"] for span in spans),
    )


def span_texts(row: Row) -> list[str]:
    """The marked texts of a row, in the order of its spans."""
    text = row["source"] + row["target"]
    return [text[slice(*_in_text(row, span))] for span in row["spans"]]


def _in_text(row: Row, span: Row) -> tuple[int, int]:
    """(start, end) of a span, in characters from the beginning of the source."""
    before = len(row["source"]) if span["text"] == "target" else 0
    return before + span["start"], before + span["end"]

"""Rows of datasets and pairs: base problems, few-shot examples, and correct generations.

A module of its own because `tokens`, `hidden_states` and `interventions` need these functions, but
not the drawing of problems.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.answer_patterns import read_answer
from think_to_talk.formulas.symbols import text_symbols


def base_row(pair: Mapping[str, Any]) -> dict[str, Any]:
    """The base problem of a pair as a dataset row, without the prefix `base_`."""
    return {
        key.removeprefix("base_"): value for key, value in pair.items() if key.startswith("base_")
    }


def is_correct(generation: str, example: Mapping[str, Any]) -> bool:
    """Whether a generation, up to its newline, has the symbols of the gold scratchpad.

    Spaces between symbols are ignored; `1 2` is not the number `12`. Of free text with an answer
    pattern, whether the final answer is right.
    """
    if "answer_pattern" in example:
        read = read_answer(generation.split("\n")[0], example["answer_pattern"])
        return read == example["original_answer"]
    return text_symbols(generation.split("\n")[0]) == text_symbols(example["scratchpad"])


def examples(context: str) -> Iterator[tuple[str, str]]:
    """(text up to the chain, chain) of each few-shot example.

    Raises InputError for an example without a question.
    """
    for number, example in enumerate(context.splitlines()):
        problem, question, rest = example.partition("?")
        if not question:
            raise InputError(
                f"few_shot_context: example {number + 1}, {example!r}, has no `?`, expected a "
                "problem, its question and its chain of thought"
            )
        chain = rest.lstrip()
        yield f"{problem}{question}{rest.removesuffix(chain)}", chain


def first_shots(context: str, shots: int | str) -> str:
    """The first `shots` examples of a few-shot context, or all of them.

    context: examples, each of which ends with a newline.
    shots: a number, or `all`.
    Raises InputError if there are fewer examples.
    """
    examples = context.splitlines(keepends=True)
    if shots == "all":
        return context
    assert isinstance(shots, int)
    if shots > len(examples):
        raise InputError(
            f"shots: {shots} examples are asked for, few_shot_context has {len(examples)}"
        )
    return "".join(examples[:shots])

"""The explorer's examples: test rows with the chain that the model wrote, wrong ones first.

`data` stores the probes' predictions for these rows alone, one character per position.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from think_to_talk.formulas.stated_values import number_in_place, stated_result
from think_to_talk.formulas.symbols import probed_digit, sentences, text_symbols, variable_symbol

Row = Mapping[str, Any]

#: Examples of a model, seed and task in a study of few of these.
N_EXAMPLES = 20

#: Examples of a study, shared out to its models, seeds and tasks: they are most of its page.
_N_IN_ALL = 400

#: Stands for a position that the row, or the probe, does not have.
NO_PREDICTION = "."


def examples_each(n_results: int) -> int:
    """Examples of each model, seed and task, if there are so many of these; at least two."""
    return max(2, min(N_EXAMPLES, _N_IN_ALL // n_results))


def choose_examples(generations: Sequence[Row], most: int = N_EXAMPLES) -> list[Row]:
    """The rows that are shown: wrong ones first, then right ones, each in the order of rows.

    generations: of all test rows (schemas/generation_row.schema.yaml).
    most: how many are shown, at most half of them wrong where enough are right.
    """
    wrong = [row for row in generations if not row["correct"]]
    right = [row for row in generations if row["correct"]]
    n_wrong = max(most // 2, most - len(right))
    wrong = wrong[:n_wrong]
    return wrong + right[: most - len(wrong)]


def example_data(generation: Row, positions: Iterable[Row], variables: Iterable[int]) -> Row:
    """One example.

    generation: its row.
    positions: a probe row of each position.
    variables: their indices.
    Returned are `row`, `source`, `generation`, `correct`, `aligned` and, of free text, `spans` as
    they are; `gold`, the gold chain, or null where the model wrote it; `ended`; and `written`,
    [variables] the last number that the model's chain says of each as text, or null.
    """
    gold, written = generation["scratchpad"], generation["generation"]
    of_symbol = _names(text_symbols(generation["source"] + gold), positions)
    probed = list(map(probed_digit, variables))
    # Which of its words state a value is not known of free text.
    is_read = "spans" not in generation
    names = [of_symbol.get(variable_symbol(v)) if is_read else None for v, _ in probed]
    kept = ("row", "source", "generation", "correct", "aligned", "ended", "spans")
    return {
        **{key: generation[key] for key in kept if key in generation},
        "gold": None if text_symbols(written) == text_symbols(gold) else gold,
        "written": [
            _digit(last_number(written, name, stated_result(gold, name, names)), digit)
            for name, (_, digit) in zip(names, probed, strict=True)
        ],
    }


def _digit(number: str | None, place: int | None) -> str | None:
    """A digit of a number, 0 where it has none there, or the number itself without a place."""
    return number if number is None or place is None else number.lstrip("-").zfill(9)[-1 - place]


def last_number(chain: str, name: str | None, result: Sequence[str] = ()) -> str | None:
    """The number in the last equation `name = number` of a chain; None without such an equation.

    result: the symbols of a sentence that states the variable's value, in place of an equation.
    """
    found = None
    for equation in sentences(chain):
        symbols = text_symbols(equation)
        if result:
            found = number_in_place(symbols, result) or found
            continue
        left, *right = symbols or [""]
        if left == name and re.fullmatch("= -?[0-9]+", " ".join(right).replace("- ", "-")):
            found = "".join(right[1:])
    return found


def encode_predictions(
    predictions: Sequence[Sequence[int] | None], samples: Sequence[int]
) -> list[str | list[str]]:
    """[samples][positions] the value that is predicted, or NO_PREDICTION, as text.

    Where all are digits, a string has a character per position.

    predictions: [positions][test rows], -1 where the row has no such position; None without probe.
    samples: places among the test rows.
    """
    encoded: list[str | list[str]] = []
    for sample in samples:
        read = [
            NO_PREDICTION if of_rows is None or of_rows[sample] < 0 else str(of_rows[sample])
            for of_rows in predictions
        ]
        encoded.append("".join(read) if all(len(text) == 1 for text in read) else read)
    return encoded


def _names(symbols: Sequence[str], positions: Iterable[Row]) -> dict[str, str]:
    """{variable on the symbol axis: its name in a row}, of variables that complete a token.

    symbols: of the row's problem and gold chain.
    """
    return {
        row["symbol"]: symbols[row["symbol_index"]]
        for row in positions
        if row["symbol_index"] is not None and row["symbol_index"] < len(symbols)
    }

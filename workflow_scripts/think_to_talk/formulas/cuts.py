"""Cut chains of thought: some equations of a gold chain, then the answer at once.

In a cut chain ` z = 0 + o , o = 4 + 5 ; z = 9`, the `;` means "answer now". `forced_answers` asks a
model for its answer there (early answering: Lanham et al., arXiv:2307.13702), `models.training`
shows a model such chains, and few-shot examples that are cut show them to a pretrained one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from think_to_talk.errors import InputError

_SEPARATOR = re.compile(r"\s*,\s*")


def n_cuts(row: Mapping[str, Any]) -> int:
    """The places where a row's chain can be cut: before its first equation, and after each other.

    The last equation is the answer itself.
    """
    return _n_cuts(row["scratchpad"])


def cut_row(row: Mapping[str, Any], equations: int) -> dict[str, Any]:
    """The row with its chain cut after so many equations, from 0 to `n_cuts(row)` - 1."""
    chain = _cut(row["scratchpad"], equations)
    return {**row, "scratchpad": chain, "target": f" {chain}\n"}


def cut_examples(context: str, seed: int) -> str:
    """Few-shot examples, the chain of each cut at a place of its own.

    context: examples, each of which ends with a newline.
    seed: of the places, which are equally likely; that of an example depends on its number alone.
    Raises InputError for an example without a question.
    """
    examples = []
    for number, example in enumerate(context.splitlines()):
        problem, question, rest = example.partition("=?")
        if not question:
            raise InputError(
                f"few_shot_context: example {number + 1}, {example!r}, has no `=?`, expected a "
                "problem, its question and its chain of thought"
            )
        chain = rest.lstrip()
        place = random.Random(f"{seed} {number}").randrange(_n_cuts(chain))
        space = rest.removesuffix(chain)
        examples.append(f"{problem}{question}{space}{_cut(chain, place)}\n")
    return "".join(examples)


def _n_cuts(chain: str) -> int:
    return 1 + len(_SEPARATOR.findall(chain))


def _cut(chain: str, equations: int) -> str:
    """The first equations of a chain, then its answer; spaces are as in the chain."""
    separators = list(_SEPARATOR.finditer(chain))
    assert 0 <= equations <= len(separators), (chain, equations)
    if not separators:
        return f"; {chain}"
    answer = chain[separators[-1].end() :]
    separator = separators[max(equations - 1, 0)]
    kept = chain[: separator.start()] if equations else ""
    return (kept + separator[0].replace(",", ";") + answer).lstrip()

"""Cut chains of thought: some equations of a gold chain, then the answer at once.

In a cut chain ` z = 0 + o , o = 4 + 5 ; z = 9`, the `;` means "answer now". `forced_answers` asks a
model for its answer there (early answering: Lanham et al., arXiv:2307.13702), `models.training`
shows a model such chains, and few-shot examples that are cut show them to a pretrained one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

_BETWEEN = " , "


def n_cuts(row: Mapping[str, Any]) -> int:
    """The places where a row's chain can be cut: before its first equation, and after each other.

    The last equation is the answer itself.
    """
    return len(row["scratchpad"].split(_BETWEEN))


def cut_row(row: Mapping[str, Any], equations: int) -> dict[str, Any]:
    """The row with its chain cut after so many equations, from 0 to `n_cuts(row)` - 1."""
    chain = _cut(row["scratchpad"], equations)
    return {**row, "scratchpad": chain, "target": f" {chain}\n"}


def cut_examples(context: str, seed: int) -> str:
    """Few-shot examples, the chain of each cut at a place of its own.

    context: examples, each of which ends with a newline.
    seed: of the places, which are equally likely; that of an example depends on its number alone.
    """
    examples = []
    for number, example in enumerate(context.splitlines()):
        problem, question, chain = example.partition("=?")
        chain = chain.strip()
        place = random.Random(f"{seed} {number}").randrange(len(chain.split(_BETWEEN)))
        examples.append(f"{problem}{question} {_cut(chain, place)}\n")
    return "".join(examples)


def _cut(chain: str, equations: int) -> str:
    """The first equations of a chain, then its answer."""
    kept = chain.split(_BETWEEN)
    assert 0 <= equations < len(kept), (chain, equations)
    return f"{_BETWEEN.join(kept[:equations])} ; {kept[-1]}".strip()

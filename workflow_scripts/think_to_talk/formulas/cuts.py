"""Cut chains of thought: some equations of a gold chain, then the answer at once.

In a cut chain ` z = 0 + o , o = 4 + 5 ; z = 9`, the `;` means "answer now". `forced_answers` asks a
model for its answer there (early answering: Lanham et al., arXiv:2307.13702), `models.training`
shows a model such chains, and few-shot examples that are cut show them to a pretrained one. The
chains of a whole task may be cut, or left out but for the answer, ` z = 9`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.rows import examples
from think_to_talk.formulas.symbols import SEPARATORS

#: Of the chains of a task: whole, the answer alone, or cut after so many equations.
Chain = str | int

_SEPARATOR = re.compile(rf"\s*[{SEPARATORS}]\s*")


def n_cuts(row: Mapping[str, Any]) -> int:
    """The places where a row's chain can be cut: before its first equation, and after each other.

    The last equation is the answer itself.
    """
    return _n_cuts(row["scratchpad"])


def cut_row(row: Mapping[str, Any], equations: int) -> dict[str, Any]:
    """The row with its chain cut after so many equations, from 0 to `n_cuts(row)` - 1.

    A chain that is the answer alone, ` z = 9`, answers at once as it is.
    """
    if _is_answer_alone(row["scratchpad"]):
        return dict(row)
    return _with_chain(row, _cut(row["scratchpad"], equations))


def shortened(row: Mapping[str, Any], chain: Chain) -> dict[str, Any]:
    """The row with the chain that its task asks for, in its few-shot examples, too.

    row: with its whole chain.
    chain: `full`; `none` for the answer alone; or the number of equations before `;` and answer. An
        example that has fewer equations keeps all but its answer's.
    Raises InputError if the row's chain has fewer equations.
    """
    if chain == "full":
        return dict(row)
    equations = n_cuts(row) - 1
    if isinstance(chain, int) and chain > equations:
        raise InputError(
            f"chain: {chain} equations are asked for before the answer; {row['scratchpad']!r} has "
            f"{equations}"
        )
    shown = _with_chain(row, _shortened(row["scratchpad"], chain))
    if "few_shot_context" in row:
        shown["few_shot_context"] = _shortened_examples(row["few_shot_context"], chain)
    return shown


def shortened_example(row: Mapping[str, Any], chain: Chain) -> dict[str, Any]:
    """The row of a few-shot example with such a chain; `chain` is as of `shortened`."""
    return _with_chain(row, _shortened(row["scratchpad"], chain))


# All rows of a task have the same examples.
@lru_cache(maxsize=8)
def _shortened_examples(context: str, chain: Chain) -> str:
    return "".join(
        f"{question}{_shortened(written, chain)}\n" for question, written in examples(context)
    )


def _shortened(written: str, chain: Chain) -> str:
    """A chain as a task asks for it; `chain` is as of `shortened`."""
    if chain == "full":
        return written
    if chain == "none":
        return _SEPARATOR.split(written)[-1]
    assert isinstance(chain, int)
    return _cut(written, min(chain, _n_cuts(written) - 1))


def cut_examples(context: str, seed: int) -> str:
    """Few-shot examples, the chain of each cut at a place of its own.

    Where all of them are answers alone, they are left as they are.

    context: examples, each of which ends with a newline.
    seed: of the places, which are equally likely; that of an example depends on its number alone.
    Raises InputError for an example without a question.
    """
    whole = list(examples(context))
    if all(_is_answer_alone(chain) for _, chain in whole):
        return context
    shown = []
    for number, (question, chain) in enumerate(whole):
        place = random.Random(f"{seed} {number}").randrange(_n_cuts(chain))
        shown.append(f"{question}{_cut(chain, place)}\n")
    return "".join(shown)


def _with_chain(row: Mapping[str, Any], chain: str) -> dict[str, Any]:
    return {**row, "scratchpad": chain, "target": f" {chain}\n"}


def _is_answer_alone(chain: str) -> bool:
    return not _SEPARATOR.search(chain)


def _n_cuts(chain: str) -> int:
    return 1 + len(_SEPARATOR.findall(_equations(chain)))


def _equations(chain: str) -> str:
    """A chain without the `;` of one that is cut before its first equation."""
    return chain.removeprefix(";").lstrip()


def _cut(chain: str, equations: int) -> str:
    """The first equations of a chain, then its answer; spaces are as in the chain."""
    chain = _equations(chain)
    separators = list(_SEPARATOR.finditer(chain))
    assert 0 <= equations <= len(separators), (chain, equations)
    if not separators:
        return f"; {chain}"
    answer = chain[separators[-1].end() :]
    separator = separators[max(equations - 1, 0)]
    kept = chain[: separator.start()] if equations else ""
    return (kept + separator[0].replace(",", ";") + answer).lstrip()

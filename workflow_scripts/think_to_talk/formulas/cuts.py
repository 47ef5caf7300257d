"""Cut chains of thought: some equations of a gold chain, then the answer at once.

In a cut chain ` z = 0 + o , o = 4 + 5 ; z = 9`, the `;` means "answer now". `forced_answers` asks a
model for its answer there (early answering: Lanham et al., arXiv:2307.13702), `models.training`
shows a model such chains, and few-shot examples that are cut show them to a pretrained one. The
chains of a whole task may be cut, or left out but for the answer, ` z = 9`.

In words, a text of the wording says that the answer is due, and the answer: after some sentences of
the chain, `So Alice has 5 apples` in place of `Alice has 5 apples` at its end.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.rows import examples
from think_to_talk.formulas.symbols import SEPARATORS
from think_to_talk.formulas.wordings import ANSWER, CUT, Sentence

#: Of the chains of a task: whole, the answer alone, or cut after so many equations.
Chain = str | int

_SEPARATOR = re.compile(rf"\s*[{SEPARATORS}]\s*")


@dataclass(frozen=True)
class CutTexts:
    """How chains in words answer: whole ones, and cut ones, by a word that begins no other."""

    answer: Sentence
    cut: Sentence

    @classmethod
    def from_config(cls, texts: Mapping[str, str] | None) -> CutTexts | None:
        """Read what `wording_entries.cut_texts` gives of a task; None of symbols."""
        if texts is None:
            return None
        return cls(Sentence.of(texts[ANSWER]), Sentence.of(texts[CUT]))

    @property
    def sign(self) -> str:
        """What a cut chain's answer begins with, before the name: the answer is due."""
        return self.cut.parts[0]

    def announced(self, answer: str) -> str:
        """The last sentence of a whole chain as a cut one has it.

        Raises InputError if it is no such sentence.
        """
        read = self.answer.read(answer)
        if read is None:
            raise InputError(f"{answer!r} is no answer of the wording")
        return self.cut.write(read)


def n_cuts(row: Mapping[str, Any]) -> int:
    """The places where a row's chain can be cut: before its first equation, and after each other.

    The last equation is the answer itself.
    """
    return _n_cuts(row["scratchpad"])


def cut_row(
    row: Mapping[str, Any], equations: int, texts: CutTexts | None = None
) -> dict[str, Any]:
    """The row with its chain cut after so many equations, from 0 to `n_cuts(row)` - 1.

    A chain that is the answer alone, ` z = 9`, answers at once as it is.

    texts: of a row in words.
    """
    if _is_answer_alone(row["scratchpad"]):
        return dict(row)
    return _with_chain(row, _cut(row["scratchpad"], equations, texts))


def given_of_cut(row: Mapping[str, Any], texts: CutTexts | None = None) -> str:
    """What is given of a cut row's target: all up to the sign that its answer is due.

    A chain that is the answer alone has no sign, and nothing of it is given.

    texts: of a row in words.
    """
    target = row["target"]
    if texts is None:
        return "".join(target.rpartition(";")[:2])
    answer = _SEPARATOR.split(target)[-1].strip()
    if texts.cut.read(answer) is None:
        return ""
    return target[: target.rindex(answer) + len(texts.sign)]


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


def cut_examples(context: str, seed: int, texts: CutTexts | None = None) -> str:
    """Few-shot examples, the chain of each cut at a place of its own.

    Where all of them are answers alone, they are left as they are.

    context: examples, each of which ends with a newline.
    seed: of the places, which are equally likely; that of an example depends on its number alone.
    texts: of examples in words.
    Raises InputError for an example without a question.
    """
    whole = list(examples(context))
    if all(_is_answer_alone(chain) for _, chain in whole):
        return context
    shown = []
    for number, (question, chain) in enumerate(whole):
        place = random.Random(f"{seed} {number}").randrange(_n_cuts(chain))
        shown.append(f"{question}{_cut(chain, place, texts)}\n")
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


def _cut(chain: str, equations: int, texts: CutTexts | None = None) -> str:
    """The first equations of a chain, then its answer; spaces are as in the chain."""
    chain = _equations(chain)
    separators = list(_SEPARATOR.finditer(chain))
    assert 0 <= equations <= len(separators), (chain, equations)
    answer = chain[separators[-1].end() :] if separators else chain
    said = answer if texts is None else texts.announced(answer)
    if not separators:
        return said if texts else f"; {said}"
    separator = separators[max(equations - 1, 0)]
    kept = chain[: separator.start()] if equations else ""
    if texts is not None:
        return f"{kept}{separator[0]}{said}" if equations else said
    return (kept + separator[0].replace(",", ";") + said).lstrip()

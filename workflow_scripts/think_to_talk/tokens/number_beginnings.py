"""The tokens that numbers begin with in the gold chains of thought, one for each number or not.

What a head reads at a position is one token. A number of one token is read whole, and else by its
first token, which it may share with other numbers: 4 and 42 are read as the same where each digit
is a token. The logit lens reads numbers so; forced answers and patches, which write on, read whole
ones.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import UnreadError
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.tokens.blank_tokens import blank_tokens
from think_to_talk.tokens.digits import DigitTokens, number_places
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.shards import RaggedTokens, has_symbol_positions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from think_to_talk.files.shards import Shards


@dataclass(frozen=True)
class NumberBeginnings:
    """The first token of each number in the chains of a task.

    first: of each number, the ids that it begins with; those of numbers that share one are all the
        smallest one's.
    stands_for: [numbers] the smallest number that begins with the same token.
    missing: the numbers that no chain has, and whose tokens are unknown.
    are_whole: whether all numbers of the chains are single tokens.
    """

    first: DigitTokens
    stands_for: tuple[int, ...]
    missing: tuple[int, ...]
    are_whole: bool

    @classmethod
    def of(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        shards: Shards,
        layout: Layout,
        problems: Sequence[Mapping[str, Any]],
        tokens: Sequence[str],
        n_classes: int,
    ) -> NumberBeginnings:
        """The first tokens of all numbers of some chains.

        shards: of the tokens of all rows.
        layout: of the task.
        problems: the rows of the dataset.
        tokens: [positions] the tokens of one row, as text, for messages.
        n_classes: numbers, from 0 on.
        Raises UnreadError if a number of a chain shares a token with another symbol, or if all
        begin with the same token.
        """
        begins: defaultdict[int, set[int]] = defaultdict(set)
        are_whole = True
        for number, ids in _spelled(tokenizer, shards, layout, problems, tokens):
            begins[ids[0]].add(number)
            are_whole &= len(ids) == 1
        stands_for = list(range(n_classes))
        for numbers in begins.values():
            same = {stands_for[number] for number in numbers}
            stands_for = [min(same) if one in same else one for one in stands_for]
        known = {number for numbers in begins.values() for number in numbers}
        if len(known) > 1 and len({stands_for[number] for number in known}) == 1:
            raise UnreadError(
                f"the numbers of the chain of thought, such as {min(known)} and {max(known)}, all "
                "begin with the same token, expected other first tokens, to tell them apart"
            )
        first = tuple(
            tuple(sorted(token for token, of in begins.items() if stands_for[min(of)] == number))
            for number in range(n_classes)
        )
        missing = tuple(number for number in range(n_classes) if number not in known)
        return cls(DigitTokens(first), tuple(stands_for), missing, are_whole)

    def warn_of_missing(self, task: str, values: Collection[int]) -> None:
        """Warn of numbers that are never read, as no chain of the task has them.

        values: of the task's variables. Where first tokens are read, other numbers do not matter.
        """
        missing = [n for n in self.missing if self.are_whole or n in values]
        if missing:
            warnings.warn(
                f"no chain of thought of the test rows of {task} has the numbers {missing}: their "
                "tokens are unknown, and they are never read",
                stacklevel=2,
            )


def _spelled(
    tokenizer: PreTrainedTokenizerBase,
    shards: Shards,
    layout: Layout,
    problems: Sequence[Mapping[str, Any]],
    tokens: Sequence[str],
) -> set[tuple[int, tuple[int, ...]]]:
    """(number, its tokens) as it stands in the chains, without spaces before it.

    Arguments and errors as of `NumberBeginnings.of`.
    """
    places = number_places(layout, tokens)
    before = [layout.completing_tokens()[symbol - 1] for symbol in places]
    gold = shards.read("gold_ids").long()
    ends = torch.arange(layout.n_positions).expand(len(gold), -1) - layout.n_problem
    if has_symbol_positions(shards):
        ragged = RaggedTokens.read(shards)
        ends = ragged.symbol_token - ragged.problem_length[:, None]
    begin, end = ends[:, before] + 1, ends[:, list(places.values())] + 1
    texts = [text_symbols(row["source"] + row["target"]) for row in problems]
    found = {
        (int(text[symbol]), tuple(ids[first:last]))
        for text, ids, firsts, lasts in zip(
            texts, gold.tolist(), begin.tolist(), end.tolist(), strict=True
        )
        for symbol, first, last in zip(places, firsts, lasts, strict=True)
    }
    blank = blank_tokens(tokenizer, (token for _, ids in found for token in ids))
    return {(number, tuple(t for t in ids if t not in blank)) for number, ids in found}

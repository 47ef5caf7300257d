"""Pairs of problems as token ids, for patching and for inconsistent chains.

Positions of pairs are those of their task: tokens, or symbols where rows do not tokenize alike
(`tokens.ragged`). Hidden states can only be put from one run of a pair into the other where both
take as many tokens at each position. Pairs that do not, such as one with 7 in place of 42, are left
out; the others are kept in groups whose pairs all take the same, so that a group has no padding,
and a position of it is the same tokens in each row.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.formulas.rows import base_row
from think_to_talk.formulas.symbols import NUMBER
from think_to_talk.tokens.blank_tokens import blank_tokens
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import TokenizedRow, tokenize
from think_to_talk.tokens.ragged import TaskLayout, position_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Rows = Sequence[Mapping[str, Any]]

#: The two runs of a pair.
RUNS = ("base", "edited")


@dataclass(frozen=True)
class TokenizedPairs:
    """Pairs of one task as token ids, which take the same tokens at each position.

    runs: {`base`, `edited`: [pairs, tokens]} of problem and gold chain.
    prefix: ids of the few-shot examples, the same for all.
    layout: what is at each position of the task, the same for all.
    ends: [positions] the token that completes each; None where positions are tokens.
    kept: [pairs] their places among the pairs that were tokenized.
    """

    runs: dict[str, torch.Tensor]
    prefix: tuple[int, ...]
    layout: Layout
    ends: tuple[int, ...] | None = None
    kept: tuple[int, ...] = ()

    @property
    def n_problem(self) -> int:
        """Tokens before the chain."""
        n_problem = self.layout.n_problem
        return n_problem if self.ends is None else self.ends[n_problem - 1] + 1

    @property
    def chains(self) -> dict[str, torch.Tensor]:
        """The gold chains of both runs [pairs, tokens]."""
        return {run: ids[:, self.n_problem :] for run, ids in self.runs.items()}

    def tokens_of(self, positions: Iterable[int]) -> tuple[int, ...]:
        """All tokens of some positions, counted from the problem's first token."""
        if self.ends is None:
            return tuple(positions)
        starts = [0, *(end + 1 for end in self.ends)]
        return tuple(t for p in positions for t in range(starts[p], starts[p + 1]))


@dataclass(frozen=True)
class Reading:
    """What is read of a run in one place: a token, or the tokens of a whole number.

    first: its first token, counted from the problem's first token.
    n: tokens.
    is_number: whether they are a number, to which a run may add digits.
    ends: whether the number must end behind them, as there are longer ones.
    """

    first: int
    n: int = 1
    is_number: bool = False
    ends: bool = False


@dataclass(frozen=True)
class PairAxis:
    """The positions of a task's pairs, and the tokens of their numbers.

    tokenizer, shots, bos, chat: as of `tokens.prompts.tokenize`.
    layout: of tokens, or of symbols where rows do not tokenize alike.
    has_symbol_positions: whether positions are symbols.
    numbers: where positions are tokens, {symbol: tokens of the number there}; where they are
        symbols, {symbol: tokens before the number at its position, such as a lone space that
        other rows do not have}.
    number: the tokens of one of the longest numbers.
    lengths: the numbers of tokens that numbers take.
    """

    tokenizer: PreTrainedTokenizerBase
    shots: int | str
    bos: str
    chat: Chat | None
    layout: Layout
    has_symbol_positions: bool
    numbers: Mapping[int, int]
    number: tuple[int, ...]
    lengths: frozenset[int]

    @classmethod
    def of(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        edits: Iterable[Rows],
        shots: int | str,
        bos: str = "tokenizer",
        chat: Chat | None = None,
    ) -> PairAxis:
        """The positions that all pairs share.

        edits: the pairs of each edit of the task.
        shots, bos, chat: as of `tokens.prompts.tokenize`.
        Raises InputError if their problems do not all have the same symbols and examples.
        """
        rows = [row for pairs in edits for row in (*map(base_row, pairs), *pairs)]
        tokenized = list(tokenize(tokenizer, rows, shots, bos, chat))
        layouts = TaskLayout.of(tokenizer, rows, tokenized)
        spelled = _spelled_numbers(tokenizer, tokenized, layouts)
        leads = {symbol: min(lead for lead, _ in found) for symbol, found in spelled.items()}
        whole = [
            ids[leads[symbol] :] for symbol, found in spelled.items() for _, ids in sorted(found)
        ]
        by_symbol = layouts.symbol_token is not None
        numbers = {
            symbol: leads[symbol] if by_symbol else len(min(found)[1]) - leads[symbol]
            for symbol, found in spelled.items()
        }
        return cls(
            *(tokenizer, shots, bos, chat, layouts.layout, by_symbol, numbers),
            max(whole, key=len),
            frozenset(map(len, whole)),
        )

    @property
    def longest(self) -> int:
        """Tokens of the longest numbers."""
        return max(self.lengths)

    @property
    def further_tokens(self) -> int:
        """Tokens by which a chain can be longer than another one: all its numbers the longest."""
        in_chain = [s for s in self.numbers if s >= self.layout.n_problem_symbols]
        return len(in_chain) * (self.longest - min(self.lengths))

    @property
    def number_tokens(self) -> Mapping[int, int]:
        """{symbol: tokens of the number there}, where positions are tokens."""
        return {} if self.has_symbol_positions else self.numbers

    @cached_property
    def _first_digits(self) -> dict[int, int]:
        """{position of a number's first token: its tokens}, where positions are tokens."""
        completing = self.layout.completing_tokens()
        return {completing[s] + 1 - n: n for s, n in self.number_tokens.items() if s in completing}

    def groups(self, pairs: Rows) -> list[TokenizedPairs]:
        """Pairs whose two runs take the same tokens at each position, in groups that do so too.

        pairs: of those that the axis was made from; either problem may be another pair's.
        """
        of_pairs = self.tokenized(pairs)
        groups: defaultdict[tuple[int, ...] | None, list[int]] = defaultdict(list)
        for place, (base, edited) in enumerate(of_pairs):
            ends = self.ends(base)
            if ends == self.ends(edited):
                groups[ends].append(place)
        return [
            TokenizedPairs(
                {
                    run: torch.tensor(
                        [[*of_pairs[p][i].problem, *of_pairs[p][i].gold] for p in places]
                    )
                    for i, run in enumerate(RUNS)
                },
                of_pairs[0][0].prefix,
                self.layout,
                ends,
                tuple(places),
            )
            for ends, places in groups.items()
        ]

    def shapes(self, pairs: Rows) -> list[tuple[tuple[int, ...] | None, ...]]:
        """[pairs] the tokens at which positions end in the base and in the edited problem's run.

        Hidden states fit from one run into another where these are the same.
        """
        if not self.has_symbol_positions:
            return [(None, None)] * len(pairs)
        return [(self.ends(base), self.ends(edited)) for base, edited in self.tokenized(pairs)]

    def tokenized(self, pairs: Rows) -> list[tuple[TokenizedRow, TokenizedRow]]:
        """The base and the edited problem of each pair, tokenized."""
        rows = [*map(base_row, pairs), *pairs]
        found = list(tokenize(self.tokenizer, rows, self.shots, self.bos, self.chat))
        return list(zip(found[: len(pairs)], found[len(pairs) :], strict=True))

    def ends(self, row: TokenizedRow) -> tuple[int, ...] | None:
        """[positions] the token of a row that completes each; None where positions are tokens."""
        if not self.has_symbol_positions:
            return None
        return tuple(position_tokens(self.layout, row.layout))

    def reading(self, pairs: TokenizedPairs, position: int) -> Reading:
        """What is read at a position of a group of pairs: a whole number where there is one."""
        if pairs.ends is None:
            digits = self._first_digits.get(position)
            return self._number(position, digits) if digits else Reading(position)
        first, *others = pairs.tokens_of([position])
        symbol = self.layout.position_symbol[position]
        is_number = self.layout.completes[position] and symbol in self.numbers
        if symbol is None or not is_number:
            return Reading(first, 1 + len(others))
        lead = self.numbers[symbol]
        return self._number(first + lead, 1 + len(others) - lead)

    def _number(self, first: int, n: int) -> Reading:
        return Reading(first, n, is_number=True, ends=n < self.longest)


def kept_numbers(groups: Sequence[TokenizedPairs], numbers: Sequence[int], where: str) -> list[int]:
    """The numbers of the pairs in some groups, in their order; a warning says how many are not.

    numbers: of all pairs that were tokenized.
    where: which pairs they are, for the warning.
    """
    kept = sorted(place for pairs in groups for place in pairs.kept)
    if len(kept) < len(numbers):
        rest = "the others are counted" if kept else "it has no rows"
        warnings.warn(
            f"{where}: {len(numbers) - len(kept)} of {len(numbers)} pairs are left out, since "
            "their two problems do not take as many tokens at each symbol, as 7 and 42 do not, and "
            f"no hidden state of one has its place in the other; {rest}",
            stacklevel=2,
        )
    return [numbers[place] for place in kept]


def _spelled_numbers(
    tokenizer: PreTrainedTokenizerBase, tokenized: Sequence[TokenizedRow], layouts: TaskLayout
) -> dict[int, set[tuple[int, tuple[int, ...]]]]:
    """{symbol: (blank tokens at its beginning, tokens)} of numbers with a position of their own.

    tokenized: the rows of the layouts.
    """
    layout = layouts.layout
    places = {
        symbol: position
        for symbol, position in layout.completing_tokens().items()
        if layout.symbols[symbol] == NUMBER
    }
    found: dict[int, set[tuple[int, ...]]] = {symbol: set() for symbol in places}
    for number, row in enumerate(tokenized):
        ids = (*row.problem, *row.gold)
        for symbol, position in places.items():
            if layouts.symbol_token is None:
                first = layout.position_symbol.index(symbol)
                found[symbol].add(ids[first : position + 1])
            else:
                starts = [0, *(end + 1 for end in layouts.symbol_token[number])]
                found[symbol].add(ids[starts[position] : starts[position + 1]])
    every = (token for spelled in found.values() for ids in spelled for token in ids)
    blank = blank_tokens(tokenizer, every)
    return {
        symbol: {(len([*takewhile(blank.__contains__, ids)]), ids) for ids in spelled}
        for symbol, spelled in found.items()
    }

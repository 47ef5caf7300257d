"""Pairs of problems as token ids, for patching and for inconsistent chains.

Positions of pairs are those of their task (`tokens.task_positions`): tokens, or symbols where its
rows do not tokenize alike. A pair whose problems do not have them is left out. Hidden states can
only be put from one run of a pair into the other where both take as many tokens at each position.
Pairs that do not, such as one with 7 in place of 42, are left out, too; the others are kept in
groups whose pairs all take the same, so that a group has no padding, and a position of it is the
same tokens in each row.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import InputError
from think_to_talk.formulas.rows import base_row
from think_to_talk.tokens.blank_tokens import blank_tokens
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import TokenizedRow, tokenize
from think_to_talk.tokens.ragged import TaskLayout
from think_to_talk.tokens.task_positions import TaskPositions, spelled_numbers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Rows = Sequence[Mapping[str, Any]]

#: Few-shot examples, problem, chain and what is asked.
_Text = tuple[str, str, str, tuple[str, ...]]

#: The two runs of a pair.
RUNS = ("base", "edited")


@dataclass(frozen=True)
class TokenizedPairs:
    """Pairs of one task as token ids, which take the same tokens at each position.

    runs: {`base`, `edited`: [pairs, tokens]} of problem and gold chain.
    prefix: ids of the few-shot examples, the same for all.
    layout: what is at each position of the task, the same for all.
    ends: [positions] the last token of each.
    kept: [pairs] their places among the pairs that were tokenized.
    """

    runs: dict[str, torch.Tensor]
    prefix: tuple[int, ...]
    layout: Layout
    ends: tuple[int, ...]
    kept: tuple[int, ...]

    @property
    def n_problem(self) -> int:
        """Tokens before the chain."""
        return self.ends[self.layout.n_problem - 1] + 1

    @property
    def chains(self) -> dict[str, torch.Tensor]:
        """The gold chains of both runs [pairs, tokens]."""
        return {run: ids[:, self.n_problem :] for run, ids in self.runs.items()}

    def tokens_of(self, positions: Iterable[int]) -> tuple[int, ...]:
        """All tokens of some positions, counted from the problem's first token."""
        starts = self._starts
        return tuple(t for p in positions for t in range(starts[p], starts[p + 1]))

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(end + 1 for end in self.ends)]


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
class Problem:
    """A problem of a pair.

    row: it and its gold chain as tokens.
    ends: [positions] the last token of each; None if it has not the positions of the task.
    """

    row: TokenizedRow
    ends: tuple[int, ...] | None


@dataclass(frozen=True)
class PlacedNumber:
    """Where a number is, the same for all pairs.

    positions: how many it takes, if they are tokens; a symbol is one.
    lead: tokens before it at its first position, such as a lone space that only some rows have.
    """

    positions: int
    lead: int


@dataclass(frozen=True)
class PairAxis:
    """The positions of a task's pairs, and the tokens of their numbers.

    tokenizer: of the model.
    positions: of the task.
    problems: {what is tokenized: the problem}, of all pairs.
    numbers: {position that a number begins at: the number}.
    number: the tokens of one of the longest numbers.
    lengths: the numbers of tokens that numbers take.
    """

    tokenizer: PreTrainedTokenizerBase
    positions: TaskPositions
    problems: Mapping[_Text, Problem]
    numbers: Mapping[int, PlacedNumber]
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
        positions: TaskPositions | None = None,
    ) -> PairAxis:
        """Tokenize all pairs of a task.

        edits: the pairs of each edit of the task.
        shots, bos, chat: as of `tokens.prompts.tokenize`.
        positions: of the task; None for those that all these pairs share.
        Raises InputError if pairs have other few-shot examples than the rest, or, where they give
        the positions, other symbols.
        """
        pairs = [pair for of_edit in edits for pair in of_edit]
        rows = list({_text(row): row for row in (*map(base_row, pairs), *pairs)}.values())
        tokenized = list(tokenize(tokenizer, rows, shots, bos, chat))
        positions = positions or TaskLayout.of(tokenizer, rows, tokenized).positions
        if len({row.prefix for row in tokenized}) > 1:
            raise InputError("pairs have several few_shot_context, expected one for all of a task")
        of_task = chain.from_iterable(positions.spelled.values())
        of_pairs = ((*row.problem, *row.gold) for row in tokenized)
        blank = blank_tokens(tokenizer, (i for ids in (*of_task, *of_pairs) for i in ids))
        problems = {
            _text(row): Problem(
                of_row, positions.tokens(of_row.layout) if positions.fit(of_row, blank) else None
            )
            for row, of_row in zip(rows, tokenized, strict=True)
        }
        numbers, spelled = _numbers(positions, problems.values(), blank)
        return cls(
            *(tokenizer, positions, problems, numbers),
            max(spelled, key=len, default=()),
            frozenset(map(len, spelled)),
        )

    @property
    def layout(self) -> Layout:
        """What is at each position."""
        return self.positions.layout

    @property
    def longest(self) -> int:
        """Tokens of the longest numbers."""
        return max(self.lengths)

    @property
    def further_tokens(self) -> int:
        """Tokens by which a chain can be longer than another one: all its numbers the longest."""
        in_chain = [position for position in self.numbers if position >= self.layout.n_problem]
        return len(in_chain) * (self.longest - min(self.lengths))

    @property
    def number_tokens(self) -> Mapping[int, int]:
        """{symbol: positions of the number there}: its tokens, or 1 if positions are symbols."""
        symbol = self.layout.position_symbol
        return {s: n.positions for p, n in self.numbers.items() if (s := symbol[p]) is not None}

    def groups(self, pairs: Rows) -> list[TokenizedPairs]:
        """Pairs whose two runs take the same tokens at each position, in groups that do so too.

        pairs: of those that the axis was made from; either problem may be another pair's.
        """
        of_pairs = self.of_pairs(pairs)
        groups: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for place, (base, edited) in enumerate(of_pairs):
            if base.ends is not None and base.ends == edited.ends:
                groups[base.ends].append(place)
        return [
            TokenizedPairs(
                {
                    run: torch.tensor(
                        [[*of_pairs[p][i].row.problem, *of_pairs[p][i].row.gold] for p in places]
                    )
                    for i, run in enumerate(RUNS)
                },
                of_pairs[0][0].row.prefix,
                self.layout,
                ends,
                tuple(places),
            )
            for ends, places in groups.items()
        ]

    def of_pairs(self, pairs: Rows) -> list[tuple[Problem, Problem]]:
        """The base and the edited problem of each pair; pairs: as of `groups`."""
        return [(self.problems[_text(base_row(p))], self.problems[_text(p)]) for p in pairs]

    def reading(self, pairs: TokenizedPairs, position: int) -> Reading:
        """What is read at a position of a group of pairs: a whole number where there is one."""
        number = self.numbers.get(position)
        if number is None:
            first, *others = pairs.tokens_of([position])
            return Reading(first, 1 + len(others))
        tokens = pairs.tokens_of(range(position, position + number.positions))[number.lead :]
        n = len(tokens)
        return Reading(tokens[0], n, is_number=True, ends=n < self.longest)


def kept_numbers(groups: Sequence[TokenizedPairs], numbers: Sequence[int], where: str) -> list[int]:
    """The numbers of the pairs in some groups, in their order; a warning says how many are not.

    numbers: of all pairs that were tokenized.
    where: which pairs they are, for the warning.
    """
    kept = sorted(place for pairs in groups for place in pairs.kept)
    why = (
        "their two problems do not take as many tokens at each symbol, as 7 and 42 do not, or do "
        "not have the positions of the task's rows, and no hidden state of one has its place in "
        "the other"
    )
    warn_of_left_out(len(numbers) - len(kept), len(numbers), where, why)
    return [numbers[place] for place in kept]


def warn_of_left_out(n: int, n_pairs: int, where: str, why: str) -> None:
    """Warn of pairs that are left out, if there are any.

    n_pairs: with those that are not.
    where: which pairs they are.
    """
    if n:
        rest = "the others are counted" if n < n_pairs else "it has no rows"
        warnings.warn(
            f"{where}: {n} of {n_pairs} pairs are left out, since {why}; {rest}", stacklevel=3
        )


def _text(row: Mapping[str, Any]) -> _Text:
    """What tells a row from others when it is tokenized."""
    questions = tuple(row["intermediate_questions"])
    return row.get("few_shot_context", ""), row["source"], row["target"], questions


def _numbers(
    positions: TaskPositions, problems: Iterable[Problem], blank: Collection[int]
) -> tuple[dict[int, PlacedNumber], list[tuple[int, ...]]]:
    """Numbers with a position of their own: {position: number}, and the tokens of all of them.

    positions: of the task, whose rows may have longer numbers than the problems.
    blank: the tokens that are spaces alone.
    """
    placed: dict[int, PlacedNumber] = {}
    spelled: list[tuple[int, ...]] = []
    layout = positions.layout
    fitting = [((*p.row.problem, *p.row.gold), p.ends) for p in problems if p.ends is not None]
    if not fitting:
        return placed, spelled
    for symbol, of_pairs in spelled_numbers(layout, fitting).items():
        found = of_pairs | positions.spelled.get(symbol, frozenset())
        spaces = min(len([*takewhile(blank.__contains__, ids)]) for ids in found)
        first, last = layout.position_symbol.index(symbol), layout.position_of(symbol)
        position = min(first + spaces, last)
        placed[position] = PlacedNumber(last + 1 - position, spaces - (position - first))
        spelled += sorted(ids[spaces:] for ids in found)
    return placed, spelled

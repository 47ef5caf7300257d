"""A task's rows as tokens: where its positions are in each row, and where its numbers begin.

A position is a token, or a symbol where rows do not tokenize alike (`tokens.ragged`). Which it is
depends on the rows of all splits, so the layout is that of the token shards, which the probes have.
`steering.places` chooses positions, and `steering.steered_runs` moves the states of the tokens
there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.formulas.symbols import NUMBER
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import TokenizedRow
from think_to_talk.tokens.task_positions import TaskPositions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class RowTokens:
    """The tokens of a row.

    ids: [tokens] of problem and gold chain.
    n_problem: tokens of the problem.
    tokens: [positions] the token whose hidden state is that of each position, counted from the
        problem's first token.
    """

    ids: torch.Tensor
    n_problem: int
    tokens: Sequence[int]

    def given(self, position: int) -> int:
        """Tokens that a run is given: the problem, and the chain up to a position."""
        return max(self.tokens[position] + 1, self.n_problem)

    def given_chain(self, position: int) -> list[int]:
        """The ids of the chain that a run is given up to a position."""
        found: list[int] = self.ids[self.n_problem : self.given(position)].tolist()
        return found


@dataclass(frozen=True)
class TaskTokens:
    """The tokens of all rows of a task.

    layout: what is at each position, the same for all rows.
    rows: their tokens.
    tokenized: the same rows, as they are tokenized.
    texts: {id: its text} of all their tokens.
    """

    layout: Layout
    rows: list[RowTokens]
    tokenized: Sequence[TokenizedRow]
    texts: Mapping[int, str]

    @classmethod
    def of(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        tokenized: Sequence[TokenizedRow],
        positions: TaskPositions,
    ) -> TaskTokens:
        """The tokens of rows at the positions of their task."""
        rows = [
            RowTokens(
                torch.tensor([*row.problem, *row.gold]),
                len(row.problem),
                positions.tokens(row.layout),
            )
            for row in tokenized
        ]
        ids = sorted({token for row in rows for token in row.ids.tolist()})
        texts = map(str, tokenizer.batch_decode([[token] for token in ids]))
        return cls(positions.layout, rows, tokenized, dict(zip(ids, texts, strict=True)))

    def before(self, number: int) -> tuple[int, bool]:
        """The last position before a number of the chain, in all rows, and what follows it.

        number: its symbol.
        Returns the position, and whether the number's first token is the next one in every row: it
        is not where a lone space stands in between.
        """
        first = [self._first_token(row, number) for row in self.tokenized]
        tokens = [row.tokens for row in self.rows]
        position = max(
            position
            for position in range(self.layout.n_positions)
            if all(of_row[position] < n for of_row, n in zip(tokens, first, strict=True))
        )
        follows = (of_row[position] + 1 == n for of_row, n in zip(tokens, first, strict=True))
        return position, all(follows)

    def _first_token(self, row: TokenizedRow, number: int) -> int:
        """The first token of a row that has a digit of a number; number: its symbol."""
        layout, ids = row.layout, (*row.problem, *row.gold)
        first = layout.position_of(number)
        while first:
            text, symbol = self.texts[ids[first - 1]], layout.position_symbol[first - 1]
            is_digit = symbol == number and text.strip()
            # A token may complete what stands before a number, and begin the number.
            begins = symbol is not None and layout.symbols[symbol] != NUMBER and text[-1:].isdigit()
            if not (is_digit or begins):
                break
            first -= 1
        return first


def further_tokens(
    tokenizer: PreTrainedTokenizerBase, row: Mapping[str, Any], chains: Iterable[str]
) -> int:
    """Tokens by which the longest of some chains of thought is longer than a row's own; 0 if none.

    row: of a dataset.
    chains: in place of its own, as text; their numbers may take more tokens.
    """
    texts = [row["target"].replace(row["scratchpad"], chain) for chain in chains]
    encoded = tokenizer([row["target"], *texts], add_special_tokens=False)
    gold, *others = map(len, encoded["input_ids"])
    return max(gold, *others) - gold if others else 0

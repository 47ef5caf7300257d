"""Pairs of problems as token ids, for patching and for inconsistent chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.formulas.rows import base_row
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.ragged import align_whole

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TokenizedPairs:
    """Pairs of one task as token ids.

    runs: {`base`, `edited`: [pairs, positions]} of problem and gold chain.
    prefix: ids of the few-shot examples, the same for all.
    layout: what is at each position, the same for all.
    """

    runs: dict[str, torch.Tensor]
    prefix: tuple[int, ...]
    layout: Layout

    @classmethod
    def of(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        pairs: Rows,
        shots: int | str,
        bos: str = "tokenizer",
        chat: Chat | None = None,
        *,
        switch: str = "interventions.patching",
    ) -> TokenizedPairs:
        """Tokenize pairs.

        shots, bos, chat: as of `tokens.prompts.tokenize`.
        switch: the config's key that asks for the pairs, for messages.
        Raises InputError if their problems do not all have the same layout, or if a number takes
        several tokens.
        """
        rows = [*map(base_row, pairs), *pairs]
        tokenized = list(tokenize(tokenizer, rows, shots, bos, chat))
        layout = align_whole(tokenizer, rows, tokenized, switch)
        ids = torch.tensor([[*row.problem, *row.gold] for row in tokenized])
        runs = dict(zip(RUNS, ids.split(len(pairs)), strict=True))
        return cls(runs, tokenized[0].prefix, layout)

    @property
    def chains(self) -> dict[str, torch.Tensor]:
        """The gold chains of both runs [pairs, tokens]."""
        return {run: ids[:, self.layout.n_problem :] for run, ids in self.runs.items()}


#: The two runs of a pair.
RUNS = ("base", "edited")

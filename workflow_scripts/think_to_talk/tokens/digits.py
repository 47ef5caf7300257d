"""The tokens of digits, or other numbers of one token, as they stand in the gold chains of thought.

A tokenizer may have several tokens for a digit, such as `4` and ` 4`. Those that a chain has are
found in the chains, by the layout of the task's tokens (`tokens.layout`). Forced answers read
digits with them. Numbers up to 199 that are single tokens are read in the same way, and called
digits here, too. `tokens.number_beginnings` finds what numbers of several tokens begin with.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from think_to_talk.errors import UnreadError
from think_to_talk.formulas.symbols import N_CLASSES, NUMBER, text_symbols
from think_to_talk.tokens.layout import Layout


@dataclass(frozen=True)
class DigitTokens:
    """The token ids of each digit in the chains of a task.

    ids: per digit, its ids in ascending order; none for a digit that no chain has.
    """

    ids: tuple[tuple[int, ...], ...]

    @classmethod
    def of(
        cls,
        gold: torch.Tensor,
        layout: Layout,
        problems: Sequence[Mapping[str, Any]],
        tokens: Sequence[str],
        n_classes: int = N_CLASSES,
    ) -> DigitTokens:
        """The tokens of all digits of some chains.

        gold: [rows, tokens] ids of the chains.
        layout: of the task.
        problems: the rows of the dataset.
        tokens: [positions] the tokens of one row, as text, for messages.
        n_classes: numbers, from 0 on.
        Raises UnreadError if a digit of a chain shares its token with another symbol, or if a token
        stands for two digits.
        """
        _check_whole(layout, tokens)
        places = number_places(layout, tokens)
        texts = [text_symbols(row["source"] + row["target"]) for row in problems]
        digits = torch.tensor([[int(text[symbol]) for symbol in places] for text in texts])
        ids = gold[:, [place - layout.n_problem for place in places.values()]]
        pairs = torch.stack([digits.flatten(), ids.flatten().long()], dim=1).unique(dim=0).tolist()
        found = tuple(
            tuple(token for digit, token in pairs if digit == wanted) for wanted in range(n_classes)
        )
        if len({token for _, token in pairs}) < len(pairs):
            raise UnreadError(
                f"digits of the chain of thought share tokens (ids per digit: {found}), expected "
                "other tokens for each digit, to tell them apart"
            )
        return cls(found)

    @classmethod
    def merged(cls, several: Sequence[DigitTokens]) -> DigitTokens:
        """All tokens that some of them have."""
        return cls(
            tuple(
                tuple(sorted({token for one in several for token in one.ids[digit]}))
                for digit in range(len(several[0].ids))
            )
        )

    @property
    def missing(self) -> list[int]:
        """The digits that no chain has, and whose tokens are unknown."""
        return [digit for digit, ids in enumerate(self.ids) if not ids]

    @property
    def digit_of(self) -> dict[int, int]:
        """{token: its digit}."""
        return {token: digit for digit, ids in enumerate(self.ids) for token in ids}

    def warn_of_missing(self, task: str) -> None:
        """Warn of digits that are never read, as no chain of the task has them."""
        if self.missing:
            warnings.warn(
                f"no chain of thought of the test rows of {task} has the digits {self.missing}: "
                "their tokens are unknown, and they are never read",
                stacklevel=2,
            )

    def log_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """The logarithm of each digit's probability [..., digits]; minus infinity without a token.

        logits: [..., vocabulary].
        """
        logits = logits.float()
        total = logits.logsumexp(dim=-1, keepdim=True)
        of_digits = [
            logits[..., list(ids)].logsumexp(dim=-1, keepdim=True)
            if ids
            else torch.full_like(total, -torch.inf)
            for ids in self.ids
        ]
        return torch.cat(of_digits, dim=-1) - total


def number_places(layout: Layout, tokens: Sequence[str]) -> dict[int, int]:
    """{symbol: the position that completes it} of the numbers of the chain.

    layout: of the task.
    tokens: [positions] the tokens of one row, as text, for messages.
    Raises UnreadError if a number shares a token with what stands beside it.
    """
    completing = layout.completing_tokens()
    places = {}
    for symbol in range(layout.n_problem_symbols, len(layout.symbols)):
        if layout.symbols[symbol] != NUMBER:
            continue
        # A token that completes two symbols stands in the layout as the second of them.
        if symbol not in completing or symbol - 1 not in completing:
            shared = tokens[layout.position_of(symbol)]
            raise UnreadError(
                f"the token {shared!r} of the chain of thought holds more than a digit, expected a "
                "token of its own for each digit"
            )
        places[symbol] = completing[symbol]
    return places


def _check_whole(layout: Layout, tokens: Sequence[str]) -> None:
    """Raise UnreadError if a number takes several tokens."""
    places = zip(tokens, layout.position_symbol, layout.completes, strict=True)
    for token, symbol, completes in places:
        is_part = symbol is not None and layout.symbols[symbol] == NUMBER and not completes
        if is_part and any(map(str.isdigit, token)):
            raise UnreadError(
                f"the token {token!r} is a part of a number, expected one token for each number"
            )

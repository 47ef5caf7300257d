"""The positions of a task, which the rows of all its splits share, and the tokens of a row there.

`tokens.ragged` finds them in the rows of all splits, and `tokens.write_shards` stores them. Stages
that tokenize some problems of a task by themselves, as interventions do, read them from a token
shard: these problems may tokenize alike though the rows of the task do not, or the other way round.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from think_to_talk.files.shards import Shards
from think_to_talk.formulas.symbols import NUMBER
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import TokenizedRow, shape
from think_to_talk.tokens.shards import RaggedTokens, has_symbol_positions

#: {symbol of a number: its tokens in some rows, with lone spaces before it}.
Spelled = Mapping[int, frozenset[tuple[int, ...]]]


@dataclass(frozen=True)
class TaskPositions:
    """The positions of a task.

    layout: what is at each position.
    are_symbols: whether positions are symbols, not tokens.
    spelled: the numbers of its rows, if positions are symbols: they may take more tokens than those
        of the problems that a stage tokenizes. None are known of a task without shards.
    """

    layout: Layout
    are_symbols: bool
    spelled: Spelled = field(default_factory=dict)

    @classmethod
    def read(cls, paths: Sequence[str | Path], identity: Mapping[str, Any]) -> TaskPositions:
        """Read them from the token shards of a split.

        identity: model, seed and task, as in rows.
        """
        shards = Shards.open(paths, {key: str(value) for key, value in identity.items()})
        layout = Layout.loads(shards.metadata["layout"])
        if not has_symbol_positions(shards):
            return cls(layout, are_symbols=False)
        ragged = RaggedTokens.read(shards)
        parts = ((ragged.problem_length, "problem_ids"), (ragged.gold_length, "gold_ids"))
        problem, gold = (
            [row[:n] for row, n in zip(shards.read(name).tolist(), length.tolist(), strict=True)]
            for length, name in parts
        )
        ids = [before + behind for before, behind in zip(problem, gold, strict=True)]
        rows = zip(ids, ragged.symbol_token.tolist(), strict=True)
        return cls(layout, are_symbols=True, spelled=spelled_numbers(layout, [*rows]))

    def fit(self, row: TokenizedRow, blank: Collection[int]) -> bool:
        """Whether a row has these positions.

        Where positions are tokens, it has the same symbols at the same tokens. Where they are
        symbols, a token of its own completes each, behind as many lone spaces, if they have a
        position.

        blank: the tokens that are spaces alone.
        """
        layout, of_row = self.layout, row.layout
        if shape(of_row.symbols) != shape(layout.symbols):
            return False
        if not self.are_symbols:
            return (of_row.position_symbol, of_row.n_problem) == (
                layout.position_symbol,
                layout.n_problem,
            )
        symbols = set(layout.position_symbol) - {None}
        places = zip(layout.position_symbol, layout.completes, strict=True)
        wanted = Counter(s for s, completes in places if not completes and s is not None)
        found = lone_spaces(row, blank)
        return (
            of_row.position_symbol.count(None) == layout.position_symbol.count(None)
            and symbols <= of_row.completing_tokens().keys()
            and all(found[symbol] == n for symbol, n in wanted.items())
        )

    def tokens(self, row: Layout) -> tuple[int, ...]:
        """[positions] the last token of each, counted from the problem's first.

        Of a symbol, it is the one that completes it; a lone space before it, and each token of a
        chat template, has a position of its own.

        row: the layout of the tokens of a row that has these positions.
        """
        if not self.are_symbols:
            return tuple(range(self.layout.n_positions))
        completing = row.completing_tokens()
        tokens_at: defaultdict[int | None, list[int]] = defaultdict(list)
        for token, symbol in enumerate(row.position_symbol):
            tokens_at[symbol].append(token)
        following: dict[int | None, Iterator[int]] = {s: iter(at) for s, at in tokens_at.items()}
        positions = zip(self.layout.position_symbol, self.layout.completes, strict=True)
        return tuple(
            completing[symbol] if completes and symbol is not None else next(following[symbol])
            for symbol, completes in positions
        )


def spelled_numbers(
    layout: Layout, rows: Collection[tuple[Sequence[int], Sequence[int]]]
) -> Spelled:
    """The numbers of some rows that have a position of their own.

    layout: of the task.
    rows: of each its ids, and the last token of each position.
    """
    found = {}
    for symbol, last in layout.completing_tokens().items():
        if layout.symbols[symbol] == NUMBER:
            # It may begin with lone spaces, which have positions of their own or not.
            first = layout.position_symbol.index(symbol)
            found[symbol] = frozenset(
                tuple(ids[ends[first - 1] + 1 if first else 0 : ends[last] + 1])
                for ids, ends in rows
            )
    return found


def lone_spaces(row: TokenizedRow, blank: Collection[int]) -> Counter[int | None]:
    """{symbol: tokens of a row at its beginning that are spaces alone}.

    blank: the tokens that are.
    """
    layout = row.layout
    tokens = zip((*row.problem, *row.gold), layout.position_symbol, layout.completes, strict=True)
    return Counter(symbol for id_, symbol, done in tokens if not done and id_ in blank)

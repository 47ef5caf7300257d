"""The positions of a task, which the rows of all its splits share, and the tokens of a row there.

`tokens.ragged` finds them in the rows of all splits, and `tokens.write_shards` stores them. Stages
that tokenize some problems of a task by themselves, as interventions do, read them from a token
shard: these problems may tokenize alike though the rows of the task do not, or the other way round.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from think_to_talk.files.shards import Shards
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import TokenizedRow, shape
from think_to_talk.tokens.shards import has_symbol_positions


@dataclass(frozen=True)
class TaskPositions:
    """The positions of a task.

    layout: what is at each position.
    are_symbols: whether positions are symbols, not tokens.
    """

    layout: Layout
    are_symbols: bool

    @classmethod
    def read(cls, paths: Sequence[str | Path], identity: Mapping[str, Any]) -> TaskPositions:
        """Read them from token shards of a task, of which one is enough.

        identity: model, seed and task, as in rows.
        """
        shards = Shards.open(paths, {key: str(value) for key, value in identity.items()})
        return cls(Layout.loads(shards.metadata["layout"]), has_symbol_positions(shards))

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


def lone_spaces(row: TokenizedRow, blank: Collection[int]) -> Counter[int | None]:
    """{symbol: tokens of a row at its beginning that are spaces alone}.

    blank: the tokens that are.
    """
    layout = row.layout
    tokens = zip((*row.problem, *row.gold), layout.position_symbol, layout.completes, strict=True)
    return Counter(symbol for id_, symbol, done in tokens if not done and id_ in blank)

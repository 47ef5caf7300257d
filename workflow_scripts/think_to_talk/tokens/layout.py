"""The layout of a task: the symbol at each token position of problem and chain of thought.

`tokens.prompts` finds it; token and hidden-state shards carry it in their metadata, where
`probes.fitting` and `interventions` read it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from think_to_talk.formulas.symbols import SEPARATORS, TEMPLATE, TEMPLATE_EQUATION


@dataclass(frozen=True)
class Layout:
    """The symbol at each position, the same for all rows of a task.

    symbols: all symbols of problem and chain of thought, in writing order, with variables named
        A, B ... in definition order, numbers `#`, and `±` where rows differ in the operator, also
        if it is a word.
    position_symbol: [positions] index of the symbol that the token completes or begins; None for a
        token of a chat template, which stands between the problem and the chain of thought.
    completes: [positions] whether it completes that symbol (false for a lone space before it).
    n_problem: positions before the chain of thought; position n_problem is t = 0.
    numbers: [symbols] of free text, the equations as its rows give them; None where they follow
        from the symbols.
    """

    symbols: tuple[str, ...]
    position_symbol: tuple[int | None, ...]
    completes: tuple[bool, ...]
    n_problem: int
    numbers: tuple[int, ...] | None = None

    @property
    def n_positions(self) -> int:
        """Positions of problem and gold chain of thought."""
        return len(self.position_symbol)

    @property
    def n_problem_symbols(self) -> int:
        """Symbols of the problem."""
        if self.numbers is not None:
            return sum(number < 0 for number in self.numbers)
        return self.symbols.index("?") + 1

    def equations(self) -> list[int]:
        """For each symbol, the equation that it is part of: 0 is the first of the chain of thought.

        The question is -1 and the problem's equations are -2, -3 ... counted backwards. A separator
        belongs to the equation before it.
        """
        if self.numbers is not None:
            return list(self.numbers)
        numbers, current = [], 0
        for symbol in self.symbols:
            numbers.append(current)
            if symbol in SEPARATORS or symbol == "?":
                current += 1
        first = numbers[self.n_problem_symbols]
        return [number - first for number in numbers]

    def equation_at(self, position: int) -> float:
        """The equation of a position, as of `equations`; that of the template is -0.5."""
        symbol = self.position_symbol[position]
        return TEMPLATE_EQUATION if symbol is None else self.equations()[symbol]

    def completing_tokens(self) -> dict[int, int]:
        """{symbol: the token that completes it and no later one}."""
        tokens = enumerate(zip(self.position_symbol, self.completes, strict=True))
        return {s: token for token, (s, completes) in tokens if completes and s is not None}

    def position_of(self, symbol: int) -> int:
        """The position whose token completes a symbol, which may complete what follows, too."""
        tokens = enumerate(zip(self.position_symbol, self.completes, strict=True))
        return next(p for p, (s, done) in tokens if done and s is not None and s >= symbol)

    def place(self, position: int) -> dict[str, Any]:
        """Where a position is, as keys of probe rows.

        position: counted from the problem's first token.
        """
        symbol = self.position_symbol[position]
        return {
            "relative_position": position - self.n_problem,
            "equation": self.equation_at(position),
            "symbol": TEMPLATE if symbol is None else self.symbols[symbol],
            "symbol_index": symbol if self.completes[position] else None,
        }

    def dumps(self) -> str:
        """The layout as JSON, for a shard's metadata."""
        found = asdict(self)
        if self.numbers is None:
            del found["numbers"]
        return json.dumps(found)

    @classmethod
    def loads(cls, text: str) -> Layout:
        """Read what `dumps` wrote."""
        fields: dict[str, Any] = json.loads(text)
        for name in ("symbols", "position_symbol", "completes", "numbers"):
            if name in fields:
                fields[name] = tuple(fields[name])
        return cls(**fields)

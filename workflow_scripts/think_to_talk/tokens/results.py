"""Where the chain of thought states the result of a variable: `A = 7`, as tokens.

`interventions.inconsistent_chains` gives a model the chain up to a wrong result, and `steering`
moves its hidden states before it writes one.
"""

from __future__ import annotations

from dataclasses import dataclass

from think_to_talk.formulas.symbols import NUMBER, variable_symbol
from think_to_talk.tokens.layout import Layout


@dataclass(frozen=True)
class Result:
    """The first result of a variable in the chain of thought.

    equation: of the chain that states it.
    number: the position whose token completes the number, from the problem's first token.
    """

    equation: int
    number: int

    @classmethod
    def of(cls, variable: int, layout: Layout) -> Result | None:
        """The result of a variable; None if the chain does not state it."""
        equations = layout.equations()
        wanted = [variable_symbol(variable), "=", NUMBER]
        for equation in range(max(equations) + 1):
            symbols = [s for s, e in enumerate(equations) if e == equation]
            # A separator or the newline follows.
            if [layout.symbols[s] for s in symbols][:-1] == wanted:
                return cls(equation, layout.position_of(symbols[2]))
        return None

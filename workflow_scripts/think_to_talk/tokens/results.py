"""Where the chain of thought states the result of a variable: `A = 7` or a sentence, as tokens.

`interventions.inconsistent_chains` gives a model the chain up to a wrong result, and `steering`
moves its hidden states before it writes one.
"""

from __future__ import annotations

from dataclasses import dataclass

from think_to_talk.formulas.symbols import EITHER_OPERATOR, NUMBER, variable_symbol
from think_to_talk.tokens.layout import Layout


@dataclass(frozen=True)
class Result:
    """The first result of a variable in the chain of thought.

    equation: of the chain that states it.
    symbol: the number, among all symbols.
    number: the position whose token completes the number, from the problem's first token.
    """

    equation: int
    symbol: int
    number: int

    @classmethod
    def of(cls, variable: int, layout: Layout) -> Result | None:
        """The result of a variable; None if the chain does not state it."""
        equations = layout.equations()
        name = variable_symbol(variable)
        for equation in range(max(equations) + 1):
            symbols = [s for s, e in enumerate(equations) if e == equation]
            # In an equation, and in a sentence that says the same, all else is `=`, or words.
            told = [s for s in symbols if _is_told(layout.symbols[s])]
            if [layout.symbols[s] for s in told] == [name, NUMBER]:
                return cls(equation, told[1], layout.position_of(told[1]))
        return None


def _is_told(symbol: str) -> bool:
    """Whether a symbol is a variable, a number or an operator."""
    is_variable = len(symbol) == 1 and "A" <= symbol <= "Z"
    return is_variable or symbol in (NUMBER, EITHER_OPERATOR, "+", "-")

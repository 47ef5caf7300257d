"""The cut of a variable's expressions into the parts that held-out probes never see.

Single digits allow few expressions such as `4 + 5` (`formulas.expressions`), so a linear probe can
memorise the result of each from hidden states that merely carry both operands. A probe that is
right about expressions that it was never trained on has not memorised them. `probes.heldout` fits
such probes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from think_to_talk.formulas.expressions import Expression, Expressions, with_operator
from think_to_talk.formulas.symbols import variable_symbol


def cut(union: Iterable[Expression], n_folds: int, seed: int) -> dict[str, int]:
    """The part of each expression, {text: part in [0, n_folds)}.

    The expressions are sorted by value, those of one value by a hash of seed and text, and dealt to
    the parts in turn. So sizes of parts differ by at most one, in all and for each value, and the
    order of rows does not matter.
    """

    def drawn(expression: Expression) -> tuple[int, bytes]:
        digest = hashlib.sha256(f"{seed} {expression.text}".encode()).digest()
        return expression.value, digest

    ordered = sorted(set(union), key=drawn)
    return {expression.text: number % n_folds for number, expression in enumerate(ordered)}


@dataclass(frozen=True)
class Cut:
    """The cut of a task's expressions, one per variable.

    n_folds: parts, one held-out probe for each.
    parts: per variable, {text of an expression: its part}; None for a variable that has none: a
        number or a copy in all rows, or unreadable.
    unreadable: variables of which a row has no readable expression.
    """

    n_folds: int
    parts: tuple[dict[str, int] | None, ...]
    unreadable: tuple[int, ...]

    @classmethod
    def of(cls, rows: Iterable[Expressions], n_folds: int, seed: int) -> Cut:
        """The cut over all expressions of some rows.

        rows: the `expressions` of all dataset rows to train and to test on, whatever the model
            wrote, so that all models of a seed share a cut.
        n_folds: parts.
        seed: the study's.
        """
        parts: list[dict[str, int] | None] = []
        unreadable = []
        for variable, column in enumerate(zip(*rows, strict=True)):
            if None in column:
                unreadable.append(variable)
            found = with_operator(column)
            parts.append(cut(found, n_folds, seed) if found else None)
        return cls(n_folds, tuple(parts), tuple(unreadable))

    @property
    def warning(self) -> str | None:
        """What to say of variables whose expressions cannot be read."""
        if not self.unreadable:
            return None
        names = ", ".join(map(variable_symbol, self.unreadable))
        return (
            f"the expression of variable {names} cannot be read from every row's source (expected "
            "one equation such as 'b = 1 + a'); its held-out scores are null"
        )

    def parts_of(self, rows: Sequence[Expressions]) -> torch.Tensor:
        """The part of each row's expression, [variables, rows]; -1 for a variable without one."""
        found = torch.full((len(self.parts), len(rows)), -1)
        for variable, parts in enumerate(self.parts):
            if parts is not None:
                texts = [expression.text for row in rows if (expression := row[variable])]
                found[variable] = torch.tensor([parts[text] for text in texts], dtype=torch.long)
        return found

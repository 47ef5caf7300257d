"""What the text itself says, on the positions of probes: the ceiling at each, and t_text.

`formulas.ceilings` counts ceilings per symbol of the problem. Here they are put on the token
positions of probe rows, which `timing.table` dates and `figures` draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def position_ceilings(
    probe_rows: Iterable[Mapping[str, Any]],
    ceiling_rows: Iterable[Mapping[str, Any]],
    variable: int,
) -> dict[int, float]:
    """{t: the accuracy that no reader of the text up to t can exceed}, in order of t.

    probe_rows: of a task.
    ceiling_rows: of `formulas.ceilings`, for the same task; without any, the result is empty.
    variable: its index.
    A token that completes no symbol says no more than the symbols before it, and the chain of
    thought no more than the problem.
    """
    of_symbol = {
        row["symbol_index"]: row["ceiling"] for row in ceiling_rows if row["variable"] == variable
    }
    if not of_symbol:
        return {}
    symbol_at = {row["relative_position"]: row["symbol_index"] for row in probe_rows}
    question = max(of_symbol)
    found, read = {}, 0
    for t, symbol in sorted(symbol_at.items()):
        read = read if symbol is None else min(symbol, question)
        found[t] = of_symbol[read]
    return found


def determined_from(position_ceilings: Mapping[int, float]) -> int | None:
    """t_text: the first position t up to which the text determines the variable in every problem.

    position_ceilings: as of `position_ceilings`.
    None if there is no such position.
    """
    return next((t for t, ceiling in position_ceilings.items() if ceiling == 1), None)

"""The lanes of the explorer's clocks: what each date is called and means.

The dates are those of `timing.clocks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from think_to_talk.timing.clocks import CLOCKS, MEASURED

_DEFINITIONS = {
    "t_text": "the first position up to which the text determines the value in every problem",
    "t_star": "the first position at which the best layer's probe is right in more than τ of the "
    "test problems (t*)",
    "t_star_heldout": "t* of probes that never saw the row's expression, such as 4 + 5",
    "t_said": "the first cut of the chain at which the model, forced to answer, is right in more "
    "than τ of the problems; asked of the answer alone",
    "t_used": "the first position of the first equation at which patched hidden states change what "
    "the chain last says of the value, in more than τ of the pairs that the model solves",
}

#: {column of clock rows: (the lane's label, its definition)}, in the order of lanes.
LANES = {clock: (label, _DEFINITIONS[clock]) for clock, label in CLOCKS.items()}


def lane_dates(row: Mapping[str, Any], *, has_ceiling: bool) -> dict[str, int | None]:
    """{lane: its date t, or None if it never comes}, without lanes that were not measured.

    row: of the clocks (schemas/clock_row.schema.yaml).
    has_ceiling: whether it is known what the text says of the variable.
    """
    missing = {lane for lane, column in MEASURED.items() if not row[column]}
    if not has_ceiling:
        missing.add("t_text")
    return {lane: row[lane] for lane in LANES if lane not in missing}

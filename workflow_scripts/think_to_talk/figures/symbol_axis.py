"""The symbol axis of a panel: symbols as labels, the chain of thought shaded, ceilings.

All figures along the symbols share it; rows are placed on it by `timing.symbol_axis`, and ceilings
by `timing.text`.
"""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from think_to_talk.figures.style import ProbeRows
from think_to_talk.timing.symbol_axis import SEPARATORS
from think_to_talk.timing.text import position_ceilings

#: The label of the symbol axis.
AXIS = "symbol (A, B ... variables in definition order, # a number, ± an operator)"

#: What the shaded part is.
SHADED = "Shaded: chain of thought"

#: What the lines of `draw_ceiling` are.
CEILING = "Dotted: ceiling, the best accuracy that the text up to there allows"

#: Letters of one width, which stand closer together than others.
LETTERS = "DejaVu Sans Mono"

#: The most symbols that have room for their labels side by side.
_MOST_LABELS = 78


def draw_symbol_axis(panel: Axes, on_axis: ProbeRows) -> int:
    """Label a panel's horizontal axis with the symbols, and shade the chain of thought.

    on_axis: as of `on_symbol_axis`.
    Returns the `symbol_index` at 0 of the axis: that of the chain's first symbol.
    """
    symbols = {row["symbol_index"]: row["symbol"] for row in on_axis}
    cot_start = min(row["symbol_index"] for row in on_axis if row["relative_position"] >= 0)
    panel.axvline(-0.5, color="black", linewidth=0.8)
    panel.axvspan(-0.5, max(symbols) - cot_start + 0.5, color="0.95", zorder=0)
    panel.set_xlim(-cot_start - 0.5, max(symbols) - cot_start + 0.5)
    label_symbols(panel, {index - cot_start: symbol for index, symbol in symbols.items()})
    return cot_start


def label_symbols(panel: Axes, symbols: Mapping[int, str]) -> None:
    """Write symbols below a panel, separators lightly.

    symbols: {place on the horizontal axis: symbol}, in order. Of more than have room, only the
        first of each equation is written.
    """
    labels = dict(symbols)
    if len(symbols) > _MOST_LABELS:
        before = [SEPARATORS[0], *symbols.values()]
        starts = (previous in SEPARATORS for previous in before)
        labels = {
            place: symbol
            for (place, symbol), first in zip(symbols.items(), starts, strict=False)
            if first and symbol not in SEPARATORS
        }
    panel.set_xticks(list(labels), list(labels.values()), family=LETTERS)
    for label, symbol in zip(panel.get_xticklabels(), labels.values(), strict=True):
        if symbol in SEPARATORS:
            label.set_color("0.6")
    panel.tick_params(axis="x", length=0, pad=2)


def place_of(t: int, on_axis: ProbeRows) -> float:
    """The place of token position t on the symbol axis.

    on_axis: as of `on_symbol_axis`. A position that completes no symbol is half a place before the
    symbol that it begins; those of a chat template are so before the chain of thought.
    """
    following = (row for row in on_axis if row["relative_position"] >= t)
    row = min(following, key=lambda row: row["relative_position"])
    return float(row["symbol_index"] - (0.0 if row["relative_position"] == t else 0.5))


def draw_ceiling(
    panel: Axes,
    on_axis: ProbeRows,
    ceiling_rows: ProbeRows,
    variable: int,
    cot_start: int,
    colour: str,
) -> None:
    """Draw the ceiling of a variable, dotted; nothing without ceilings.

    on_axis: as of `on_symbol_axis`.
    ceiling_rows: of the task; none of an existing dataset.
    cot_start: as of `draw_symbol_axis`.
    colour: the variable's.
    """
    ceilings = position_ceilings(on_axis, ceiling_rows, variable)
    place = {row["relative_position"]: row["symbol_index"] - cot_start for row in on_axis}
    panel.plot(
        [place[t] for t in ceilings],
        list(ceilings.values()),
        color=colour,
        linewidth=1.0,
        linestyle=(0, (1, 2)),
    )

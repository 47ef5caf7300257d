"""The symbol axis of a panel: symbols as labels, the chain of thought shaded, ceilings.

All figures along the symbols share it; rows are placed on it by `timing.symbol_axis`, and ceilings
by `timing.text`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate

import numpy as np
from matplotlib.axes import Axes

from think_to_talk.figures.style import ProbeRows
from think_to_talk.timing.symbol_axis import SEPARATORS
from think_to_talk.timing.text import position_ceilings

#: The label of the symbol axis.
AXIS = "symbol (A, B ... variables in definition order, # a number, ± an operator)"

#: What the shaded part is.
SHADED = "Shaded: chain of thought"

#: What the panels of `equation_widths` have in common.
ONE_AXIS = "One axis: an equation has the same width in all panels, however it is written"

#: What the lines of `draw_ceiling` are.
CEILING = "Dotted: ceiling, the best accuracy that the text up to there allows"

#: Letters of one width, which stand closer together than others.
LETTERS = "DejaVu Sans Mono"

#: The most symbols that have room for their labels side by side, and with words, which are upright.
_MOST_LABELS, _MOST_LABELS_WITH_WORDS = 78, 45


def equation_widths(tasks: Iterable[ProbeRows]) -> dict[float, int] | None:
    """{equation: the most symbols that it has in a task}, for panels that share one axis.

    tasks: rows as of `on_symbol_axis`.
    None unless a task has words, and all have the same equations.
    """
    counts = []
    has_words = False
    for on_axis in tasks:
        symbols = {(row["symbol_index"], row["equation"], row["symbol"]) for row in on_axis}
        counts.append(Counter(equation for _, equation, _ in symbols))
        has_words |= any(len(symbol) > 1 for *_, symbol in symbols)
    if not has_words or len({frozenset(count) for count in counts}) > 1:
        return None
    return {equation: max(count[equation] for count in counts) for equation in sorted(counts[0])}


def draw_symbol_axis(
    panel: Axes, on_axis: ProbeRows, widths: Mapping[float, int] | None = None
) -> int:
    """Label a panel's horizontal axis with the symbols, and shade the chain of thought.

    on_axis: as of `on_symbol_axis`.
    widths: of the equations, as of `equation_widths`; None for the same width for each symbol.
    Returns the `symbol_index` at 0 of the axis: that of the chain's first symbol.
    """
    symbols = {row["symbol_index"]: row["symbol"] for row in on_axis}
    cot_start = min(row["symbol_index"] for row in on_axis if row["relative_position"] >= 0)
    if widths is not None:
        _stretch(panel, on_axis, cot_start, widths)
    panel.axvline(-0.5, color="black", linewidth=0.8)
    panel.axvspan(-0.5, max(symbols) - cot_start + 0.5, color="0.95", zorder=0)
    panel.set_xlim(-cot_start - 0.5, max(symbols) - cot_start + 0.5)
    label_symbols(panel, {index - cot_start: symbol for index, symbol in symbols.items()})
    return cot_start


def _stretch(panel: Axes, on_axis: ProbeRows, cot_start: int, widths: Mapping[float, int]) -> None:
    """Give each equation of a panel its width; arguments as of `draw_symbol_axis`."""
    first: dict[float, int] = {}
    for row in on_axis:
        place = row["symbol_index"] - cot_start
        first[row["equation"]] = min(place, first.get(row["equation"], place))
    last = max(row["symbol_index"] for row in on_axis) - cot_start
    edges = [place - 0.5 for _, place in sorted(first.items())] + [last + 0.5]
    stretched = [0, *accumulate(width for _, width in sorted(widths.items()))]
    panel.set_xscale(
        "function",
        functions=(
            lambda places: np.interp(places, edges, stretched),
            lambda places: np.interp(places, stretched, edges),
        ),
    )


def label_symbols(panel: Axes, symbols: Mapping[int, str]) -> None:
    """Write symbols below a panel, separators lightly, and words upright.

    symbols: {place on the horizontal axis: symbol}, in order. Of more than have room, only the
        first of each equation is written, and no word beside another; of free text without
        separators, one of several.
    """
    labels = dict(symbols)
    if len(symbols) > _MOST_LABELS_WITH_WORDS:
        labels = _without_adjacent_words(labels)
    if len(symbols) > _MOST_LABELS:
        labels = equation_starts(symbols)
    if len(labels) > _MOST_LABELS:
        step = -(-len(labels) // _MOST_LABELS_WITH_WORDS)
        labels = dict(list(labels.items())[::step])
    panel.set_xticks(list(labels), list(labels.values()), family=LETTERS)
    for label, symbol in zip(panel.get_xticklabels(), labels.values(), strict=True):
        if symbol in SEPARATORS:
            label.set_color("0.6")
        if len(symbol) > 1:
            label.set(rotation=90, color="0.4")
    panel.tick_params(axis="x", length=0, pad=2)


def equation_starts(symbols: Mapping[int, str]) -> dict[int, str]:
    """Of symbols in order, {place: symbol}, the first of each equation.

    All of free text without separators, whose equations do not begin behind one.
    """
    if not {*SEPARATORS, "?"} & {*symbols.values()}:
        return dict(symbols)
    starts = {}
    previous = SEPARATORS[0]
    for place, symbol in symbols.items():
        if previous in (*SEPARATORS, "?") and symbol not in SEPARATORS:
            starts[place] = symbol
        previous = symbol
    return starts


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


def _without_adjacent_words(labels: Mapping[int, str]) -> dict[int, str]:
    """The labels without words that follow another one that is left."""
    left: dict[int, str] = {}
    for place, symbol in labels.items():
        if len(symbol) == 1 or len(left.get(place - 1, "")) <= 1:
            left[place] = symbol
    return left

"""Figures of free text, whose spans need no separators: labels, and where lines end."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from think_to_talk.controls.results import Result
from think_to_talk.figures.controls import draw_control
from think_to_talk.figures.overview import draw_overview
from think_to_talk.figures.symbol_axis import label_symbols
from think_to_talk.figures.transfer import draw_transfer

SPANS = [("who", -2), ("A", -2), ("now", -1), ("A", 0), ("is", 0), ("B", 1), ("end", 1)]


def probe_row(place, variable=0):
    symbol, equation = SPANS[place]
    return {
        **{"layer": 0, "position": place, "relative_position": place - 3, "symbol": symbol},
        **{"symbol_index": place, "equation": equation, "variable": variable, "score": 0.5},
        **{"ci_low": 0.4, "ci_high": 0.6, "heldout_score": None},
    }


def test_a_line_ends_with_each_equation():
    rows = [probe_row(place) for place in range(len(SPANS))]
    [panel] = draw_overview({"task": rows}, 0.9, "m").axes
    [line] = [line for line in panel.lines if line.get_label() == "A"]
    places = line.get_xdata()
    gaps = np.isnan(places)
    assert places[~gaps].tolist() == [-3, -2, -1, 0, 1, 2, 3]
    parts = [part[~np.isnan(part)].tolist() for part in np.split(places, np.flatnonzero(gaps))]
    assert parts == [[-3, -2], [-1], [0, 1], [2, 3]]


def test_a_line_of_a_control_ends_with_each_equation():
    rows = [probe_row(place) for place in range(len(SPANS))]
    result = Result(1, "t", rows, rows)
    [panel] = draw_control("labels", "m", [result], []).axes
    [line] = [line for line in panel.lines if line.get_label() == "A"]
    assert np.flatnonzero(np.isnan(line.get_xdata())).tolist() == [2, 4, 7]


@pytest.mark.parametrize("n_spans", [40, 100])
def test_of_many_spans_some_are_labelled(n_spans):
    panel = Figure().subplots()
    label_symbols(panel, dict.fromkeys(range(n_spans), "x"))
    labelled = panel.get_xticks().tolist()
    assert labelled == list(range(0, n_spans, 1 if n_spans == 40 else 3))
    assert len(labelled) <= 45


def test_spans_are_named_along_a_matrix_of_transfer_as_far_as_there_is_room():
    rows = [
        {
            **probe_row(place),
            **{"model": "m", "train_model": "m", "task": "b", "train_task": "a"},
            **{"test_variable": 0, "n_test": 10, "hits": [1] * len(SPANS)},
            "test_relative_position": [place - 3 for place in range(len(SPANS))],
            "test_symbol": [symbol for symbol, _ in SPANS],
        }
        for place in range(len(SPANS))
    ]
    panel, _ = draw_transfer(rows, "t").axes
    named = [label.get_text() for label in panel.get_xticklabels()]
    assert named == [symbol for symbol, _ in SPANS]

"""The figure of the four clocks: lines from each date to the end, on the places of the probes."""

import pytest
from support.figures import COT_START, SYMBOLS

from think_to_talk.figures.clocks import draw_clocks
from think_to_talk.timing.clocks import CLOCKS
from think_to_talk.timing.roles import ANSWER, OPERAND, ROLE_COLOURS

LANES = dict(zip(CLOCKS, range(len(CLOCKS)), strict=True))


def clocks(variable=1, **dates):
    measured = {"heldout": True, "cuts": 3, "pairs": 20}
    row = {"task": "a", "variable": variable, **dict.fromkeys(CLOCKS), **measured}
    return {**row, **dates}


def panel_of(probe_rows, *rows):
    (panel,) = draw_clocks({"a": probe_rows}, rows, "tiny").axes
    return panel


def dates(panel, colour):
    """{lane: place of the date} of the marks in a colour."""
    marks = [
        line for line in panel.lines if line.get_color() == colour and len(line.get_xdata()) == 1
    ]
    return {round(line.get_ydata()[0]): line.get_xdata()[0] for line in marks}


def texts(panel):
    return [(round(text.get_position()[1]), text.get_text()) for text in panel.texts]


def test_each_date_begins_a_line_in_its_lane_that_ends_with_the_chain(probe_rows):
    found = {clock: place for place, clock in enumerate(CLOCKS, start=1)}
    panel = panel_of(probe_rows, clocks(**found), clocks(variable=0, t_text=-8, t_star=2))
    answer, operand = (ROLE_COLOURS[role][0] for role in (ANSWER, OPERAND))
    assert dates(panel, answer) == {LANES[clock]: place for clock, place in found.items()}
    of_operand = dates(panel, operand)
    assert (of_operand[LANES["t_text"]], of_operand[LANES["t_star"]]) == (-8, 2)
    lines = [
        line for line in panel.lines if line.get_color() == answer and len(line.get_xdata()) == 2
    ]
    assert {line.get_xdata()[1] for line in lines} == {len(SYMBOLS) - 1 - COT_START + 0.5}


def test_a_token_that_completes_no_symbol_stands_with_the_next(probe_rows):
    hidden = next(row for row in probe_rows if row["symbol_index"] is None)["relative_position"]
    panel = panel_of(probe_rows, clocks(t_star=hidden))
    assert dates(panel, ROLE_COLOURS[ANSWER][0]) == {LANES["t_star"]: hidden + 1}


def test_a_date_that_is_not_reached_is_told_from_one_that_is_not_measured(probe_rows):
    row = clocks(t_text=-5, t_star=3, heldout=False, cuts=None, pairs=20)
    assert texts(panel_of(probe_rows, row)) == [
        (LANES["t_star_heldout"], "not measured"),
        (LANES["t_said"], "not measured"),
        (LANES["t_used"], "B never"),
    ]


@pytest.mark.parametrize("pairs", [None, 0])
def test_without_pairs_nothing_is_said_of_patches(probe_rows, pairs):
    row = clocks(t_text=-5, t_star=3, t_star_heldout=4, t_said=5, pairs=pairs)
    assert texts(panel_of(probe_rows, row)) == [(LANES["t_used"], "not measured")]

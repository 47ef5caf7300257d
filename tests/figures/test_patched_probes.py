"""The figure of probes on patched runs: a line per variable and spec, where they may be read."""

from math import isnan

import pytest
from support.figures import COT_START

from think_to_talk.figures.patched_probes import draw_patched_probes
from think_to_talk.timing.roles import ANSWER, OPERAND, ROLE_COLOURS

A, B = ROLE_COLOURS[OPERAND][0], ROLE_COLOURS[ANSWER][0]


def row(t, moved, *, edit="both", spec="problem", variable=0, layer=2, patched=False, read=1.0):
    return {
        **{"edit": edit, "spec": spec, "variable": variable, "layer": layer, "patched": patched},
        **{"relative_position": t, "symbol_index": t + COT_START, "n": 50},
        **{"moved": moved, "moved_ci_low": moved - 0.1, "moved_ci_high": moved + 0.1},
        **{"source_accuracy": read, "target_accuracy": read},
    }


def lines(panel, colour, style="-"):
    found = [line for line in panel.lines if line.get_color() == colour and len(line.get_xdata())]
    return [line for line in found if line.get_linestyle() == style]


def points(line):
    pairs = zip(line.get_xdata(), line.get_ydata(), strict=True)
    return {x: y for x, y in pairs if not isnan(y)}


@pytest.fixture
def panel_of(probe_rows):
    def panel_of(rows):
        (panel,) = draw_patched_probes({"a": probe_rows}, {"a": rows}, 0.9, "tiny").axes
        return panel

    return panel_of


ROWS = [
    row(1, 0.8),
    row(1, 0.95, layer=1),
    # Behind a gap of two symbols.
    row(4, 0.5),
    row(5, 0.4),
    row(1, 0.3, variable=1),
    row(9, 0.7, spec="chain"),
    row(2, 1.0, patched=True),
    row(3, 1.0, read=0.89),
    row(6, 1.0, spec="earlier chain"),
    row(1, 0.1, edit="only A"),
]


def test_each_variable_has_a_solid_line_of_the_problem_and_a_dashed_one_of_the_chain(panel_of):
    panel = panel_of(ROWS)
    [solid], [dashed] = lines(panel, A), lines(panel, A, "--")
    # The layer at which most moved; no states that were replaced or are not read.
    assert points(solid) == {1: 0.95, 4: 0.5, 5: 0.4}
    assert points(dashed) == {9: 0.7}
    # No line joins the symbols at both sides of a gap.
    assert isnan(dict(zip(solid.get_xdata(), solid.get_ydata(), strict=True))[2])
    [answer] = lines(panel, B)
    assert points(answer) == {1: 0.3}
    assert lines(panel, B, "--") == []


def test_the_legend_names_every_variable_and_the_title_the_edit(panel_of):
    panel = panel_of(ROWS)
    assert panel.get_title("left") == "a, edit both"
    texts = [text.get_text() for text in panel.get_legend().get_texts()]
    assert texts == ["A, operand", "B, the answer"]


def test_a_token_that_ends_no_symbol_has_no_place(panel_of):
    between = {**row(6, 0.6), "symbol_index": None}
    [solid] = lines(panel_of([*ROWS, between]), A)
    assert points(solid) == {1: 0.95, 4: 0.5, 5: 0.4}


def test_a_task_of_which_no_pair_is_solved_says_so(panel_of):
    panel = panel_of([])
    assert panel.get_title("left") == "a: no pair solved"
    assert not lines(panel, A)

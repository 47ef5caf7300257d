"""Positions of a chat template in figures, tables and the explorer: between problem and chain."""

import pytest
from support.figures import CEILINGS, COT_START, SYMBOLS, timing, with_template

from think_to_talk.figures.clocks import draw_clocks
from think_to_talk.figures.forced_answers import draw_forced_answers
from think_to_talk.figures.heatmap import draw_heatmap
from think_to_talk.figures.overview import draw_overview
from think_to_talk.figures.steering import draw_steering
from think_to_talk.pages.explorer.data import result_data
from think_to_talk.pages.tables import as_cells
from think_to_talk.timing.clocks import CLOCKS, first_used
from think_to_talk.timing.roles import variable_roles
from think_to_talk.timing.symbol_axis import equation_names
from think_to_talk.timing.table import VISIBLE_COLUMNS, timing_rows
from think_to_talk.timing.text import determined_from, position_ceilings


@pytest.fixture
def chat_rows(probe_rows):
    return with_template(probe_rows)


def dated(rows, threshold):
    identity = {"model": "m", "seed": 1, "task": "a"}
    return timing_rows(rows, [{"correct": True}], threshold, identity, CEILINGS)


def test_a_heat_map_has_a_column_for_each_and_says_what_it_is(chat_rows):
    figure = draw_heatmap(chat_rows, timing(chat_rows))
    panel = next(axes for axes in figure.axes if axes.images)
    labels = "".join(label.get_text() for label in panel.get_xticklabels())
    assert labels == SYMBOLS[:3] + "·" + SYMBOLS[4:COT_START] + "▪▪" + SYMBOLS[COT_START:]
    starts = [line.get_xdata()[0] for line in panel.lines if len(set(line.get_xdata())) == 1]
    # The chain begins behind them.
    assert COT_START + 2 - 0.5 in starts
    words = " ".join(text.get_text() for text in figure.texts)
    assert "▪: chat template, between the problem and the chain" in words


def test_the_heat_map_of_raw_text_says_nothing_of_templates(probe_rows):
    figure = draw_heatmap(probe_rows, timing(probe_rows))
    assert "▪" not in " ".join(text.get_text() for text in figure.texts)


def test_lines_along_the_symbols_leave_them_out(probe_rows, chat_rows):
    def lines(rows):
        (panel,) = draw_overview({"a": rows}, 0.9, "tiny").axes
        return [(*line.get_xdata(), *line.get_ydata()) for line in panel.lines]

    assert str(lines(chat_rows)) == str(lines(probe_rows))


def test_t_star_in_the_template_is_before_the_chain_and_named_in_the_table(chat_rows):
    first, _ = dated(chat_rows, 0.8)
    assert (first["t_star"], first["t_star_equation"]) == (-2, -0.5)
    assert first["acc_before"] == 0.9
    assert first["t_text"] == determined_from(position_ceilings(chat_rows, CEILINGS, 0))
    headings, cells = as_cells([first], VISIBLE_COLUMNS)
    assert cells[headings.index("t*eq")] == "template"
    assert cells[headings.index("t*")] == "-2"


def test_the_template_says_no_more_than_the_problem(chat_rows):
    of_positions = position_ceilings(chat_rows, CEILINGS, 1)
    assert list(of_positions) == list(range(-COT_START - 2, len(SYMBOLS) - COT_START))
    assert of_positions[-2] == of_positions[-1] == of_positions[-3] == of_positions[0]


def test_roles_are_those_of_raw_text(probe_rows, chat_rows):
    assert variable_roles(chat_rows) == variable_roles(probe_rows)


def test_equations_have_it_between_question_and_chain(chat_rows, probe_rows):
    assert next(iter(equation_names(chat_rows).items())) == (-0.5, "template")
    assert -0.5 not in equation_names(probe_rows)


def test_a_patch_of_the_template_is_earlier_than_one_of_the_chain():
    grid = [{"equation": equation, "success": 0.9} for equation in (0, -0.5)]
    assert first_used(grid, 0.5)["equation"] == -0.5


def test_dates_in_it_are_drawn_between_problem_and_chain(chat_rows):
    row = {"task": "a", "variable": 1, **dict.fromkeys(CLOCKS), "heldout": True, "cuts": 3}
    row |= {"pairs": 20, "t_star": -2, "t_said": -1, "t_used": -3, "t_text": 0}
    (panel,) = draw_clocks({"a": chat_rows}, [row], "tiny").axes
    places = [
        line.get_xdata()[0]
        for line in panel.lines
        if len(line.get_xdata()) == 1 and line.get_marker() not in ("", "None")
    ]
    assert sorted(places) == [-1, -0.5, -0.5, 0]


def test_the_cut_before_the_chain_is_drawn_there(chat_rows):
    place = {"relative_position": -1, "symbol_index": None, "symbol": "▪", "equation": -0.5}
    row = {**place, "cut": 0, "accuracy": 0.95, "digit_mass": 0.7, "answer": [9]}
    row |= {"accuracy_ci_low": 0.9, "accuracy_ci_high": 1.0}
    (panel,) = draw_forced_answers({"a": chat_rows}, {"a": [row]}, 0.9, "tiny").axes
    star = next(line for line in panel.lines if line.get_marker() == "*")
    assert list(star.get_xdata()) == [-0.5]


def test_steered_states_are_drawn_there(chat_rows):
    row = {"position": COT_START, "variable": 1, "kind": "probe", "n": 5, "factor": 1, "layer": 1}
    row |= {"follows": 0.5, "passes_held_out": True, "follows_ci_low": 0.4, "follows_ci_high": 0.6}
    (panel,) = draw_steering({"a": chat_rows}, {"a": [row]}, "tiny").axes
    assert {line.get_xdata()[0] for line in panel.lines if list(line.get_ydata()) == [0.5]} == {
        -0.5
    }


def test_the_explorer_has_them(chat_rows):
    rows = [
        {**row, "token": "x", "answer": [1], "predictions": [1], "sample_ids": [0]}
        for row in chat_rows
    ]
    data = result_data({"model": "m", "seed": 1, "task": "a"}, rows, dated(chat_rows, 0.8))
    assert data["positions"]["symbol"][COT_START - 1 : COT_START + 3] == ["?", "▪", "▪", "B"]
    assert data["positions"]["equation"][COT_START] == -0.5
    assert data["cot_start"] == COT_START + 2
    assert data["equations"]["-0.5"] == "template"

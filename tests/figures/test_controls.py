"""Figures of controls: a panel per task, curves averaged over seeds, marks of t*."""

import pytest
from support.controls import COT_START, OTHER, REAL, table, timing_row
from support.figures import points, random_probe_rows

from think_to_talk.controls.results import Result
from think_to_talk.figures.controls import draw_control
from think_to_talk.timing.roles import ROLE_COLOURS


def without_scores(rows):
    return [{**row, "score": None, "predictions": None} for row in rows]


CASES = {
    "labels": (OTHER, {}),
    "untrained": (OTHER, {}),
    "wrong_rows": ([{"row": row, "correct": row > 0, "aligned": row > 0} for row in range(4)], {}),
    "thresholds": ([], {"thresholds": [0.5, 0.99]}),
    "seeds": ([timing_row(-1, 0.5), timing_row(None, 0.5, 1)], {}),
}


@pytest.mark.parametrize("control", CASES)
def test_every_control_has_a_table_and_a_figure_of_all_tasks(control):
    """Also where one task has no probes, for lack of rows to train on."""
    compared, options = CASES[control]
    columns = {"sample_ids": [0, 1, 2, 3], "answer": [1] * 4, "predictions": [1, 1, 0, 2]}
    probes = [{**row, **columns} for row in REAL]
    results = [
        Result(1, "t", probes, compared),
        Result(1, "u", without_scores(probes), without_scores(compared)),
        Result(2, "t", probes, compared),
    ]
    rows = table(control, results, **options)
    assert {row["task"] for row in rows} == {"t", "u"}
    figure = draw_control(control, "m", results, rows)
    panels = [axes for axes in figure.axes if axes.axison]
    assert [panel.get_title(loc="left") for panel in panels] == ["t", "u"]
    assert "m" in figure.get_suptitle()
    assert panels[0].get_ylabel()


def test_curves_are_means_over_seeds_of_the_same_layer():
    """Control labels are drawn in the layer that is best for the real ones."""
    worse = [{**row, "score": row["score"] - 0.2} for row in REAL]
    results = [Result(1, "t", REAL, OTHER), Result(2, "t", worse, OTHER)]
    figure = draw_control("labels", "m", results, [])
    curves = [line for line in figure.axes[0].lines if len(points(line)) == 4]
    solid, dashed = map(points, curves)
    assert [line.is_dashed() for line in curves] == [False, True]
    assert list(solid) == list(dashed) == [-2, -1, 0, 1]
    assert list(solid.values()) == pytest.approx([0.35, 0.75, 0.7, 0.87])
    assert list(dashed.values()) == pytest.approx([0.1, 0.15, 0.3, 0.25])


def test_all_panels_of_thresholds_have_one_scale_and_steps():
    probes = [{**row, "score": 0.5} for row in REAL]
    results = [Result(1, "t", REAL, []), Result(1, "u", probes, [])]
    rows = table("thresholds", results, thresholds=[0.4, 0.8])
    panels = draw_control("thresholds", "m", results, rows).axes
    assert len({(panel.get_xlim(), panel.get_ylim()) for panel in panels}) == 1
    for panel in panels:
        steps = [line for line in panel.lines if line.get_drawstyle().startswith("steps")]
        assert [len(line.get_xdata()) for line in steps] == [2]
    assert panels[0].get_ylabel() == "t* (tokens)"
    labels = [label.get_text() for label in panels[0].get_yticklabels()]
    # Accuracies of 0.5 never exceed the second threshold.
    assert labels[-1] == "never"
    assert panels[1].lines[0].get_ydata()[1] == panels[0].get_yticks()[-1]


def test_t_star_marks_of_seeds_are_on_the_symbol_axis():
    results = [Result(seed, "t", REAL, [timing_row(seed, 0.5)]) for seed in (-1, 1)]
    figure = draw_control("seeds", "m", results, [])
    marks = next(line for line in figure.axes[0].lines if line.get_marker() == "v")
    assert list(marks.get_xdata()) == [-1, 1]


@pytest.mark.parametrize("control", ["wrong_rows", "thresholds"])
def test_marks_have_the_colours_of_roles_which_the_legend_names(control):
    compared, options = CASES[control]
    columns = {"sample_ids": [0, 1, 2, 3], "answer": [1] * 4, "predictions": [1, 1, 0, 2]}
    probes = [{**row, **columns, "heldout_score": None} for row in random_probe_rows()]
    results = [
        Result(1, "t", probes, compared),
        Result(1, "u", [{**row, **columns} for row in REAL], compared),
    ]
    figure = draw_control(control, "m", results, table(control, results, **options))
    colours = [
        {line.get_color() for line in axes.lines if line.get_marker() != "None"}
        for axes in figure.axes
    ]
    assert colours == [
        {ROLE_COLOURS["operand"][0], ROLE_COLOURS["answer"][0]},
        {ROLE_COLOURS[None][0]},
    ]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[:3] == ["answer", "operand", "role not known"]


def test_curves_have_the_ceilings_of_their_task():
    ceilings = [{"symbol_index": i, "variable": 0, "ceiling": i / 10} for i in range(1, COT_START)]
    results = [Result(1, "t", REAL, OTHER), Result(1, "u", REAL, OTHER)]
    figure = draw_control("labels", "m", results, [], {"t": ceilings})
    drawn = [[list(line.get_ydata()) for line in axes.lines] for axes in figure.axes]
    assert [0.5, 0.6, 0.6, 0.6] in drawn[0]
    assert [0.5, 0.6, 0.6, 0.6] not in drawn[1]

"""The figure of steering: a marker per place, filled as the held-out test of its probe says."""

from itertools import pairwise

import pytest
from matplotlib.colors import same_color, to_rgba
from support.figures import COT_START

from think_to_talk.figures.steering import RANDOM_COLOUR, draw_steering
from think_to_talk.figures.style import variable_styles
from think_to_talk.timing.roles import variable_roles


def row(position, variable, kind, follows, passes, n=50, factor=1, layer=1):
    return {
        **{"position": position, "variable": variable, "kind": kind, "n": n},
        **{"factor": factor, "layer": layer},
        **{"follows": follows, "passes_held_out": passes},
        "follows_ci_low": follows and follows - 0.1,
        "follows_ci_high": follows and follows + 0.05,
    }


@pytest.fixture
def steering_rows():
    return [
        row(12, 0, "probe", 0.5, True),
        row(12, 0, "random", 0.15, True),
        row(16, 1, "probe", 0.75, False),
        row(20, 1, "probe", 0.25, None),
        row(22, 1, "probe", None, False, n=0),
    ]


def points(panel):
    """{(x, y): line} of the markers."""
    return {
        (line.get_xdata()[0], line.get_ydata()[0]): line
        for line in panel.lines
        if line.get_marker() in tuple("os^D") and len(line.get_xdata()) == 1
    }


def test_each_place_is_a_marker_in_its_variable_s_colour(probe_rows, steering_rows):
    (panel,) = draw_steering({"a": probe_rows}, {"a": steering_rows}, "tiny").axes
    found = points(panel)
    styles = variable_styles(variable_roles(probe_rows))
    expected = {
        (12 - COT_START, 0.5): (styles[0].colour, "full"),
        (12 - COT_START, 0.15): (RANDOM_COLOUR, "full"),
        (16 - COT_START, 0.75): (styles[1].colour, "none"),
        (20 - COT_START, 0.25): (styles[1].colour, "left"),
    }
    assert set(found) == set(expected)
    for place, (colour, fill) in expected.items():
        assert same_color(found[place].get_color(), colour)
        assert found[place].get_fillstyle() == fill
    assert to_rgba(RANDOM_COLOUR) not in {to_rgba(style.colour) for style in styles.values()}


def test_intervals_are_drawn(probe_rows, steering_rows):
    (panel,) = draw_steering({"a": probe_rows}, {"a": steering_rows[:1]}, "tiny").axes
    (bar,) = panel.containers
    ((low, high),) = bar.lines[2][0].get_segments()
    assert (low[1], high[1]) == pytest.approx((0.4, 0.55))


def test_the_legend_names_each_steered_variable_once(probe_rows, steering_rows):
    (panel,) = draw_steering({"a": probe_rows}, {"a": steering_rows}, "tiny").axes
    named = [text.get_text() for text in panel.get_legend().get_texts()]
    styles = variable_styles(variable_roles(probe_rows))
    assert named == [styles[0].label, styles[1].label]


def test_a_token_that_completes_no_symbol_stands_at_the_one_before(probe_rows):
    """A lone space, at position 3 of these rows."""
    rows = [row(3, 0, "probe", 0.5, True)]
    (panel,) = draw_steering({"a": probe_rows}, {"a": rows}, "tiny").axes
    assert set(points(panel)) == {(2 - COT_START, 0.5)}


def test_steps_of_each_length_have_a_panel(probe_rows, steering_rows):
    longer = [row(12, 0, "probe", 1.0, True, factor=2)]
    panels = draw_steering({"a": probe_rows}, {"a": [*longer, *steering_rows]}, "tiny").axes
    assert [panel.get_title(loc="left") for panel in panels] == [
        "a: least step",
        "a: 2 times the least step",
    ]
    assert set(points(panels[1])) == {(12 - COT_START, 1.0)}
    assert len(points(panels[0])) == 4


def test_probes_at_one_position_stand_beside_each_other(probe_rows):
    rows = [
        row(12, 0, "probe", 0.5, True, layer=3),
        row(12, 0, "random", 0.25, True, layer=3),
        row(12, 0, "probe", 0.75, False, layer=1),
        row(12, 1, "probe", 1.0, False, layer=1),
    ]
    (panel,) = draw_steering({"a": probe_rows}, {"a": rows}, "tiny").axes
    to_points = 72 / panel.figure.dpi
    found = {
        y: line.get_transform().transform((x, y))[0] * to_points
        for (x, y), line in points(panel).items()
    }
    # By variable, layer and kind of step, and around their place.
    order = [0.75, 0.5, 0.25, 1.0]
    steps = [found[y] - found[x] for x, y in pairwise(order)]
    assert steps == pytest.approx([steps[0]] * 3)
    assert steps[0] > 3
    middle = panel.transData.transform((12 - COT_START, 0))[0] * to_points
    assert sum(found.values()) / 4 == pytest.approx(middle)


def test_a_task_without_a_steered_place_is_an_empty_panel(probe_rows, steering_rows):
    figure = draw_steering({"a": probe_rows}, {"a": steering_rows[-1:]}, "tiny")
    assert not points(figure.axes[0])
    assert figure.axes[0].get_legend() is None


def test_a_task_that_cannot_be_read_has_a_panel_that_says_so(probe_rows, steering_rows):
    tasks = {"a": probe_rows, "b": probe_rows}
    first, second = draw_steering(tasks, {"a": [], "b": steering_rows}, "tiny").axes
    assert first.get_title(loc="left") == "a"
    assert not first.lines
    assert [text.get_text()[:8] for text in first.texts] == ["left out"]
    assert points(second)

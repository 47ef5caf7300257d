"""The figure of forced answers: a point per cut, on the places of the probes."""

import pytest
from support.figures import COT_START, JOINED
from support.figures import points as places

from think_to_talk.figures.forced_answers import draw_forced_answers
from think_to_talk.timing.roles import ANSWER, ROLE_COLOURS


@pytest.fixture
def forced_rows(probe_rows):
    """At two places of the chain: the answer is said at the second."""
    chain = [row for row in probe_rows if row["relative_position"] >= -1]
    places = sorted({row["symbol_index"]: row for row in chain}.items())
    return [
        {
            **{key: row[key] for key in ("relative_position", "symbol_index", "symbol")},
            "cut": cut,
            "accuracy": accuracy,
            "accuracy_ci_low": accuracy - 0.05,
            "accuracy_ci_high": min(1, accuracy + 0.05),
            "digit_mass": 0.7,
            "answer": [3, 9],
        }
        for cut, ((_, row), accuracy) in enumerate(zip(places[:2], (0.2, 0.95), strict=True))
    ]


def points(panel, colour):
    return [line for line in panel.lines if line.get_color() == colour]


def test_each_cut_has_a_point_and_a_star_marks_where_the_answer_is_said(probe_rows, forced_rows):
    (panel,) = draw_forced_answers({"a": probe_rows}, {"a": forced_rows}, 0.9, "tiny").axes
    x = [row["symbol_index"] - COT_START for row in forced_rows]
    accuracy, star = (
        next(
            line
            for line in points(panel, ROLE_COLOURS[ANSWER][0])
            if line.get_marker() == marker and line.get_linestyle() == style
        )
        for marker, style in (("o", "-"), ("*", "-"))
    )
    assert list(accuracy.get_xdata()) == x
    assert list(accuracy.get_ydata()) == [0.2, 0.95]
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([x[1]], [0.95])
    (mass,) = points(panel, "0.3")
    assert list(mass.get_ydata()) == [0.7, 0.7]


@pytest.mark.parametrize(("answers", "label"), [([3, 9], "digits"), ([3, 10], "numbers")])
def test_the_mass_is_on_what_the_answers_are(probe_rows, forced_rows, answers, label):
    others = [{**row, "answer": answers} for row in forced_rows]
    tasks = {"a": probe_rows, "b": probe_rows}
    first, _ = draw_forced_answers(tasks, {"a": forced_rows, "b": others}, 0.9, "tiny").axes
    (mass,) = points(first, "0.3")
    assert mass.get_label() == f"mass on {label}"


def test_an_answer_that_is_never_said_has_no_star(probe_rows, forced_rows):
    (panel,) = draw_forced_answers({"a": probe_rows}, {"a": forced_rows}, 0.99, "tiny").axes
    assert not [line for line in panel.lines if line.get_marker() == "*"]


def test_behind_it_is_the_best_probe_of_the_answer_alone(probe_rows, forced_rows):
    (panel,) = draw_forced_answers({"a": probe_rows}, {"a": forced_rows}, 0.9, "tiny").axes
    (probe,) = points(panel, "0.5")
    best = {}
    for row in probe_rows:
        if row["variable"] == 1 and row["symbol_index"] is not None:
            place = row["symbol_index"] - COT_START
            best[place] = max(row["score"], best.get(place, 0))
    assert places(probe) == {place: best[place] for place in JOINED}


def test_a_task_that_cannot_be_read_has_a_panel_that_says_so_and_no_point(probe_rows, forced_rows):
    tasks = {"a": probe_rows, "b": probe_rows}
    for forced in ({"a": [], "b": forced_rows}, {"a": [], "b": []}):
        first, second = draw_forced_answers(tasks, forced, 0.9, "tiny").axes
        assert not first.lines
        assert not first.collections
        assert [text.get_text()[:8] for text in first.texts] == ["left out"]
        assert bool(second.lines) == bool(forced["b"])
        assert bool(second.get_legend()) == bool(forced["b"])

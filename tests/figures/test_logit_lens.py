"""The figure of the logit lens: two lines per variable, in the colour of its role."""

import pytest
from support.figures import COT_START, JOINED, points

from think_to_talk.figures.logit_lens import draw_logit_lens
from think_to_talk.timing.roles import ROLE_COLOURS


@pytest.fixture
def lens_rows(probe_rows):
    """Of the same places: layer 2 has an accuracy of 0.5, layer 0 less."""
    return [
        {
            **{key: value for key, value in row.items() if not key.startswith("heldout")},
            "score": (score := 0.1 + 0.2 * row["layer"]),
            "ci_low": score - 0.02,
            "ci_high": score + 0.02,
            "digit_mass": 0.3,
        }
        for row in probe_rows
    ]


def test_each_variable_has_a_solid_line_of_probes_and_a_dotted_one_of_the_lens(
    probe_rows, lens_rows
):
    figure = draw_logit_lens({"level-1": probe_rows}, {"level-1": lens_rows}, 0.9, "tiny")
    (panel,) = figure.axes
    lines = [line for line in panel.lines if list(points(line)) == JOINED]
    for label, role in (("A, operand", "operand"), ("B, the answer", "answer")):
        probes, lens = (line for line in lines if line.get_color() == ROLE_COLOURS[role][0])
        assert probes.get_label() == label
        assert probes.get_linestyle() == "-"
        assert lens.is_dashed()
        # The best layer's.
        assert set(points(lens).values()) == {0.5}
        variable = "AB".index(label[0])
        best = [
            max(
                row["score"]
                for row in probe_rows
                if row["symbol_index"] == place + COT_START and row["variable"] == variable
            )
            for place in JOINED
        ]
        assert list(points(probes).values()) == best
    assert "dotted: logit lens" in figure.texts[-1].get_text()


def test_each_task_has_a_panel_with_its_own_rows(probe_rows, lens_rows):
    lower = [{**row, "score": 0.05} for row in lens_rows]
    lens = {"level-1": lens_rows, "level-2": lower}
    figure = draw_logit_lens(dict.fromkeys(lens, probe_rows), lens, 0.9, "tiny, seed 1")
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["level-1", "level-2"]
    drawn = [{y for line in panel.lines for y in line.get_ydata()} for panel in figure.axes]
    assert 0.5 in drawn[0] - drawn[1]
    assert 0.05 in drawn[1] - drawn[0]


def test_probes_without_a_score_leave_the_lens_alone(probe_rows, lens_rows):
    unfitted = [{**row, "score": None, "ci_low": None, "ci_high": None} for row in probe_rows]
    (panel,) = draw_logit_lens({"a": unfitted}, {"a": lens_rows}, 0.9, "tiny").axes
    drawn = [line for line in panel.lines if list(points(line)) == JOINED]
    assert len(drawn) == 2
    assert all(line.is_dashed() for line in drawn)


def test_a_task_that_cannot_be_read_has_a_panel_that_says_so_and_no_line(probe_rows, lens_rows):
    tasks = {"a": probe_rows, "b": probe_rows}
    first, second = draw_logit_lens(tasks, {"a": lens_rows, "b": []}, 0.9, "tiny").axes
    assert first.lines
    assert not second.lines
    assert [text.get_text()[:8] for text in second.texts] == ["left out"]


def test_a_panel_says_where_the_lens_reads_the_first_token_of_numbers_alone(probe_rows, lens_rows):
    tasks = {"a": probe_rows, "b": probe_rows}
    first_tokens = [{**row, "reads": "first token"} for row in lens_rows]
    panels = draw_logit_lens(tasks, {"a": lens_rows, "b": first_tokens}, 0.9, "tiny").axes
    titles = [panel.get_title(loc="left") for panel in panels]
    assert titles == ["a", "b (dotted: of a number, the first token)"]

"""Heat maps: a panel per variable, the start of the chain of thought, t*, missing scores."""

import numpy as np
from support.figures import CEILINGS, COT_START, SYMBOLS, timing, with_heldout

from think_to_talk.figures.heatmap import draw_heatmap
from think_to_talk.figures.overview import draw_overview


def test_a_heat_map_has_a_panel_per_variable_with_the_symbols_the_start_and_t_star(probe_rows):
    figure = draw_heatmap(probe_rows, timing(probe_rows))
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 2
    for variable, panel in enumerate(panels):
        labels = [label.get_text() for label in panel.get_xticklabels()]
        assert "".join(labels) == SYMBOLS[:3] + "·" + SYMBOLS[4:]
        image = panel.images[0].get_array()
        assert image.shape == (2, len(SYMBOLS))
        expected = {
            (r["layer"], r["position"]): r["score"] for r in probe_rows if r["variable"] == variable
        }
        assert image[1, 20] == expected[2, 20]
        assert panel.images[0].get_clim() == (0, 1)
        starts = [line.get_xdata()[0] for line in panel.lines if len(set(line.get_xdata())) == 1]
        assert COT_START - 0.5 in starts
        star = next(line for line in panel.lines if line.get_marker() == "*")
        assert (star.get_xdata()[0], star.get_ydata()[0]) == (17 + variable, 0)
        assert f"t* = {17 + variable - COT_START}" in panel.get_title(loc="left")


def test_a_line_above_the_layers_is_what_the_text_says(probe_rows):
    figure = draw_heatmap(probe_rows, timing(probe_rows), CEILINGS)
    for panel in (axes for axes in figure.axes if axes.images):
        image = panel.images[0].get_array()
        assert image.shape == (3, len(SYMBOLS))
        assert list(image[2]) == [0.25] * 8 + [1.0] * (len(SYMBOLS) - 8)
        assert [label.get_text() for label in panel.get_yticklabels()] == ["0", "2", "text"]


def test_held_out_accuracy_has_a_panel_of_its_own_below_the_variable_s(probe_rows):
    rows = with_heldout(probe_rows)
    figure = draw_heatmap(rows, timing(rows), CEILINGS)
    panels = [axes for axes in figure.axes if axes.images]
    titles = [panel.get_title(loc="left") for panel in panels]
    assert [title.partition(":")[0] for title in titles] == [
        "A, operand",
        "B, the answer",
        "B, held-out",
    ]
    plain, heldout = (panel.images[0].get_array() for panel in panels[1:])
    assert heldout.shape == (2, len(SYMBOLS))
    assert list(heldout[1]) == [0.1] * 20 + [0.97] * (len(SYMBOLS) - 20)
    assert list(plain[:2, 20]) == [0.96, 0.96]
    star = next(line for line in panels[2].lines if line.get_marker() == "*")
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (20, 1)
    assert f"t* = {20 - COT_START} (layer 2, accuracy 0.97)" in titles[2]
    assert "before the chain 0.10" in titles[2]
    assert "never saw the row's expression" in figure.texts[-1].get_text()


def test_null_scores_are_drawn_as_missing(probe_rows):
    empty = [{**row, "score": None, "ci_low": None, "ci_high": None} for row in probe_rows]
    panel = draw_heatmap(empty, timing(empty)).axes[0]
    assert np.ma.getmaskarray(np.ma.masked_invalid(panel.images[0].get_array())).all()
    assert "no probes" in panel.get_title(loc="left")
    draw_overview({"level-1": empty}, 0.9, "tiny")

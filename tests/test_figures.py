"""Figures: the same bytes for the same input, and what they must show."""

import hashlib
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from think_to_talk.figures import draw_heatmap, draw_overview, save
from think_to_talk.timing import timing_rows

SYMBOLS = "B=#±A,A=#;B=?B=#±A,A=#,B=#⏎"
COT_START = 13
IDENTITY = {"model": "tiny", "seed": 42, "task": "level-1"}


@pytest.fixture
def probe_rows():
    rng = np.random.default_rng(0)
    rows = []
    for layer in (0, 2):
        for position, symbol in enumerate(SYMBOLS):
            for variable in range(2):
                score = float(rng.uniform(0.1, 0.5)) if position < 17 + variable else 0.96
                rows.append(
                    {
                        "layer": layer,
                        "position": position,
                        "relative_position": position - COT_START,
                        "equation": 0,
                        "symbol": symbol,
                        "symbol_index": position if position != 3 else None,
                        "variable": variable,
                        "score": score,
                        "ci_low": score - 0.02,
                        "ci_high": score + 0.02,
                        "chance": 0.2,
                    }
                )
    return rows


def timing(probe_rows):
    return timing_rows(probe_rows, [{"correct": True}], 0.9, IDENTITY)


def draw_both(probe_rows, folder):
    paths = [folder / f"{name}.{kind}" for name in ("map", "view") for kind in ("png", "svg")]
    save(draw_heatmap(probe_rows, timing(probe_rows)), paths[:2])
    save(draw_overview({"level-1": probe_rows, "level-2": probe_rows}, 0.9, "tiny"), paths[2:])
    return paths


def test_identical_input_gives_identical_files(probe_rows, tmp_path):
    digests = []
    for name in ("first", "second"):
        paths = draw_both(probe_rows, tmp_path / name)
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]
    for path in paths:
        content = path.read_bytes()
        assert b"Matplotlib" not in content[:2000].replace(b"matplotlib.org", b"") or (
            path.suffix == ".svg"
        )
        assert len(content) > 5000
        if path.suffix == ".svg":
            ET.fromstring(content)


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


def test_null_scores_are_drawn_as_missing(probe_rows):
    empty = [{**row, "score": None, "ci_low": None, "ci_high": None} for row in probe_rows]
    panel = draw_heatmap(empty, timing(empty)).axes[0]
    assert np.ma.getmaskarray(np.ma.masked_invalid(panel.images[0].get_array())).all()
    assert "no probes" in panel.get_title(loc="left")
    draw_overview({"level-1": empty}, 0.9, "tiny")


def test_the_overview_has_a_line_per_variable_on_the_symbol_axis(probe_rows):
    figure = draw_overview({"level-1": probe_rows}, 0.9, "tiny")
    (panel,) = figure.axes
    curves = {line.get_label(): line for line in panel.lines if line.get_label() in "AB"}
    assert set(curves) == {"A", "B"}
    x, y = curves["A"].get_data()
    assert list(x) == [i - COT_START for i in range(len(SYMBOLS)) if i != 3]
    best = max(r["score"] for r in probe_rows if r["position"] == 5 and r["variable"] == 0)
    assert y[list(x).index(5 - COT_START)] == best

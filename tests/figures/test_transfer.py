"""The matrix of transfer: what each cell holds, and what stands along its sides."""

import numpy as np

from think_to_talk.figures.style import save
from think_to_talk.figures.transfer import draw_transfer

WHOSE = {"model": "m", "train_model": "base", "task": "b", "train_task": "a"}


def row(t, layer, hits, variable=0, test_variable=0):
    symbols = "A=#;A=?"
    return {
        **WHOSE,
        "layer": layer,
        "relative_position": t,
        "symbol": symbols[t % len(symbols)],
        "symbol_index": t + 2,
        "variable": variable,
        "test_variable": test_variable,
        "n_test": 10,
        "test_relative_position": [-2, -1, 0],
        "test_symbol": ["B", "?", "#"],
        "hits": hits,
    }


def test_a_cell_is_the_layer_with_the_highest_accuracy():
    rows = [row(-1, 0, [1, 8, 3]), row(-1, 1, [2, 7, 3]), row(0, 0, [0, 0, 10])]
    (panel, _) = draw_transfer(rows, "t").axes
    (image,) = panel.images
    assert np.allclose(image.get_array(), [[0.2, 0.8, 0.3], [0, 0, 1]])
    assert image.get_clim() == (0, 1)


def test_the_sides_say_whose_symbols_they_are_and_where_the_chain_begins():
    rows = [row(t, 0, [1, 1, 1], variable, 1) for t in (-2, -1, 0) for variable in (0, 1)]
    figure = draw_transfer(rows, "t")
    first, second, _ = figure.axes
    assert first.get_title() == "A, read as B"
    assert second.get_title() == "B"
    assert first.get_ylabel() == "trained at (a)"
    assert second.get_xlabel() == "tested at (b)"
    assert "Probes of base" in figure.texts[-1].get_text()
    assert [label.get_text() for label in first.get_xticklabels()] == ["B", "#"]
    across = [line for line in first.lines if line.get_xdata()[0] == line.get_xdata()[1]]
    assert {line.get_xdata()[0] for line in across} == {1.5}


def test_without_a_probe_the_figure_says_so(tmp_path):
    figure = draw_transfer([], "a, m, seed 1")
    save(figure, [tmp_path / "a.png", tmp_path / "a.svg"])
    assert "No probes (too few rows" in figure.texts[-1].get_text()

"""The figure of free writing: a cell per window and equation, its colour the success rate."""

import numpy as np

from think_to_talk.figures.free_writing import draw_free_writing
from think_to_talk.figures.style import save

NAMES = {-3: "B=#±A,", -2: "A=#;", -1: "B=?", 0: "B=#⏎"}


def probes():
    symbols = [(equation, symbol) for equation in NAMES for symbol in NAMES[equation]]
    return [
        {"position": place, "symbol_index": place, "symbol": symbol, "equation": equation}
        for place, (equation, symbol) in enumerate(symbols)
    ]


def rows(task, edit, n=50):
    return [
        {
            **{"task": task, "edit": edit, "kind": "sliding", "rows": which, "n": n},
            **{"layers": [layer, layer + 1], "equation": equation},
            "success": (layer - equation) / 8 if n and which == "solved" else None,
        }
        for equation in (-3, -2, -1)
        for layer in (0, 2, 4)
        for which in ("solved", "all")
    ]


def test_it_has_a_panel_per_task_and_edit_and_a_cell_per_window_and_equation(tmp_path):
    given = [*rows("one", "first"), *rows("one", "second"), *rows("two", "second", n=0)]
    figure = draw_free_writing(given, {"one": probes(), "two": probes()}, "tiny, seed 42")
    *panels, _bar = figure.axes
    # The task whose pairs are not solved, and the edit that it has not, have no panel.
    titles = [panel.get_title("left") for panel in panels]
    assert titles == ["one: first", "one: second"]
    assert [panel.get_ylabel() for panel in panels] == ["layers", ""]
    for panel in panels:
        [mesh] = panel.collections
        expected = [[(layer - equation) / 8 for equation in (-3, -2, -1)] for layer in (0, 2, 4)]
        np.testing.assert_allclose(mesh.get_array().reshape(3, 3), expected)
        assert [label.get_text() for label in panel.get_yticklabels()] == ["0–1", "2–3", "4–5"]
        assert len(panel.get_xticklabels()) == 3
    assert "Left out are edits of which the model solves no pair" in figure.texts[-1].get_text()
    save(figure, [tmp_path / "a.png", tmp_path / "a.svg"])
    assert (tmp_path / "a.png").stat().st_size > 5000

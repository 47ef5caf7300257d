"""Overviews: a line per variable on the symbol axis."""

from support.figures import CEILINGS, COT_START, SYMBOLS

from think_to_talk.figures.overview import draw_overview


def test_the_overview_has_a_line_per_variable_on_the_symbol_axis(probe_rows):
    figure = draw_overview({"level-1": probe_rows}, 0.9, "tiny")
    (panel,) = figure.axes
    curves = {line.get_label(): line for line in panel.lines if line.get_label() in "AB"}
    assert set(curves) == {"A", "B"}
    x, y = curves["A"].get_data()
    assert list(x) == [i - COT_START for i in range(len(SYMBOLS)) if i != 3]
    best = max(r["score"] for r in probe_rows if r["position"] == 5 and r["variable"] == 0)
    assert y[list(x).index(5 - COT_START)] == best


def test_each_variable_has_its_ceiling_in_its_colour(probe_rows):
    later = [{**row, "ceiling": 0.5} if row["variable"] else row for row in CEILINGS]
    (panel,) = draw_overview({"level-1": probe_rows}, 0.9, "tiny", {"level-1": later}).axes
    curves = {line.get_label(): line for line in panel.lines if line.get_label() in "AB"}
    place = [i - COT_START for i in range(len(SYMBOLS)) if i != 3]
    for name, expected in (
        ("A", [0.25 if x < 8 - COT_START else 1 for x in place]),
        ("B", [0.5] * len(place)),
    ):
        (ceiling,) = (
            line
            for line in panel.lines
            if line.get_color() == curves[name].get_color() and line is not curves[name]
        )
        assert list(ceiling.get_xdata()) == place
        assert list(ceiling.get_ydata()) == expected
    assert "ceiling" in panel.get_xlabel()


def test_without_ceilings_none_is_drawn_and_none_is_named(probe_rows):
    (panel,) = draw_overview({"level-1": probe_rows}, 0.9, "tiny").axes
    # The curves of two variables, the begin of the chain, the threshold.
    assert sum(len(line.get_xdata()) > 0 for line in panel.lines) == 4
    assert "ceiling" not in panel.get_xlabel()

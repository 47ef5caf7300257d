"""Overviews: a line per variable on the symbol axis."""

from math import isnan

from matplotlib.colors import same_color
from support.figures import CEILINGS, COT_START, JOINED, SYMBOLS, points, with_heldout

from think_to_talk.figures.overview import draw_overview
from think_to_talk.timing.roles import ROLE_COLOURS


def curves_of(panel):
    """{name of a variable: its curve}."""
    return {line.get_label()[0]: line for line in panel.lines if "," in line.get_label()}


def test_the_overview_has_a_line_per_variable_on_the_symbol_axis(probe_rows):
    figure = draw_overview({"level-1": probe_rows}, 0.9, "tiny")
    (panel,) = figure.axes
    curves = curves_of(panel)
    assert [line.get_label() for line in curves.values()] == ["A, operand", "B, the answer"]
    drawn = points(curves["A"])
    assert list(drawn) == JOINED
    best = max(r["score"] for r in probe_rows if r["position"] == 6 and r["variable"] == 0)
    assert drawn[6 - COT_START] == best


def test_separators_are_light_marks_and_the_line_breaks_between_equations(probe_rows):
    (panel,) = draw_overview({"level-1": probe_rows}, 0.9, "tiny").axes
    curve = curves_of(panel)["A"]
    (light,) = (
        line
        for line in panel.lines
        if line.get_alpha() and same_color(line.get_color(), curve.get_color())
    )
    separators = [i - COT_START for i, symbol in enumerate(SYMBOLS) if symbol in ",;⏎"]
    assert list(points(light)) == separators
    assert light.get_linestyle() == "None"
    # So does the band of its interval.
    (band, *_) = panel.collections
    assert len(band.get_paths()) == 6
    # A gap at each of them, and one between the question, which ends without, and the chain.
    gaps = [place for place, y in zip(*curve.get_data(), strict=True) if isnan(y)]
    assert len(gaps) == len(separators) + 1
    labels = {label.get_text(): label.get_color() for label in panel.get_xticklabels()}
    assert labels[","] == labels[";"] != labels["A"]


def test_each_variable_has_its_ceiling_in_its_colour(probe_rows):
    later = [{**row, "ceiling": 0.5} if row["variable"] else row for row in CEILINGS]
    (panel,) = draw_overview({"level-1": probe_rows}, 0.9, "tiny", {"level-1": later}).axes
    curves = curves_of(panel)
    place = [i - COT_START for i in range(len(SYMBOLS)) if i != 3]
    for name, expected in (
        ("A", [0.25 if x < 8 - COT_START else 1 for x in place]),
        ("B", [0.5] * len(place)),
    ):
        (ceiling,) = (
            line
            for line in panel.lines
            if line.get_color() == curves[name].get_color()
            and line is not curves[name]
            and not line.get_alpha()
        )
        assert list(ceiling.get_xdata()) == place
        assert list(ceiling.get_ydata()) == expected
    assert "ceiling" in panel.figure.texts[-1].get_text()


def test_without_ceilings_none_is_drawn_and_none_is_named(probe_rows):
    (panel,) = draw_overview({"level-1": probe_rows}, 0.9, "tiny").axes
    # The curves of two variables with their light marks, the begin of the chain, the threshold.
    assert sum(len(line.get_xdata()) > 0 for line in panel.lines) == 6
    assert "ceiling" not in panel.figure.texts[-1].get_text()


def test_a_role_has_the_same_colour_in_all_tasks(probe_rows):
    """Where A is asked for, B is a distractor; where nothing is known, neither has a role."""
    other = [{**row, "symbol": "A"} if row["position"] == 10 else row for row in probe_rows]
    hidden = [{**row, "symbol_index": None} if row["position"] == 8 else row for row in probe_rows]
    panels = draw_overview({"b": probe_rows, "a": other, "unknown": hidden}, 0.9, "tiny").axes
    found = [
        {
            line.get_label(): line.get_color()
            for line in panel.lines
            if not line.get_label().startswith("_")
        }
        for panel in panels
    ]
    assert found == [
        {"A, operand": ROLE_COLOURS["operand"][0], "B, the answer": ROLE_COLOURS["answer"][0]},
        {
            "A, the answer": ROLE_COLOURS["answer"][0],
            "B, distractor": ROLE_COLOURS["distractor"][0],
        },
        {"A": ROLE_COLOURS[None][0], "B": ROLE_COLOURS[None][1]},
    ]


def test_held_out_accuracy_is_a_dashed_line_in_the_variable_s_colour(probe_rows):
    (panel,) = draw_overview({"level-1": with_heldout(probe_rows)}, 0.9, "tiny").axes
    answer = curves_of(panel)["B"]
    (heldout,) = (line for line in panel.lines if line.is_dashed() and len(line.get_xdata()) > 2)
    assert heldout.get_color() == answer.get_color()
    assert answer.get_linestyle() == "-"
    drawn = points(heldout)
    assert list(drawn) == list(points(answer))
    assert list(drawn.values()) == [0.1 if x < 20 - COT_START else 0.97 for x in drawn]
    assert "Dashed: held-out accuracy" in panel.figure.texts[-1].get_text()


def worded_rows(text, equations):
    """Rows of one layer and variable: a problem of two sentences, and its chain."""
    places = enumerate(zip(text.split(), equations, strict=True))
    numbers = {"score": 0.5, "ci_low": 0.4, "ci_high": 0.6, "heldout_score": None}
    return [
        {
            "layer": 0,
            "variable": 0,
            "position": i,
            "relative_position": i - sum(e < 0 for e in equations),
        }
        | {"symbol": word, "symbol_index": i, "equation": equation, **numbers}
        for i, (word, equation) in places
    ]


SENTENCES = worded_rows(
    "A has # apples . How many has A ? A has # apples ⏎", [-2] * 5 + [-1] * 5 + [0] * 5
)
EQUATIONS = worded_rows("A = # ; A = ? A = # ⏎", [-2] * 4 + [-1] * 3 + [0] * 4)


def test_an_equation_has_the_same_width_however_it_is_written():
    figure = draw_overview({"symbols": EQUATIONS, "sentences": SENTENCES}, 0.9, "tiny")
    ends = []
    for panel, first in zip(figure.axes, ([0, 4, 7], [0, 5, 10]), strict=True):
        scale = panel.get_xaxis().get_transform()
        start = first[-1]
        ends.append([*scale.transform([place - start - 0.5 for place in first])])
        left, right = scale.transform(panel.get_xlim())
        assert (left, right) == (0, 15)
    assert ends == [[0, 5, 10], [0, 5, 10]]
    assert "One axis" in figure.texts[-1].get_text()
    rotations = {
        label.get_text(): label.get_rotation() for label in figure.axes[1].get_xticklabels()
    }
    assert [rotations["apples"], rotations["#"]] == [90, 0]


def test_tasks_of_other_equations_keep_their_own_axes(probe_rows):
    figure = draw_overview({"level-1": probe_rows, "sentences": SENTENCES}, 0.9, "tiny")
    assert {panel.get_xscale() for panel in figure.axes} == {"linear"}
    assert "One axis" not in figure.texts[-1].get_text()

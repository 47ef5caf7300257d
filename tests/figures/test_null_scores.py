"""Null scores and shares pass through the figures of interventions and leave no marks."""

from support.figures import IDENTITY, random_probe_rows

from think_to_talk.figures.interventions import draw_effects
from think_to_talk.figures.patching import draw_patching
from think_to_talk.interventions.table import COLUMNS

NULLS = {"n": 0, "success": None, "success_ci_low": None, "success_ci_high": None}


def test_patching_without_probes_and_without_solved_pairs_has_no_panel():
    probes = [
        {**row, "score": None, "ci_low": None, "ci_high": None} for row in random_probe_rows()
    ]
    patching = [
        {
            **IDENTITY,
            "kind": "sliding",
            "donor": "paired",
            "rows": "solved",
            "edit": edit,
            "layers": [layer, layer + 1],
            "equation": 0,
            "answer_equation": 0,
            "variable": 0,
            **NULLS,
        }
        for edit in ("values", "operators")
        for layer in (0, 1)
    ]
    figure = draw_patching(patching, probes)
    assert not figure.axes
    assert "fewer than 10 pairs" in figure.texts[-1].get_text()


def test_effects_without_solved_pairs_have_no_panel_and_say_so():
    rows = [
        {**dict.fromkeys(COLUMNS), **IDENTITY, "pairs": "solved", "n": 0, **values}
        for values in (
            {"intervention": "patching", "spec": "problem", "edit": "values"},
            {"intervention": "inconsistent_chain", "variable": 0},
        )
    ]
    figure = draw_effects(rows, "tiny")
    assert not figure.axes
    assert "no pair" in figure.texts[-1].get_text()

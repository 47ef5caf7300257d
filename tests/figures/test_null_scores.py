"""Null scores and shares pass through the figures of interventions as empty panels."""

import numpy as np
from support.figures import IDENTITY, random_probe_rows

from think_to_talk.figures.interventions import draw_effects
from think_to_talk.figures.patching import draw_patching
from think_to_talk.interventions.table import COLUMNS

NULLS = {"n": 0, "success": None, "success_ci_low": None, "success_ci_high": None}


def test_patching_without_probes_and_without_solved_pairs_is_an_empty_heat_map():
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
    readable, *used = draw_patching(patching, probes).axes[:3]
    values = readable.collections[0].get_array()
    assert np.ma.getmaskarray(values).all()
    assert [panel.texts[0].get_text() for panel in used] == ["too few pairs"] * 2


def test_effects_without_solved_pairs_have_panels_without_marks():
    rows = [
        {**dict.fromkeys(COLUMNS), **IDENTITY, "pairs": "solved", "n": 0, **values}
        for values in (
            {"intervention": "patching", "spec": "problem", "edit": "values"},
            {"intervention": "inconsistent_chain", "variable": 0},
        )
    ]
    for panel in draw_effects(rows, "tiny").axes:
        assert not panel.lines

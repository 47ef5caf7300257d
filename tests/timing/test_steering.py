"""The table of steering, against numbers computed by hand."""

import pytest
import yaml
from jsonschema import Draft202012Validator
from support.repository import REPOSITORY

from think_to_talk.timing.steering import COLUMNS, VISIBLE_COLUMNS, table_rows


def row(t, kind, follows, passes=True, variable=0, n=20, factor=1):
    return {
        **{
            "model": "m",
            "seed": 1,
            "task": "a",
            "variable": variable,
            "layer": 1,
            "factor": factor,
        },
        **{"relative_position": t, "kind": kind, "passes_held_out": passes, "n": n},
        "follows": follows,
        "follows_ci_low": None if follows is None else max(0, follows - 0.1),
        "follows_ci_high": None if follows is None else min(1, follows + 0.1),
    }


ROWS = [
    row(3, "probe", 0.5),
    row(3, "random", 0.1),
    row(-2, "probe", 0.25),
    row(-2, "random", 0.2),
    row(5, "probe", 0.5),
    row(5, "random", 0.0),
    row(-4, "probe", 0.75, passes=False),
    row(-4, "random", 0.0, passes=False),
    # Where nothing is steered.
    row(8, "probe", None, passes=False, n=0),
    row(8, "random", None, passes=False, n=0),
    row(1, "probe", 0.0, passes=None, variable=1),
    row(3, "probe", 1.0, factor=2),
]


def test_passing_and_failing_probes_stand_side_by_side():
    first, longer, second = table_rows([ROWS])
    assert set(first) == set(longer) == set(second) == set(COLUMNS)
    assert [(row["variable"], row["factor"]) for row in (first, longer)] == [(0, 1), (0, 2)]
    assert (longer["passing_best"], longer["passing_places"]) == (1, 1)
    assert (first["passing_places"], first["failing_places"], first["unmeasured_places"]) == (
        3,
        1,
        0,
    )
    # The first of equally good places.
    assert (first["passing_best"], first["passing_best_t"], first["passing_best_layer"]) == (
        0.5,
        3,
        1,
    )
    assert (first["passing_best_ci_low"], first["passing_best_ci_high"]) == (0.4, 0.6)
    assert first["passing_mean"] == pytest.approx(1.25 / 3)
    assert first["passing_random_mean"] == pytest.approx(0.1)
    assert (first["failing_best"], first["failing_mean"], first["failing_random_mean"]) == (
        0.75,
        0.75,
        0,
    )
    empty = [v for k, v in first.items() if k.startswith("unmeasured") and k != "unmeasured_places"]
    assert set(empty) == {None}
    assert (second["variable"], second["unmeasured_best"], second["passing_places"]) == (1, 0.0, 0)
    assert second["unmeasured_random_mean"] is None


def test_rows_fit_their_schema():
    schema = yaml.safe_load((REPOSITORY / "schemas/steered_row.schema.yaml").read_text())
    for of_table in table_rows([ROWS, [row(1, "probe", None, n=0)]]):
        Draft202012Validator(schema).validate(of_table)
    assert set(VISIBLE_COLUMNS) < set(COLUMNS)
    assert list(schema["properties"]) == list(COLUMNS)

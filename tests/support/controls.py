"""Rows that controls read, and their tables, checked against the schemas."""

import yaml
from jsonschema import Draft202012Validator

from support.repository import REPOSITORY
from think_to_talk.controls.tables import control_rows

SYMBOLS = "A=#;A=?A=#⏎"


COT_START = 7


def probe_row(variable, layer, t, score, **changes):
    return {
        "variable": variable,
        "layer": layer,
        "position": t + COT_START,
        "relative_position": t,
        "equation": t // 4,
        "symbol": SYMBOLS[t + COT_START],
        "symbol_index": t + COT_START,
        "score": score,
        "chance": 0.25,
        **changes,
    }


def probe_rows(scores, variable=0, **changes):
    """Rows for {layer: {t: score}}."""
    return [
        probe_row(variable, layer, t, score, **changes)
        for layer, of_layer in scores.items()
        for t, score in of_layer.items()
    ]


REAL = probe_rows({0: {-2: 0.4, -1: 0.5, 0: 0.6, 1: 0.97}, 2: {-2: 0.45, -1: 0.85, 0: 0.8, 1: 0.9}})


OTHER = probe_rows(
    {0: {-2: 0.35, -1: 0.3, 0: 0.2, 1: 0.25}, 2: {-2: 0.1, -1: 0.15, 0: 0.3, 1: 0.2}}, chance=0.125
)


def validated(control, rows):
    """The rows, each of which fits its schema and has its columns in the schema's order."""
    path = REPOSITORY / f"schemas/controls/{control}.schema.yaml"
    schema = yaml.safe_load(path.read_text())
    Draft202012Validator.check_schema(schema)
    for row in rows:
        Draft202012Validator(schema).validate(row)
        assert list(row) == list(schema["properties"])
    return rows


def table(control, results, **options):
    return validated(control, control_rows(control, "m", results, options))


def timing_row(t_star, before, variable=0):
    return {
        "variable": variable,
        "t_star": t_star,
        "t_star_equation": None if t_star is None else t_star // 4,
        "acc_before": before,
        "acc_after": 1.0,
        "heldout_before": before / 2,
        "heldout_after": None,
        "cot_accuracy": 0.9,
    }

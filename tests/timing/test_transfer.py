"""The table of transfer: the best probe of each part, and where it is best elsewhere."""

import pytest

from think_to_talk.timing.transfer import table_rows

WHOSE = {"model": "m", "seed": 1, "transfer": "t", "train_model": "m", "train_task": "a"}


def row(t, layer, own, hits, variable=0):
    return {
        **WHOSE,
        "task": "b",
        "layer": layer,
        "relative_position": t,
        "symbol": "#",
        "variable": variable,
        "test_variable": variable,
        "own_score": own,
        "n_test": 10,
        "chance": 0.3,
        "test_relative_position": [-2, -1, 0, 1],
        "test_symbol": ["A", "?", "A", "#"],
        "hits": hits,
    }


def test_the_best_probe_of_each_part_is_taken_and_its_best_symbol_of_each_part():
    rows = [
        row(-2, 0, 0.5, [9, 9, 9, 9]),
        row(-1, 1, 0.7, [3, 1, 2, 5]),
        row(0, 1, 0.9, [2, 4, 8, 8]),
        row(1, 0, 0.9, [0, 0, 0, 10]),
    ]
    found = {(line["trained_in"], line["tested_in"]): line for line in table_rows([rows])}
    assert {parts: (line["trained_t"], line["tested_t"]) for parts, line in found.items()} == {
        ("problem", "problem"): (-1, -2),
        ("problem", "chain"): (-1, 1),
        ("chain", "problem"): (0, -1),
        ("chain", "chain"): (0, 0),
    }
    assert found["problem", "chain"]["accuracy"] == pytest.approx(0.5)
    assert found["chain", "chain"]["own_accuracy"] == pytest.approx(0.9)
    low, high = (found["chain", "chain"][f"accuracy_ci_{end}"] for end in ("low", "high"))
    assert 0.4 < low < 0.8 < high < 1


def test_a_part_without_probes_has_no_rows_and_a_variable_its_own():
    rows = [row(0, 0, 0.9, [1, 1, 1, 1]), row(1, 0, 0.8, [2, 2, 2, 2], variable=1)]
    found = list(table_rows([rows, []]))
    assert [(line["variable"], line["trained_in"]) for line in found] == [
        *([(0, "chain")] * 2),
        *([(1, "chain")] * 2),
    ]

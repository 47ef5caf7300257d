"""How far values move with a patch, on hand-made rows."""

import pytest
import yaml
from jsonschema import Draft202012Validator
from support.repository import REPOSITORY

from think_to_talk.timing.best_probes import best_layers
from think_to_talk.timing.patched import COLUMNS, readable, table_rows, widest_edit

SCHEMA = yaml.safe_load((REPOSITORY / "schemas/patched_probes_row.schema.yaml").read_text())
LINE = {"edit": "e", "kind": "directed", "spec": "problem", "source": "base", "variable": 0}


def row(t, layer, moved, *, of_source=1.0, of_target=1.0, patched=False, n=50, **changes):
    return {
        **{"model": "m", "seed": 1, "task": "t", **LINE, **changes},
        **{"relative_position": t, "layer": layer, "moved": moved, "patched": patched, "n": n},
        **{"source_accuracy": of_source, "target_accuracy": of_target},
    }


def table_of(rows, threshold=0.9):
    found = list(table_rows([rows], threshold))
    for line in found:
        Draft202012Validator(SCHEMA).validate(line)
        assert list(line) == list(COLUMNS)
    return found


def test_the_table_has_the_highest_share_before_and_in_the_chain_and_its_last_place():
    [line] = table_of(
        [
            row(5, 1, 0.95),
            row(-3, 0, 0.2),
            row(-3, 1, 0.4),
            row(-1, 2, 0.4),
            row(0, 1, 0.97),
            row(5, 0, 0.1),
            # The threshold itself is not enough.
            row(7, 0, 0.9),
        ]
    )
    assert (line["moved_before"], line["t_before"], line["layer_before"]) == (0.4, -3, 1)
    assert (line["moved_in"], line["t_in"], line["layer_in"]) == (0.97, 0, 1)
    assert (line["moved_until"], line["n"], line["n_places"]) == (5, 50, 7)


def test_replaced_states_and_places_that_are_not_read_are_not_counted():
    [line] = table_of(
        [
            row(0, 0, 1.0, patched=True),
            row(1, 0, 1.0, of_source=0.89),
            row(2, 0, 1.0, of_target=0.89),
            # At the threshold, a probe reads.
            row(3, 0, 0.3, of_source=0.9, of_target=0.9),
        ]
    )
    assert (line["moved_in"], line["t_in"], line["n_places"]) == (0.3, 3, 1)
    assert (line["moved_before"], line["t_before"], line["layer_before"]) == (None, None, None)
    assert line["moved_until"] is None


def test_without_such_a_place_all_is_null():
    [line] = table_of([row(0, 0, 1.0, patched=True)])
    assert line["n_places"] == 0
    nulls = {key for key, value in line.items() if value is None}
    assert nulls == set(COLUMNS[COLUMNS.index("moved_before") :])


def test_a_share_of_zero_is_a_share():
    [line] = table_of([row(2, 3, 0.0)])
    assert (line["moved_in"], line["t_in"], line["layer_in"]) == (0.0, 2, 3)


@pytest.mark.parametrize("key", ["edit", "spec", "source", "variable", "kind"])
def test_each_edit_spec_and_variable_has_a_line(key):
    other = {"edit": "f", "spec": "chain", "source": "edited", "variable": 1, "kind": "own"}[key]
    first, second = table_of([row(0, 0, 0.1), row(0, 0, 0.2, **{key: other}), row(1, 0, 0.3)])
    assert (first[key], first["moved_in"]) == (LINE[key], 0.3)
    assert (second[key], second["moved_in"]) == (other, 0.2)


def test_tasks_keep_their_order_and_one_without_rows_has_no_line():
    tasks = [[row(0, 0, 1, task="b")], [], [row(0, 0, 1, task="a")]]
    assert [line["task"] for line in table_rows(tasks, 0.9)] == ["b", "a"]


def test_of_layers_with_the_same_share_the_lowest_counts():
    rows = [row(1, 2, 0.5), row(1, 0, 0.5), row(-1, 1, 0.2)]
    best = best_layers(readable(rows, 0.9), rows[0]["variable"], "moved")
    assert [(t, found["layer"]) for t, found in best.items()] == [(-1, 1), (1, 0)]


def test_the_widest_edit_changes_most_variables_then_most_pairs():
    one = [row(0, 0, 1, edit="one", n=90)]
    two = [row(0, 0, 1, edit="two", variable=v, n=20) for v in range(2)]
    more = [row(0, 0, 1, edit="more", variable=v, n=21) for v in range(2)]
    assert widest_edit([*one, *two]) == "two"
    assert widest_edit([*one, *two, *more]) == "more"
    same = [{**r, "edit": "same"} for r in two]
    assert widest_edit([*two, *same]) == "two"
    assert widest_edit([]) is None

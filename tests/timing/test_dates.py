"""Dates beside t*: certain, settled, held out, and what the text says; how firm t* is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from think_to_talk.timing.persistence import crossfit_score
from think_to_talk.timing.table import timing_rows

IDENTITY = {"model": "tiny", "seed": 42, "task": "level-1"}


def probe(t, score, layer=0, **values):
    return {
        "relative_position": t,
        "symbol_index": t + 3,
        "equation": 0,
        "layer": layer,
        "variable": 0,
        "score": score,
        "ci_low": None if score is None else score - 0.05,
        "predictions": None,
        **values,
    }


def dated(probe_rows, ceiling_rows=()):
    (row,) = timing_rows(probe_rows, [{"correct": True}], 0.9, IDENTITY, ceiling_rows)
    return row


def from_scores(*scores):
    """Timing of probes of one layer, with these scores from t = -1."""
    return dated([probe(t, score) for t, score in enumerate(scores, start=-1)])


def test_t_star_is_certain_where_the_interval_is_above_the_threshold():
    row = from_scores(0.91, 0.94, 0.95, 0.96, 0.2)
    # 0.95 - 0.05 is 0.9, which does not exceed it.
    assert (row["t_star"], row["t_star_certain"]) == (-1, 2)
    assert from_scores(0.94, 0.9)["t_star_certain"] is None


def test_a_variable_is_settled_from_where_the_best_layer_stays_above_the_threshold():
    row = from_scores(0.98, 0.9, 0.95, 0.8, 0.92, 1.0)
    assert (row["t_star"], row["t_settled"]) == (-1, 3)
    assert row["persistence"] == 4 / 6
    row = from_scores(0.5, 0.95, 0.95)
    assert (row["t_star"], row["t_settled"], row["persistence"]) == (0, 0, 1)


def test_the_best_layer_may_change_while_a_variable_is_settled():
    rows = [probe(0, 0.95, layer=0), probe(0, 0.1, layer=4), probe(1, 0.1), probe(1, 0.95, layer=4)]
    assert dated(rows)["t_settled"] == 0


def test_a_variable_that_falls_below_the_threshold_at_the_end_is_never_settled():
    row = from_scores(0.5, 1.0, 1.0, 0.9)
    assert (row["t_star"], row["t_settled"]) == (0, None)
    assert row["persistence"] == 2 / 3


def test_a_position_without_a_score_is_not_above_the_threshold():
    row = from_scores(0.95, None, 0.95)
    assert (row["t_settled"], row["persistence"]) == (1, 2 / 3)
    row = from_scores(0.95, None)
    assert (row["t_settled"], row["persistence"]) == (None, 1 / 2)


@given(st.lists(st.sampled_from([None, 0.5, 0.9, 0.95, 1.0]), min_size=1, max_size=8))
def test_dates_follow_each_other(scores):
    row = from_scores(*scores)
    if row["t_settled"] is not None:
        assert row["t_star"] <= row["t_settled"]
    if row["t_star"] is None:
        assert row["t_star_certain"] is row["t_settled"] is row["persistence"] is None
    else:
        assert 0 < row["persistence"] <= 1
        assert (row["persistence"] == 1) == (row["t_settled"] == row["t_star"])
    if row["t_star_certain"] is not None:
        assert row["t_star"] <= row["t_star_certain"]


def layer_row(layer, hits, numbers):
    """A probe of answers 1 whose predictions are right where `hits` has an x."""
    return probe(
        0,
        hits.count("x") / len(hits),
        layer,
        sample_ids=numbers,
        answer=[1] * len(hits),
        predictions=[1 if hit == "x" else -1 for hit in hits],
    )


def test_a_layer_is_chosen_on_the_even_rows_and_scored_on_the_odd_and_the_other_way_round():
    numbers = [0, 2, 4, 6, 1, 3]
    rows = [
        # Even: 3 of 4; odd: 1 of 2.
        layer_row(0, "xxx.x.", numbers),
        # Even: 2 of 4; odd: 2 of 2.
        layer_row(2, "xx..xx", numbers),
        # Even: 1 of 4; odd: 0 of 2.
        layer_row(4, "x.....", numbers),
    ]
    # Layer 0 is best on even rows, layer 2 on odd ones.
    assert crossfit_score(rows) == (1 / 2 + 2 / 4) / 2
    assert crossfit_score(reversed(rows)) == crossfit_score(rows)


def test_a_single_layer_is_scored_on_each_half():
    assert crossfit_score([layer_row(0, "xx.x", [10, 11, 12, 13])]) == (1 / 2 + 1) / 2


def test_of_layers_that_are_equal_on_a_half_the_lowest_is_chosen():
    rows = [layer_row(2, "xx", [0, 1]), layer_row(0, "x.", [0, 1])]
    # Equal on the even row: layer 0, wrong on the odd one. On the odd row layer 2 is best.
    assert crossfit_score(rows) == (0 + 1) / 2


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{**layer_row(0, "x", [0]), "predictions": None}],
        # No row with an odd number.
        [layer_row(0, "xx", [0, 2])],
    ],
)
def test_without_predictions_or_rows_in_both_halves_there_is_no_such_score(rows):
    assert crossfit_score(rows) is None


def test_the_score_is_of_the_layers_at_t_star():
    others = [
        {**layer_row(0, "....", [0, 1, 2, 3]), "relative_position": -1},
        {**layer_row(0, "xxxx", [0, 1, 2, 3]), "relative_position": 1},
    ]
    at_star = layer_row(0, "xxx.", [0, 2, 1, 3])
    row = dated([{**at_star, "score": 0.95}, *others])
    assert (row["t_star"], row["score"], row["score_crossfit"]) == (0, 0.95, 0.75)


def test_the_held_out_date_is_t_star_of_the_held_out_accuracy():
    """Its layer is its own: the one whose held-out accuracy is highest."""
    rows = [
        probe(-2, 1.0, 0, heldout_score=0.3),
        probe(-2, 0.8, 4, heldout_score=0.4),
        probe(-1, 1.0, 0, heldout_score=None),
        probe(0, 1.0, 0, heldout_score=0.9),
        probe(1, 1.0, 0, heldout_score=0.2),
        probe(1, 0.9, 4, heldout_score=0.96),
    ]
    row = dated(rows)
    assert (row["t_star"], row["t_star_heldout"]) == (-2, 1)
    assert (row["acc_before"], row["acc_after"]) == (1.0, 1.0)
    assert (row["heldout_before"], row["heldout_after"]) == (0.4, 0.96)


@pytest.mark.parametrize("values", [{}, {"heldout_score": None}])
def test_without_held_out_accuracy_its_columns_are_null(values):
    row = dated([probe(-1, 1.0, **values), probe(0, 1.0, **values)])
    assert row["t_star_heldout"] is row["lag_heldout"] is None
    assert row["heldout_before"] is row["heldout_after"] is None


def text(*ceilings):
    """Ceilings of the variable, and of another one that is determined from the first symbol on."""
    return [
        {"symbol_index": symbol, "variable": variable, "ceiling": ceiling}
        for symbol, value in enumerate(ceilings)
        for variable, ceiling in ((0, value), (1, 1.0))
    ]


def test_a_lag_is_counted_from_the_position_that_determines_the_variable():
    rows = [
        probe(-3, 0.1, heldout_score=0.1),
        probe(-2, 0.2, heldout_score=0.2),
        probe(-1, 0.95, heldout_score=0.2),
        probe(0, 0.5, heldout_score=0.91),
    ]
    row = dated(rows, text(0.25, 1.0, 1.0))
    assert (row["t_text"], row["t_star"], row["lag"]) == (-2, -1, 1)
    assert (row["t_star_heldout"], row["lag_heldout"]) == (0, 2)


def test_without_a_date_there_is_no_lag():
    row = dated([probe(-3, 0.1), probe(-2, 0.2), probe(-1, 0.3)], text(0.25, 1.0, 1.0))
    assert (row["t_text"], row["lag"], row["lag_heldout"]) == (-2, None, None)
    # The text never determines it, or what the text says is not known.
    for ceiling_rows in (text(0.25, 0.99, 0.99), ()):
        row = dated([probe(-1, 0.95), probe(0, 0.95)], ceiling_rows)
        assert (row["t_text"], row["t_star"], row["lag"]) == (None, -1, None)

"""Four clocks, on hand-made rows."""

import pytest

from think_to_talk.timing.clocks import clock_rows, first_used, sentence

#: The symbols of a problem and of its chain, a token each.
PROBLEM = [*"A=#+#,B=A+#;B=?"]
CHAIN = [*"A=#+#,A=#;B=#"]


def probe_rows():
    equations = [-3] * 6 + [-2] * 6 + [-1] * 3 + [0] * 6 + [1] * 4 + [2] * 3
    return [
        {
            **{"variable": variable, "layer": 1, "position": position},
            **{"relative_position": position - len(PROBLEM), "symbol_index": position},
            **{"symbol": symbol, "equation": equation},
        }
        for position, (symbol, equation) in enumerate(zip(PROBLEM + CHAIN, equations, strict=True))
        for variable in (0, 1)
    ]


def timing(variable, **dates):
    usual = {"t_text": -9, "t_star": 5, "t_star_heldout": 7}
    heldout = {"heldout_before": 0.2, "heldout_after": 1.0}
    named = {"model": "m", "seed": 1, "task": "t", "variable": variable}
    return {**named, **usual, **heldout, **dates}


def forced(*accuracies):
    places = (-1, 5, 9)
    return [
        {"cut": cut, "relative_position": place, "accuracy": accuracy}
        for cut, (place, accuracy) in enumerate(zip(places, accuracies, strict=True))
    ]


def patch(equation, success, variable=1, answer_equation=2, layers=(1,), **others):
    first = {0: 15, 1: 21, 2: 25, -3: 0}[equation]
    row = {
        "kind": "sliding",
        "donor": "paired",
        "rows": "solved",
        "n": 30,
        "positions": [first + 1, first],
    }
    place = {"equation": equation, "variable": variable, "answer_equation": answer_equation}
    return {**row, **place, "layers": list(layers), "success": success, **others}


def clocks(timing_rows, forced_rows=(), patching_rows=()):
    return clock_rows(probe_rows(), timing_rows, forced_rows, patching_rows, 0.9)


def test_all_dates_of_a_variable_stand_in_its_row():
    rows = clocks(
        [timing(0), timing(1, t_star=11, t_star_heldout=None)],
        forced(0.1, 0.2, 0.95),
        [patch(0, 0.5), patch(1, 0.95), patch(2, 1.0), patch(1, 0.96, variable=0)],
    )
    assert [row["role"] for row in rows] == ["needed value", "answer"]
    dates = [
        [row[key] for key in ("t_text", "t_star", "t_star_heldout", "t_said", "t_used")]
        for row in rows
    ]
    # Only the answer is asked for; of the first variable no number is read but in equation 1.
    assert dates == [[-9, 5, 7, None, 6], [-9, 11, None, 9, 6]]
    assert [row["cuts"] for row in rows] == [None, 3]
    assert [row["used_equation"] for row in rows] == [1, 1]
    assert rows[1]["sentence"] == (
        "t, B, the answer: determined by the text at t = -9, readable at t = 11 (held out: never), "
        "said at t = 9, changed by patches from t = 6"
    )
    assert rows[0]["sentence"] == (
        "t, A, needed value: determined by the text at t = -9, readable at t = 5 "
        "(held out: t = 7), changed by patches from t = 6"
    )


def test_patches_of_pairs_with_other_positions_are_dated_by_their_equation():
    """Pairs that tokenize alike have a position per token, also where the task's are symbols."""
    other = [{**patch(0, 0.95), "positions": [17, 18, 19]}, patch(1, 0.99)]
    (row,) = clocks([timing(1)], (), other)
    assert (row["t_used"], row["used_equation"]) == (0, 0)


@pytest.mark.parametrize(
    ("left_out", "why"),
    [
        (patch(-3, 1.0, layers=(0,)), "the text itself"),
        (patch(-3, 1.0, layers=(0, 1)), "a window with the text in it"),
        (patch(-3, 1.0, answer_equation=1), "an earlier word on the value"),
        (patch(-3, 1.0, rows="all"), "pairs that the model does not solve"),
        (patch(-3, 1.0, kind="directed"), "no window of the grid"),
        (patch(-3, 1.0, donor="random"), "an unrelated problem"),
        (patch(-3, 1.0, variable=0), "another variable"),
        (patch(-3, 0.9), "the threshold itself is not enough"),
        (patch(-3, None, n=0), "no pairs"),
    ],
)
def test_a_value_is_used_where_a_window_of_layers_changes_its_last_mention(left_out, why):
    [row] = clocks([timing(1)], patching_rows=[left_out, patch(1, 0.95), patch(2, 1.0)])
    assert (row["t_used"], row["pairs"]) == (6, 30), why


def test_what_was_not_measured_is_null_and_not_mentioned():
    [row] = clocks([timing(1, t_text=None, heldout_before=None, heldout_after=None, t_star=None)])
    assert (row["t_said"], row["t_used"], row["cuts"], row["pairs"]) == (None,) * 4
    assert row["sentence"] == "t, B, the answer: never readable"


def test_what_was_measured_and_not_reached_is_said():
    [row] = clocks([timing(1)], forced(0, 0, 0.9), [patch(2, 0.3)])
    assert (row["t_said"], row["t_used"], row["cuts"], row["pairs"]) == (None, None, 3, 30)
    assert sentence(row).endswith("said at no cut, changed by no patch")


def test_without_solved_pairs_nothing_is_said_of_patches():
    [row] = clocks([timing(1)], patching_rows=[patch(2, None, n=0)])
    assert (row["t_used"], row["pairs"]) == (None, 0)
    assert "patch" not in row["sentence"]
    assert first_used([], 0.9) is None

"""The explorer: what it is given to show, and that nothing in it can break out of its place."""

import json
import re

import numpy as np
import pytest
from support.explorer import study_in

from think_to_talk.figures import style as figures_style
from think_to_talk.pages.explorer.data import result_data, study_data
from think_to_talk.pages.explorer.examples import (
    NO_PREDICTION,
)
from think_to_talk.pages.explorer.lanes import LANES
from think_to_talk.pages.explorer.page import explorer_page
from think_to_talk.timing.best_probes import best_layers, first_readable
from think_to_talk.timing.clocks import CLOCKS, clock_rows
from think_to_talk.timing.roles import ROLE_COLOURS, variable_roles
from think_to_talk.timing.table import timing_rows

IDENTITY = {"model": "tiny", "seed": 42, "task": "level-1"}
SYMBOLS = "B=#±A,A=#;B=?B=#±A,A=#,B=#⏎"
COT_START = 13
HELDOUT = ("heldout_score", "heldout_ci_low", "heldout_ci_high", "heldout_predictions")


def probe_rows(rng, token="x"):
    return [
        {
            "layer": layer,
            "position": position,
            "relative_position": position - COT_START,
            "equation": 0 if position >= COT_START else -2,
            "symbol": symbol,
            "symbol_index": position if position != 3 else None,
            "token": token,
            "variable": variable,
            "score": None if position == 5 else float(rng.integers(0, 8)) / 7,
            "ci_low": 0.1,
            "ci_high": 0.9,
            "chance": 0.2,
            "answer": [variable, 3],
            "predictions": None if position == 5 else [layer, 3],
            # B alone has held-out accuracy.
            **dict.fromkeys(HELDOUT),
            **(dict.fromkeys(HELDOUT[:3], position / 100 + layer / 10) if variable else {}),
            "heldout_predictions": [7, layer] if variable else None,
            "sample_ids": [0, 1],
        }
        for layer in (0, 4)
        for position, symbol in enumerate(SYMBOLS)
        for variable in range(2)
    ]


#: Both variables are determined by symbol 8.
CEILINGS = [
    {"symbol_index": symbol, "variable": variable, "ceiling": 1.0 if symbol >= 8 else 2 / 3}
    for symbol in range(COT_START)
    for variable in range(2)
]


#: The first test row is wrong about B, the second right.
GENERATIONS = [
    {
        "row": row,
        "source": "b = 4 + a , a = 3 ; b =?",
        "generation": f"b = 4 + a , a = 3 , b = {written}",
        "scratchpad": "b = 4 + a , a = 3 , b = 7",
        "correct": written == 7,
        "aligned": written == 7,
        "ended": True,
        "n_tokens": 14,
    }
    for row, written in enumerate((8, 7))
]


#: Of the study; one has no rows.
TABLES = {
    "controls/thresholds": [
        {"model": "tiny", "task": "level-1", "threshold": 0.5, "t_star": None},
        {"model": "tiny", "task": "level-1", "threshold": 1 / 3, "t_star": -2},
    ],
    "forced_answers": [],
}


def scores(study, accuracy):
    """[layers][positions] accuracies of a variable."""
    return [
        [None if place is None else study["shares"][place][0] for place in of_layer]
        for of_layer in accuracy["shares"]
    ]


def data(rows, ceilings=(), clocks=(), generations=GENERATIONS):
    timing = timing_rows(rows, [{"correct": True}], 0.9, IDENTITY, ceilings)
    result = result_data(IDENTITY, rows, timing, [], ceilings, clocks, generations)
    return study_data([result], 0.9, TABLES)


@pytest.mark.parametrize("seed", range(20))
def test_t_star_of_any_threshold_is_the_first_record_above_it(seed):
    rows = probe_rows(np.random.default_rng(seed))
    for number, variable in enumerate(data(rows)["results"][0]["variables"]):
        for threshold in (0, 0.3, 3 / 7, 0.5, 0.9, 1):
            star = first_readable(best_layers(rows, number), threshold)
            found = next((r for r in variable["records"] if r[2] > threshold), None)
            assert found == (
                star
                and [
                    star[key]
                    for key in ("position", "layer", "score", "relative_position", "equation")
                ]
            )


def test_every_probe_is_in_its_place():
    rows = probe_rows(np.random.default_rng(0))
    study = data(rows)
    result = study["results"][0]
    assert result["layers"] == [0, 4]
    assert result["cot_start"] == COT_START
    assert result["positions"]["symbol"] == [*SYMBOLS[:3], "·", *SYMBOLS[4:]]
    for row in rows:
        variable = result["variables"][row["variable"]]
        layer = result["layers"].index(row["layer"])
        score = scores(study, variable)[layer][row["position"]]
        assert score == (None if row["score"] is None else pytest.approx(row["score"], abs=5e-5))
        said = [readings[row["position"]] for readings in variable["readings"][layer]]
        assert said == list(map(str, row["predictions"] or ".."))
        assert variable["values"] == row["answer"]


def test_variables_are_named_and_coloured_by_their_roles():
    rows = probe_rows(np.random.default_rng(0))
    found = data(rows)["results"][0]["variables"]
    assert [(v["name"], v["label"], v["colour"]) for v in found] == [
        ("A", "A, operand", ROLE_COLOURS["operand"][0]),
        ("B", "B, the answer", ROLE_COLOURS["answer"][0]),
    ]
    hidden = [{**row, "symbol_index": None} if row["position"] == 8 else row for row in rows]
    found = data(hidden)["results"][0]["variables"]
    assert [(v["label"], v["colour"]) for v in found] == [
        ("A", ROLE_COLOURS[None][0]),
        ("B", ROLE_COLOURS[None][1]),
    ]


def test_the_page_s_colours_are_those_of_the_figures():
    rows = probe_rows(np.random.default_rng(0))
    styles = figures_style.variable_styles(variable_roles(rows))
    found = data(rows)["results"][0]["variables"]
    assert [v["colour"] for v in found] == [style.colour for style in styles.values()]


def test_held_out_accuracy_is_beside_the_accuracy_under_the_same_keys():
    rows = probe_rows(np.random.default_rng(0))
    study = data(rows)
    operand, answer = study["results"][0]["variables"]
    assert operand["heldout"] is None
    heldout = answer["heldout"]
    assert set(heldout) <= set(answer)
    for row in rows:
        if row["variable"] == 1:
            layer = [0, 4].index(row["layer"])
            score = scores(study, heldout)[layer][row["position"]]
            assert score == pytest.approx(row["heldout_score"])
            assert heldout["readings"][layer][0][row["position"]] == "7"
    # It grows along the positions, and is highest in layer 4.
    last = len(SYMBOLS) - 1
    assert heldout["records"][0] == [0, 4, 0.4, -COT_START, -2]
    assert heldout["records"][-1] == [last, 4, last / 100 + 0.4, last - COT_START, 0]
    assert (heldout["acc_before"], heldout["acc_after"]) == (0.12 + 0.4, last / 100 + 0.4)


def test_the_page_knows_what_the_text_says():
    rows = probe_rows(np.random.default_rng(0))
    for variable in data(rows, CEILINGS)["results"][0]["variables"]:
        assert variable["t_text"] == 8 - COT_START
        assert variable["ceiling"] == [0.666666667] * 8 + [1.0] * (len(SYMBOLS) - 8)
    for variable in data(rows)["results"][0]["variables"]:
        assert variable["t_text"] is variable["ceiling"] is None


def test_a_token_cannot_end_the_script_that_it_is_in():
    token = "</script><script>alert(1)</script><!--{{ 7 * 7 }}"
    page = explorer_page(data(probe_rows(np.random.default_rng(0), token)), {"Processor": token})
    assert token not in page
    assert study_in(page)["results"][0]["positions"]["token"][0] == token


def test_the_page_names_nothing_that_it_would_have_to_load():
    page = explorer_page(data(probe_rows(np.random.default_rng(0))), {})
    assert not re.search(
        r"<(script|img|iframe)[^>]* src=|<link|@import|url\(", page.split("<main>")[0]
    )
    assert "default-src 'none'" in page


def test_the_same_study_is_the_same_page():
    pages = {explorer_page(data(probe_rows(np.random.default_rng(0))), {}) for _ in range(2)}
    assert len(pages) == 1


def test_null_scores_are_empty_cells_without_records():
    empty = {"score": None, "ci_low": None, "ci_high": None, "predictions": None}
    found = data([{**row, **empty} for row in probe_rows(np.random.default_rng(0))])
    json.dumps(found, allow_nan=False)
    for variable in found["results"][0]["variables"]:
        assert {score for layer in scores(found, variable) for score in layer} == {None}
        assert {reading for layer in variable["readings"] for reading in layer} == {
            NO_PREDICTION * len(SYMBOLS)
        }
        assert variable["records"] == []
        assert variable["acc_before"] is variable["acc_after"] is None


def test_an_example_says_what_the_model_wrote_and_the_gold_chain_where_it_differs():
    result = data(probe_rows(np.random.default_rng(0)))["results"][0]
    wrong, right = result["examples"]
    assert wrong == {
        "row": 0,
        "source": GENERATIONS[0]["source"],
        "generation": GENERATIONS[0]["generation"],
        "gold": GENERATIONS[0]["scratchpad"],
        "correct": False,
        "aligned": False,
        "ended": True,
        "written": ["3", "8"],
    }
    assert right["gold"] is None
    assert right["written"] == ["3", "7"]


def test_equal_accuracies_are_kept_once():
    shares = data(probe_rows(np.random.default_rng(0)))["shares"]
    assert len(set(map(tuple, shares))) == len(shares)
    rows = [{**row, "score": 0.5} for row in probe_rows(np.random.default_rng(0))]
    rows = [{**row, **dict.fromkeys(HELDOUT)} for row in rows]
    assert data(rows)["shares"] == [(0.5, 0.1, 0.9)]


def test_predictions_are_those_of_the_rows_that_are_shown():
    """A wrong row comes first, wherever it stands among the test rows."""
    right_first = [
        {**GENERATIONS[0], "row": 1},
        {**GENERATIONS[1], "row": 0},
    ]
    rows = probe_rows(np.random.default_rng(0))
    result = data(rows, generations=right_first)["results"][0]
    assert [example["row"] for example in result["examples"]] == [1, 0]
    variable = result["variables"][0]
    assert variable["values"] == [3, 0]
    # Layer 4 predicts [4, 3] for rows 0 and 1, and has no probe at position 5.
    readings = [digit * 5 + NO_PREDICTION + digit * (len(SYMBOLS) - 6) for digit in "34"]
    assert variable["readings"][1] == readings


def test_published_rows_have_no_examples_and_perhaps_no_predictions():
    rows = [{**row, "predictions": None} for row in probe_rows(np.random.default_rng(0))]
    result = data(rows, generations=[])["results"][0]
    assert result["examples"] == []
    variable = result["variables"][0]
    assert variable["values"] == [0]
    assert variable["readings"] == [[NO_PREDICTION * len(SYMBOLS)]] * 2
    assert variable["clocks"] is variable["sentence"] is None


def test_the_lanes_are_the_clocks():
    assert list(LANES) == list(CLOCKS)


def test_a_date_that_never_comes_and_one_that_was_not_measured_are_told_apart():
    rows = [{**row, "score": 0.5} for row in probe_rows(np.random.default_rng(0))]
    timing = timing_rows(rows, [{"correct": True}], 0.9, IDENTITY, CEILINGS)
    forced = [{"cut": 0, "relative_position": 2, "accuracy": 0.1}]
    clocks = clock_rows(rows, timing, forced, [], 0.9)
    found = data(rows, CEILINGS, clocks)["results"][0]["variables"]
    # Only B has held-out accuracy and is the answer; nothing was patched.
    assert found[0]["clocks"] == {"t_text": -5, "t_star": None}
    assert found[1]["clocks"] == {
        "t_text": -5,
        "t_star": None,
        "t_star_heldout": None,
        "t_said": None,
    }
    assert [each["sentence"] for each in found] == [row["sentence"] for row in clocks]
    # Without ceilings it is not known what the text says.
    found = data(rows, (), clocks)["results"][0]["variables"]
    assert found[0]["clocks"] == {"t_star": None}


def test_tables_of_the_study_have_columns_and_rows_and_empty_ones_are_left_out():
    study = data(probe_rows(np.random.default_rng(0)))
    assert study["tables"] == {
        "controls/thresholds": {
            "columns": ["model", "task", "threshold", "t_star"],
            "rows": [["tiny", "level-1", 0.5, None], ["tiny", "level-1", 0.333333333, -2]],
        }
    }

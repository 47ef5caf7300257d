"""Timing: t*, its equation, and accuracy before and after the chain of thought begins."""

import csv
import io
import xml.etree.ElementTree as ET

from think_to_talk.pages.tables import as_cells, as_csv, html_table, markdown_table
from think_to_talk.timing.table import COLUMNS, HEADLINE, VISIBLE_COLUMNS, timing_rows

IDENTITY = {"model": "tiny", "seed": 42, "task": "level-1"}
#: Columns that are null without a ceiling, predictions, held-out accuracy and expressions.
UNKNOWN = (
    *("score_crossfit", "t_text", "lag"),
    *("t_star_heldout", "lag_heldout", "heldout_before", "heldout_after"),
    *(f"{name}_cluster_{end}" for name in HEADLINE for end in ("low", "high")),
)
GENERATIONS = [{"correct": True}, {"correct": True}, {"correct": False}, {"correct": True}]


def probe(t, layer, score, variable=0, equation=0, **values):
    return {
        "relative_position": t,
        "layer": layer,
        "score": score,
        "ci_low": None if score is None else score - 0.06,
        "variable": variable,
        "equation": equation,
        "symbol_index": t + 2,
        "predictions": None,
        **values,
    }


def test_t_star_is_the_first_position_whose_best_layer_exceeds_the_threshold():
    rows = [
        probe(-2, 0, 0.5, equation=-1),
        probe(-2, 4, 0.9, equation=-1),
        probe(-1, 0, 0.3, equation=-1),
        probe(0, 4, 0.95, equation=0),
        probe(0, 8, 0.97, equation=0),
        probe(0, 12, 0.97, equation=0),
        probe(1, 0, 1.0, equation=1),
    ]
    (row,) = timing_rows(rows, GENERATIONS, 0.9, IDENTITY)
    assert row == {
        **IDENTITY,
        "variable": 0,
        "t_star": 0,
        "t_star_equation": 0,
        "layer": 8,
        "score": 0.97,
        "acc_before": 0.9,
        "acc_after": 1.0,
        "cot_accuracy": 0.75,
        "n_test": 4,
        "t_star_certain": 0,
        "t_settled": 0,
        "persistence": 1.0,
        **dict.fromkeys(UNKNOWN),
    }
    assert list(row) == list(COLUMNS)
    (earlier,) = timing_rows(rows, GENERATIONS, 0.89, IDENTITY)
    assert (earlier["t_star"], earlier["t_star_equation"], earlier["layer"]) == (-2, -1, 4)


def test_a_variable_that_never_passes_has_no_t_star():
    (row,) = timing_rows([probe(-1, 0, 0.4), probe(0, 0, 0.9)], GENERATIONS, 0.9, IDENTITY)
    assert row["t_star"] is row["t_star_equation"] is row["layer"] is row["score"] is None
    assert row["t_settled"] is row["persistence"] is row["score_crossfit"] is None
    assert (row["acc_before"], row["acc_after"]) == (0.4, 0.9)


def test_null_scores_give_nulls():
    (row,) = timing_rows([probe(-1, 0, None), probe(0, 0, None)], GENERATIONS, 0.9, IDENTITY)
    assert row["t_star"] is row["acc_before"] is row["acc_after"] is None
    assert all(row[column] is None for column in COLUMNS[COLUMNS.index("t_star_certain") :])


def test_variables_are_timed_apart():
    rows = [probe(-1, 0, 0.95, 0), probe(-1, 0, 0.1, 1), probe(3, 0, 0.99, 1)]
    assert [r["t_star"] for r in timing_rows(rows, GENERATIONS, 0.9, IDENTITY)] == [-1, 3]


def test_the_table_is_written_for_machines_and_people():
    rows = timing_rows([probe(-1, 0, 0.4), probe(0, 2, 0.95)], GENERATIONS, 0.9, IDENTITY)
    rows += timing_rows([probe(-1, 0, 0.4)], GENERATIONS, 0.9, IDENTITY)
    rows[1] |= {"acc_before_cluster_low": 0.346, "acc_before_cluster_high": 0.5}
    read = list(csv.DictReader(io.StringIO(as_csv(rows, list(COLUMNS)))))
    assert [row["t_star"] for row in read] == ["0", ""]
    assert list(read[0]) == list(COLUMNS)
    cells = as_cells(rows, VISIBLE_COLUMNS)
    assert ET.fromstring(html_table(cells)).findtext(".//td[12]") == "0.400"
    lines = markdown_table(cells).splitlines()
    assert len({len(line) for line in lines}) == 1
    shown = [cell.strip() for cell in lines[2].split("|")]
    assert shown[4:13] == ["0", "0", "0", "2", "0.950", "–", "–", "–", "0.400"]
    shown = [cell.strip() for cell in lines[3].split("|")]
    assert shown[5:13] == [*["–"] * 7, "0.400 (0.35–0.50)"]


def test_a_table_names_digits_by_their_variable():
    rows = [{"variable": variable} for variable in (1, 26, 53, 78)]
    assert as_cells(rows, {"variable": "variable"}) == [
        *(["variable"], ["1"], ["0 ones"], ["1 tens"], ["0 hundreds"]),
    ]

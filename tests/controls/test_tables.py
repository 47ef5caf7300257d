"""Tables of controls, whose values are worked out by hand."""

import json

import pytest
from support.controls import OTHER, REAL, probe_row, table, timing_row

from think_to_talk.controls.results import Result, Results
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.intervals import wilson_interval


@pytest.mark.parametrize("compared", [[], [REAL], [[{"row": 0, "correct": True}]]])
def test_results_are_read_with_whatever_they_are_compared_with(tmp_path, compared):
    """Rows of other probes, or of generations and dates, of which there is not one per probe."""
    write_jsonl(tmp_path / "probes.jsonl", REAL)
    for rows in compared:
        write_jsonl(tmp_path / "compared.jsonl", rows)
    results = Results(
        [(1, "t")], [tmp_path / "probes.jsonl"], [tmp_path / "compared.jsonl" for _ in compared]
    )
    [result] = results
    assert list(result.probes) == json.loads(json.dumps(REAL))
    assert list(result.compared) == (compared[0] if compared else [])


def test_controls_leave_digits_out(tmp_path):
    digits = [{**row, "variable": row["variable"] + 26} for row in REAL]
    write_jsonl(tmp_path / "probes.jsonl", [*REAL, *digits])
    [result] = Results([(1, "t")], [tmp_path / "probes.jsonl"], [tmp_path / "probes.jsonl"])
    for rows in (result.probes, result.compared):
        assert list(rows) == json.loads(json.dumps(REAL))


def test_selectivity_is_taken_at_the_best_probe_of_the_real_labels():
    before, after = table("labels", [Result(1, "t", REAL, OTHER)])
    assert before == {
        **{"model": "m", "seed": 1, "task": "t", "variable": 0, "part": "before"},
        **{"layer": 2, "relative_position": -1, "accuracy": 0.85, "control_accuracy": 0.15},
        **{"selectivity": pytest.approx(0.7), "control_chance": 0.125},
    }
    assert (after["layer"], after["relative_position"]) == (0, 1)
    assert after["selectivity"] == pytest.approx(0.97 - 0.25)


def test_an_untrained_copy_is_compared_by_its_own_best_probe():
    before, after = table("untrained", [Result(1, "t", REAL, OTHER)])
    assert (before["accuracy"], before["untrained_accuracy"]) == (0.85, 0.35)
    assert (after["accuracy"], after["untrained_accuracy"]) == (0.97, 0.3)
    assert (after["layer"], after["relative_position"]) == (0, 1)
    assert (after["untrained_layer"], after["untrained_relative_position"]) == (2, 0)
    assert after["difference"] == pytest.approx(0.67)
    assert after["chance"] == 0.25


def test_right_and_wrong_rows_are_scored_by_the_same_probe():
    """Rows 3 and 8 are wrong; the best probe (t = -1) hits one of them and one of the others."""
    columns = {"sample_ids": [8, 1, 2, 3], "answer": [5, 6, 7, 8]}
    rows = [
        probe_row(0, 0, -2, 0.25, predictions=[5, 0, 0, 0], **columns),
        probe_row(0, 0, -1, 0.5, predictions=[0, 6, 0, 8], **columns),
        probe_row(0, 0, 0, 1.0, predictions=[5, 6, 7, 8], **columns),
    ]
    wrote = [
        {"row": row, "correct": row not in (3, 8), "aligned": row not in (3, 8)}
        for row in (1, 2, 3, 8)
    ]
    before, after = table("wrong_rows", [Result(1, "t", rows, wrote)])
    assert (before["layer"], before["relative_position"]) == (0, -1)
    for group, n, hits in (("all", 4, 2), ("right", 2, 1), ("wrong", 2, 1)):
        low, high = wilson_interval(hits, n)
        assert before[f"n_{group}"] == n
        assert before[f"accuracy_{group}"] == hits / n
        assert (before[f"ci_low_{group}"], before[f"ci_high_{group}"]) == (low, high)
    assert after["accuracy_wrong"] == after["accuracy_right"] == 1

    all_right = [{**row, "correct": True, "aligned": True} for row in wrote]
    before, _ = table("wrong_rows", [Result(1, "t", rows, all_right)])
    assert before["n_wrong"] == 0
    assert before["accuracy_wrong"] is before["ci_low_wrong"] is before["ci_high_wrong"] is None
    assert before["accuracy_right"] == before["accuracy_all"] == 0.5

    # Rows 3 and 8 are right in other tokens.
    other_tokens = [{**row, "correct": True} for row in wrote]
    before, _ = table("wrong_rows", [Result(1, "t", rows, other_tokens)])
    assert (before["n_all"], before["n_right"], before["n_wrong"]) == (4, 2, 0)


def test_t_star_moves_with_the_threshold():
    rows = table("thresholds", [Result(1, "t", REAL)], thresholds=[0.4, 0.5, 0.85, 0.99])
    assert [(row["threshold"], row["t_star"]) for row in rows] == [
        (0.4, -2),
        (0.5, -1),
        (0.85, 1),
        (0.99, None),
    ]
    assert [row["t_star_equation"] for row in rows] == [-1, -1, 0, None]
    assert [row["layer"] for row in rows] == [2, 2, 0, None]
    assert [row["score"] for row in rows] == [0.45, 0.85, 0.97, None]


def test_seeds_are_averaged_and_agree_on_the_most_frequent_t_star():
    """t* = none, 2, none: two thirds agree on none. Where all differ, the first seed's is taken."""
    stars = {1: (None, 5), 2: (2, 6), 3: (None, -7)}
    accuracies = {1: 0.2, 2: 0.4, 3: 0.9}
    results = [
        Result(
            seed, "t", REAL, [timing_row(star, accuracies[seed], v) for v, star in enumerate(pair)]
        )
        for seed, pair in stars.items()
    ]
    first, second = table("seeds", results)
    assert first["seeds"] == [1, 2, 3]
    assert first["acc_before_mean"] == pytest.approx(0.5)
    # Deviations -0.3, -0.1, 0.4: the sum of their squares is 0.26, over n - 1 = 2.
    assert first["acc_before_std"] == pytest.approx(0.13**0.5)
    assert (first["acc_before_min"], first["acc_before_max"]) == (0.2, 0.9)
    assert (first["heldout_before_min"], first["heldout_before_max"]) == (0.1, 0.45)
    assert {first[f"heldout_after_{of}"] for of in ("mean", "std", "min", "max")} == {None}
    assert (first["cot_accuracy_mean"], first["cot_accuracy_std"]) == (pytest.approx(0.9), 0)
    assert first["t_star_of_seeds"] == [None, 2, None]
    assert (first["t_star_mode"], first["t_star_agreement"]) == (None, 2 / 3)
    assert (second["t_star_mode"], second["t_star_agreement"]) == (5, 1 / 3)
    assert second["t_star_equation_of_seeds"] == [1, 1, -2]
    assert (second["t_star_equation_mode"], second["t_star_equation_agreement"]) == (1, 2 / 3)

    (alone, _) = table("seeds", results[:1])
    assert (alone["acc_before_mean"], alone["acc_before_std"]) == (0.2, None)
    assert alone["t_star_agreement"] == 1

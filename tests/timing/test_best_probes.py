"""The best layer of each position, and the positions at which a score is reached first."""

from think_to_talk.timing.best_probes import best_before_and_after, best_layers, record_scores


def best(*scores):
    """Rows of one layer, as `best_layers` gives them, with these scores from t = -1."""
    return {t: {"relative_position": t, "score": score} for t, score in enumerate(scores, start=-1)}


def test_scores_above_all_before_them_are_records():
    rows = best(0.25, 0.25, 0.5, 0.375, 0.4375, 0.75, 0.625)
    assert [row["relative_position"] for row in record_scores(rows)] == [-1, 1, 4]
    assert record_scores({}) == []


def test_the_first_of_equal_scores_counts_before_and_from_the_chain_of_thought_on():
    rows = {t: {"t": t, "score": 0.5} for t in (-2, -1, 0, 1)}
    before, after = best_before_and_after(rows)
    assert (before["t"], after["t"]) == (-2, 0)


def test_of_equal_layers_the_lowest_counts_and_positions_are_in_order():
    """Rows come in any order, other variables among them."""
    scores = {(1, 8): 0.5, (1, 4): 0.5, (1, 0): 0.25, (0, 4): 0.125, (0, 0): None, (-1, 0): None}
    rows = [
        {"relative_position": t, "layer": layer, "score": score, "variable": variable}
        for variable in (1, 0)
        for (t, layer), score in scores.items()
    ]
    rows.append({"relative_position": 0, "layer": 8, "score": 1.0, "variable": 1})
    found = [(t, row["layer"], row["score"]) for t, row in best_layers(rows, 0).items()]
    assert found == [(0, 4, 0.125), (1, 4, 0.5)]

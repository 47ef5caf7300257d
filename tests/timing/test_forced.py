"""When an answer is said, on hand-made rows."""

import pytest

from think_to_talk.timing.forced import first_said, table_rows

PLACES = (-1, 4, 9)


def rows_of(*accuracies, task="t"):
    return [
        {
            **{"model": "m", "seed": 1, "task": task, "n": 50},
            **{"cut": cut, "relative_position": place, "accuracy": accuracy},
        }
        for cut, (place, accuracy) in enumerate(zip(PLACES, accuracies, strict=True))
    ]


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        ((0.1, 0.2, 0.95), (9, 2)),
        ((0.1, 0.95, 0.5), (4, 1)),
        # The threshold itself is not enough.
        ((0.9, 0.9, 0.9), (None, None)),
        ((0.91, 0.0, 0.0), (-1, 0)),
    ],
)
def test_the_answer_is_said_at_the_first_cut_above_the_threshold(accuracies, said):
    rows = rows_of(*accuracies)
    row = first_said(reversed(rows), 0.9)
    assert (row and row["relative_position"], row and row["cut"]) == said
    [found] = table_rows([rows[::-1]], 0.9)
    assert (found["t_said"], found["cut_said"]) == said
    assert (found["said_before"], found["said_last"]) == (accuracies[0], accuracies[-1])
    assert (found["n_cuts"], found["n"]) == (3, 50)


def test_tasks_keep_their_order_and_their_names():
    tasks = [rows_of(0, 0, 1, task=task) for task in ("b", "a")]
    assert [row["task"] for row in table_rows(tasks, 0.9)] == ["b", "a"]


def test_a_task_that_could_not_be_read_has_no_row():
    assert [row["task"] for row in table_rows([[], rows_of(0, 0, 1)], 0.9)] == ["t"]
    assert list(table_rows([[]], 0.9)) == []

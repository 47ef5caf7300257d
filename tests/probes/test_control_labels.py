"""Control labels: reproducible, balanced, and learned only by memorising."""

from collections import Counter

import numpy as np
import torch

from think_to_talk.probes import solvers
from think_to_talk.probes.control_labels import control_label, control_labels

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def table_of(seed):
    return [control_label(letter, value, seed) for letter in LETTERS for value in range(10)]


def test_control_labels_are_the_same_everywhere():
    """Written down once: another machine or version must find these."""
    row = {"intermediate_questions": ["o =", "z ="], "intermediate_answers": [4, 0]}
    assert control_labels(row, 42) == [control_label("o", 4, 42), control_label("z", 0, 42)]
    assert table_of(42)[:10] == [0, 0, 8, 5, 9, 8, 0, 0, 2, 5]


def test_control_labels_are_all_digits_about_equally_often_and_differ_between_seeds():
    tables = [table_of(seed) for seed in range(40)]
    counts = Counter(label for table in tables for label in table)
    n = 40 * 260
    assert set(counts) == set(range(10))
    assert all(abs(count - n / 10) < 5 * (n * 0.09) ** 0.5 for count in counts.values())
    agreement = np.mean([a == b for a, b in zip(tables[0], tables[1], strict=True)])
    assert agreement < 0.2


def test_a_label_says_nothing_of_the_value_alone_or_the_name_alone():
    """The best guess from either, for whoever knows the whole table, is far from certain."""
    table = np.array(table_of(42)).reshape(26, 10)
    from_value = np.mean([Counter(column).most_common(1)[0][1] / 26 for column in table.T])
    from_name = np.mean([Counter(line).most_common(1)[0][1] / 10 for line in table])
    assert from_value < 0.3
    assert from_name < 0.4


def test_a_linear_probe_memorises_control_labels_only_from_the_pair():
    """Features that show name and value side by side give the value, but not the label."""
    generator = torch.Generator().manual_seed(0)
    names = torch.randint(0, 26, (3000,), generator=generator)
    values = torch.randint(0, 10, (3000,), generator=generator)
    labels = torch.tensor(table_of(42)).view(26, 10)[names, values]
    side_by_side = torch.cat([torch.eye(26)[names], torch.eye(10)[values]], dim=1)
    pair = torch.eye(260)[10 * names + values]

    def accuracy(features, targets):
        mask = torch.ones(1, 2000, dtype=torch.bool)
        probes = solvers.SOLVERS["lbfgs"](
            features[None, :2000],
            targets[None, :2000],
            mask,
            penalty=1e-4,
            tolerance=1e-3,
            max_iterations=1000,
        )
        return (probes.predict(features[None, 2000:])[0, 0] == targets[2000:]).float().mean()

    assert accuracy(side_by_side, values) > 0.99
    # Better than chance: a name or a value alone rules some digits out.
    assert accuracy(side_by_side, labels) < 0.5
    assert accuracy(pair, labels) > 0.95

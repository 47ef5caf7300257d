"""Intervals over expressions: what resampling whole clusters gives, and where there is none."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from think_to_talk.formulas.expressions import expression_texts
from think_to_talk.intervals import wilson_interval
from think_to_talk.timing.bootstrap import cluster_interval
from think_to_talk.timing.table import HEADLINE, timing_rows

IDENTITY = {"model": "tiny", "seed": 42, "task": "level-1"}


def rows_of(clusters):
    """(hits, clusters) of rows, from {cluster: (hits, rows)}."""
    return (
        [i < n_hits for n_hits, n in clusters.values() for i in range(n)],
        [name for name, (_, n) in clusters.items() for _ in range(n)],
    )


def every_share(clusters):
    """The share of hits in each of the equally likely draws of as many clusters, in order."""
    drawn = product(clusters.values(), repeat=len(clusters))
    return sorted(Fraction(sum(h for h, _ in draw), sum(n for _, n in draw)) for draw in drawn)


@pytest.mark.parametrize(
    "clusters",
    [
        {"1 + 2": (0, 2), "3 - 1": (3, 4), "4 + 4": (5, 5)},
        {"a": (1, 9), "b": (2, 2), "c": (0, 3), "d": (6, 7), "e": (1, 1)},
        {"a": (0, 1), "b": (1, 1), "c": (10, 10), "d": (3, 10), "e": (4, 6), "f": (9, 9)},
    ],
)
def test_it_is_the_interval_of_all_draws_of_whole_clusters(clusters):
    """Drawn with all their rows, so that the number of rows varies too."""
    shares = every_share(clusters)
    low, high = cluster_interval(*rows_of(clusters))
    for found, quantile in ((low, 0.025), (high, 0.975)):
        # 5,000 resamples miss a quantile by 0.007 of the draws, three standard errors.
        ends = [shares[int(len(shares) * (quantile + d))] for d in (-0.007, 0.007)]
        assert float(ends[0]) <= found <= float(ends[1])


def test_clusters_of_equal_rows_give_a_wider_interval_than_independent_rows():
    """A probe has memorised 15 of 20 expressions, with 50 rows each: that is 20 cases, not 1000."""
    hits, clusters = rows_of({str(i): (50 if i < 15 else 0, 50) for i in range(20)})
    low, high = cluster_interval(hits, clusters)
    wilson_low, wilson_high = wilson_interval(750, 1000)
    assert high - low > 5 * (wilson_high - wilson_low)
    # As wide as that of 20 independent rows.
    few_low, few_high = wilson_interval(15, 20)
    assert high - low == pytest.approx(few_high - few_low, abs=0.05)


def test_rows_of_their_own_clusters_are_independent_rows():
    hits = [i % 5 > 0 for i in range(1000)]
    found = cluster_interval(hits, list(map(str, range(1000))))
    assert found == pytest.approx(wilson_interval(800, 1000), abs=0.004)


@given(st.permutations(list(zip(*rows_of({"a": (1, 4), "b": (2, 3), "c": (3, 3)}), strict=True))))
def test_the_order_of_rows_does_not_matter(rows):
    assert cluster_interval(*zip(*rows, strict=True)) == cluster_interval(
        *rows_of({"a": (1, 4), "b": (2, 3), "c": (3, 3)})
    )


def test_one_cluster_has_no_interval_and_one_share_has_a_point():
    assert cluster_interval([True, False], ["4 + 5", "4 + 5"]) is None
    assert cluster_interval([True, True, True], ["4 + 5", "1 + 1", "1 + 1"]) == (1, 1)


#: Level 1: a number, and a computed value with four rows of `4 - 3` and one of `2 - 1`.
PROBLEMS = [
    {
        "source": f"z = {b} - o , o = {a} ; z =?",
        "intermediate_questions": ["o =", "z ="],
        "intermediate_answers": [a, b - a],
    }
    for a, b in [(3, 4), (3, 4), (1, 2), (3, 4), (3, 4)]
]


def probe(t, variable, hits, heldout_hits):
    """A probe of five test rows, not in the order of the dataset; hits: an x for each right one."""
    return {
        **{"relative_position": t, "layer": 0, "variable": variable, "equation": 0},
        **{"symbol_index": t + 1, "ci_low": 0, "sample_ids": [4, 3, 2, 1, 0], "answer": [1] * 5},
        "score": hits.count("x") / 5,
        "predictions": [int(hit == "x") for hit in hits],
        "heldout_score": heldout_hits and heldout_hits.count("x") / 5,
        "heldout_predictions": heldout_hits and [int(hit == "x") for hit in heldout_hits],
    }


def test_each_headline_figure_has_the_interval_of_its_own_probe_and_predictions():
    probes = [
        *(probe(-1, 0, "xxxxx", None), probe(0, 0, "xxxxx", None)),
        *(probe(-1, 1, "xx.xx", "..x.."), probe(0, 1, "xxxxx", "x.x..")),
    ]
    expressions = expression_texts(PROBLEMS)
    number, computed = timing_rows(
        probes, [{"correct": True}], 0.9, IDENTITY, expressions=expressions
    )
    columns = {name: [f"{name}_cluster_low", f"{name}_cluster_high"] for name in HEADLINE}
    # A number has no expression.
    assert {number[column] for pair in columns.values() for column in pair} == {None}
    found = {name: tuple(computed[column] for column in pair) for name, pair in columns.items()}
    clusters = ["4 - 3", "4 - 3", "2 - 1", "4 - 3", "4 - 3"]
    assert found == {
        "score": (1, 1),
        "acc_before": cluster_interval([True, True, False, True, True], clusters),
        "acc_after": (1, 1),
        "heldout_before": cluster_interval([False, False, True, False, False], clusters),
        "heldout_after": cluster_interval([True, False, True, False, False], clusters),
    }
    assert found["acc_before"] == (0, 1)
    assert found["heldout_after"] == (0.25, 1)

    (_, unknown) = timing_rows(probes, [{"correct": True}], 0.9, IDENTITY)
    assert {unknown[column] for pair in columns.values() for column in pair} == {None}

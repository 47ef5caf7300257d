"""Intervals of accuracies by a bootstrap over expressions, for the timing table's headline figures.

Test rows that share an expression such as `4 + 5` are not independent: a probe is right or wrong
about most of them together. Wilson intervals take rows to be independent, so they are too narrow.
Here whole expressions are drawn with replacement, each with all of its rows (the cluster
bootstrap; Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

#: Resamples. The ends of an interval then vary by 4 % of its standard error.
_RESAMPLES = 5_000

_SEED = 0

#: Ends of a 95 % interval.
_QUANTILES = (0.025, 0.975)


def cluster_interval(hits: Sequence[bool], clusters: Sequence[str]) -> tuple[float, float] | None:
    """The 95 % percentile interval (low, high) of the share of hits.

    hits: of each row.
    clusters: what each row shares with the others of its cluster; whole clusters are drawn.
    None if there is one cluster only. The same rows always give the same interval.
    Without a single miss in any row, or a single hit, the interval is a point: no resample has one.
    """
    _, cluster = np.unique(np.asarray(clusters), return_inverse=True)
    sizes = np.bincount(cluster)
    if len(sizes) < 2:
        return None
    hits_of = np.bincount(cluster, weights=np.asarray(hits, dtype=float))
    draws = _draws(len(sizes))
    low, high = np.quantile((draws @ hits_of) / (draws @ sizes), _QUANTILES)
    return float(low), float(high)


@cache
def _draws(n_clusters: int) -> np.ndarray:
    """How often each cluster is drawn in each resample, [resamples, clusters]."""
    drawn = np.random.default_rng(_SEED).integers(n_clusters, size=(_RESAMPLES, n_clusters))
    drawn += n_clusters * np.arange(_RESAMPLES)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=_RESAMPLES * n_clusters)
    return counts.reshape(_RESAMPLES, n_clusters)

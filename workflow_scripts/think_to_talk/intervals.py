"""Confidence intervals of shares: probe accuracies, success rates of interventions, controls.

Wilson's score interval (Wilson, 1927) stays within [0, 1], also for few rows or shares near 0 or 1.
Means have Student's interval, that of probabilities cut at 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from statistics import fmean, stdev

from scipy.stats import binomtest, t


@cache
def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval (low, high) of the share `hits` / `n`."""
    interval = binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def share(name: str, hits: int, n: int) -> dict[str, float | None]:
    """The columns of a share: `name`, `{name}_ci_low` and `{name}_ci_high`; all None if n is 0."""
    low, high = wilson_interval(hits, n) if n else (None, None)
    return {name: hits / n if n else None, f"{name}_ci_low": low, f"{name}_ci_high": high}


def mean(
    name: str, values: Sequence[float], bounds: tuple[float, float] = (0.0, 1.0)
) -> dict[str, float | None]:
    """The columns of a mean, as of `share`; no interval for a single value.

    bounds: of the values, and so of the interval; those of a probability unless given.
    """
    if not values:
        return dict.fromkeys((name, f"{name}_ci_low", f"{name}_ci_high"))
    middle, low, high = fmean(values), None, None
    if len(values) > 1:
        half = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
        low, high = max(bounds[0], middle - half), min(bounds[1], middle + half)
    return {name: middle, f"{name}_ci_low": low, f"{name}_ci_high": high}

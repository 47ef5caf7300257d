"""Confidence intervals of shares."""

from __future__ import annotations

from functools import cache

from scipy.stats import binomtest


@cache
def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `hits` in `n`."""
    interval = binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def share(name: str, hits: int, n: int) -> dict[str, float | None]:
    """A share under its name, with its interval as `…_ci_low` and `…_ci_high`; null of nothing."""
    low, high = wilson_interval(hits, n) if n else (None, None)
    return {name: hits / n if n else None, f"{name}_ci_low": low, f"{name}_ci_high": high}

"""Figures of one sample, with their uncertainty: SciPy and NumPy where they have it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
_MOST_BINS = 60
_NICE = (1.0, 2.0, 2.5, 5.0)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval; None where it cannot be had, and `method` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    method: str


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """`count` of `total`, with the Wilson 95 % interval; None where the total is zero."""

    count: int
    total: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


def proportion(count: int, total: int) -> Proportion:
    """The share count / total, with the Wilson score interval (Wilson 1927)."""
    if total == 0:
        return Proportion(count=count, total=total)
    from scipy.stats import binomtest

    interval = binomtest(count, total).proportion_ci(CONFIDENCE, method="wilson")
    return Proportion(
        count=count,
        total=total,
        value=count / total,
        low=float(interval.low),
        high=float(interval.high),
    )


def median_interval(
    values: NDArray[np.float64],
    cluster: NDArray[np.int64],
    clusters: int,
    rng: np.random.Generator,
    resamples: int,
) -> tuple[float, float] | None:
    """Percentile 95 % interval of the median, by a bootstrap that draws whole clusters.

    Particles of one field of view are not independent, so fields are drawn, not particles.

    Args:
        values: (N,) the sample.
        cluster: (N,) in [0, clusters), the field of view of each value.
        clusters: fields of view, those without a value too.
        rng: draws the fields.
        resamples: how many times.

    Returns:
        None where there are fewer than two clusters or no value.
    """
    if clusters < 2 or values.size == 0:
        return None
    order = np.argsort(values)
    ordered, of_cluster = values[order], cluster[order]
    drawn = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    medians = [_weighted_median(ordered, weights[of_cluster]) for weights in drawn]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(medians, (tail, 1 - tail))
    return float(low), float(high)


def _weighted_median(ordered: NDArray[np.float64], weights: NDArray[np.int64]) -> float:
    """The median of a sorted sample in which each value stands `weights` times."""
    reached = np.cumsum(weights)
    total = int(reached[-1])
    if total == 0:
        return math.nan
    lower = ordered[np.searchsorted(reached, (total - 1) // 2, side="right")]
    upper = ordered[np.searchsorted(reached, total // 2, side="right")]
    return float((lower + upper) / 2)


def nice_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of an even histogram, at round numbers, at most 60 bins; empty for no value.

    The width is the rule of Freedman and Diaconis (1981), rounded down to 1, 2, 2.5 or 5 times a
    power of ten.
    """
    if values.size == 0:
        return np.empty(0)
    low, high = float(values.min()), float(values.max())
    width = _nice_width(values, high - low)
    first, last = math.floor(low / width), math.floor(high / width) + 1
    return np.arange(first, last + 1, dtype=np.float64) * width


def _nice_width(values: NDArray[np.float64], spread: float) -> float:
    quartiles = np.quantile(values, (0.25, 0.75))
    ideal = 2 * float(quartiles[1] - quartiles[0]) / values.size ** (1 / 3)
    smallest = max(spread / (_MOST_BINS - 2), float(values.max()) * 1e-3)
    decade = 10.0 ** math.floor(math.log10(max(ideal, smallest)))
    widths = [step * decade * scale for scale in (0.1, 1.0, 10.0) for step in _NICE]
    below = [width for width in widths if smallest <= width <= ideal]
    return max(below, default=min(width for width in widths if width >= smallest))

"""Figures of one sample, each with its uncertainty."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schema.resampling import CONFIDENCE, FieldBootstrap, Weighted

Floats = NDArray[np.float64]

DECILES = (0.1, 0.5, 0.9)

_SPREADS, _OF_LOGARITHMS = (1, 2, 4), [3, 4]  # places among the fields of `Moments`
_MOST_BINS = 60
_NICE = (1.0, 2.0, 2.5, 5.0)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval; None where it cannot be had."""

    value: float | None
    low: float | None = None
    high: float | None = None


NOTHING = Estimate(value=None)


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """`count` of `total`, with the Wilson 95 % interval; None where the total is zero."""

    count: int
    total: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Deciles:
    """The quantiles at 10, 50 and 90 %, number-weighted."""

    d10: Estimate = NOTHING
    d50: Estimate = NOTHING
    d90: Estimate = NOTHING


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Mean and spread, plain and of the logarithm; spreads are of N - 1 and None for one value."""

    mean: Estimate = NOTHING
    standard_deviation: Estimate = NOTHING
    coefficient_of_variation: Estimate = NOTHING
    geometric_mean: Estimate = NOTHING
    geometric_standard_deviation: Estimate = NOTHING


def proportion(count: int, total: int) -> Proportion:
    """The share count / total, with the Wilson score interval (Wilson 1927).

    As `scipy.stats.binomtest` has it, which takes half a second to import.
    """
    if total == 0:
        return Proportion(count=count, total=total)
    from scipy.special import ndtri

    share, normal = count / total, float(ndtri((1 + CONFIDENCE) / 2))
    pulled = 1 + normal**2 / total
    centre = (share + normal**2 / (2 * total)) / pulled
    reach = normal * math.sqrt(share * (1 - share) / total + normal**2 / (4 * total**2)) / pulled
    return Proportion(
        count=count,
        total=total,
        value=share,
        low=0.0 if count == 0 else centre - reach,
        high=1.0 if count == total else centre + reach,
    )


def with_calibration(found: Estimate, uncertainty: float) -> Estimate:
    """A length with the uncertainty of the pixel size in its interval as well.

    Both are independent: half-widths add as squares.

    Args:
        found: a length and its 95 % interval.
        uncertainty: half the 95 % interval of the pixel size, as a share of it.
    """
    if found.value is None or found.low is None or found.high is None:
        return found
    of_scale = found.value * uncertainty
    return Estimate(
        value=found.value,
        low=found.value - math.hypot(found.value - found.low, of_scale),
        high=found.value + math.hypot(found.high - found.value, of_scale),
    )


def deciles(
    field: NDArray[np.int64], values: Floats, weight: Floats, bootstrap: FieldBootstrap | None
) -> Deciles:
    """Three quantiles of a weighted sample.

    Args:
        field: (N,) the field of view of each value.
        values: (N,).
        weight: (N,) positive.
        bootstrap: of the fields; None gives no interval.
    """
    if values.size == 0:
        return Deciles()
    sample = Weighted(values, weight)
    found = sample.quantiles(DECILES)
    draws = bootstrap.quantiles(field, sample, DECILES) if bootstrap else None
    each = (
        estimate(float(found[place]), bootstrap, None if draws is None else draws[:, place])
        for place in range(len(DECILES))
    )
    return Deciles(**dict(zip(("d10", "d50", "d90"), each, strict=True)))


def power_sums(values: Floats, weight: Floats) -> Floats:
    """(N, 5) whose sums give all moments: 1, x, x², ln x and ln² x, each times the weight."""
    logs = np.log(values)
    return np.stack(
        [weight, weight * values, weight * values**2, weight * logs, weight * logs**2]
    ).T


def moments(sums: Floats, count: int, bootstrap: FieldBootstrap | None, drawn: Floats) -> Moments:
    """Mean and spread of a weighted sample of positive values.

    Args:
        sums: (5,) over `power_sums`.
        count: N.
        bootstrap: of the fields; None gives no interval.
        drawn: (B, 5) the same sums in each resample.
    """
    if count == 0:
        return Moments()
    values, draws = _figures(sums[np.newaxis], count)[:, 0], _figures(drawn, count)
    for place in _SPREADS:
        draws[place] = turned(values[place], draws[place])
    with np.errstate(over="ignore"):
        values[_OF_LOGARITHMS], draws[_OF_LOGARITHMS] = (
            np.exp(each[_OF_LOGARITHMS]) for each in (values, draws)
        )
    each = (
        estimate(float(value), bootstrap, row) for value, row in zip(values, draws, strict=True)
    )
    names = tuple(Moments.__dataclass_fields__)
    return Moments(**dict(zip(names, each, strict=True)))


def turned(value: float, draws: Floats) -> Floats:
    """(B,) spreads in the resamples, turned about that of the sample on a scale of ratios.

    A spread is too small in most samples, and in most resamples of a sample once more: an interval
    of the resamples themselves lies too low. As far as they lie below it, as ratios, the truth lies
    above (Davison and Hinkley 1997, section 5.2: the basic interval of a logarithm).

    Args:
        value: of the sample: a standard deviation of sizes or of their logarithms.
        draws: (B,) the same in each resample.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(value**2 / draws)


def _figures(sums: Floats, count: int) -> Floats:
    """(5, B) the fields of `Moments`, NaN where there is none; of geometric ones the logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        unbiased = np.float64(count) / (count - 1) if count > 1 else math.nan
        mean, log_mean = sums[:, 1] / sums[:, 0], sums[:, 3] / sums[:, 0]
        variance = np.maximum(sums[:, 2] / sums[:, 0] - mean**2, 0.0) * unbiased
        log_variance = np.maximum(sums[:, 4] / sums[:, 0] - log_mean**2, 0.0) * unbiased
        deviation = np.sqrt(variance)
        return np.stack(
            [
                mean,
                deviation,
                deviation / mean,
                log_mean,
                np.sqrt(log_variance),
            ]
        )


def estimate(value: float, bootstrap: FieldBootstrap | None, draws: Floats | None) -> Estimate:
    """A value with the interval of its draws, where it has one; nothing for a value that is NaN."""
    if not math.isfinite(value):
        return NOTHING
    interval = bootstrap.interval(draws) if bootstrap and draws is not None else None
    low, high = interval or (None, None)
    return Estimate(value=value, low=low, high=high)


def nice_edges(values: Floats) -> Floats:
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


def _nice_width(values: Floats, spread: float) -> float:
    quartiles = np.quantile(values, (0.25, 0.75))
    ideal = 2 * float(quartiles[1] - quartiles[0]) / values.size ** (1 / 3)
    smallest = max(spread / (_MOST_BINS - 2), float(values.max()) * 1e-3)
    decade = 10.0 ** math.floor(math.log10(max(ideal, smallest)))
    widths = [step * decade * scale for scale in (0.1, 1.0, 10.0) for step in _NICE]
    below = [width for width in widths if smallest <= width <= ideal]
    return max(below, default=min(width for width in widths if width >= smallest))

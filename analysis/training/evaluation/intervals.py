"""A number with its 95 % interval."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 2000
BOOTSTRAP_SEED = 0

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value and the ends of its 95 % interval; NaN where there is none to give."""

    value: float
    low: float = math.nan
    high: float = math.nan


NOTHING = Estimate(value=math.nan)


def bootstrap(items: Sequence[Item], statistic: Callable[[Sequence[Item]], float]) -> Estimate:
    """The statistic, and its percentile interval over resampled items.

    Items are what was drawn independently: micrographs or fields, never particles of one field.
    Resamples on which the statistic is NaN do not enter.

    Args:
        items: at least two for an interval.
        statistic: of any number of items.
    """
    value = statistic(items)
    if len(items) < 2 or not math.isfinite(value):
        return Estimate(value=value)

    def of(indices: Any) -> float:
        return statistic([items[int(index)] for index in indices])

    with warnings.catch_warnings():  # of resamples without a value
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (np.arange(len(items)),),
            of,
            vectorized=False,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="percentile",
            random_state=np.random.default_rng(BOOTSTRAP_SEED),
        ).bootstrap_distribution
    tail = (1 - CONFIDENCE) / 2
    low, high = (
        np.nanquantile(found, [tail, 1 - tail]) if np.isfinite(found).any() else (np.nan,) * 2
    )
    return Estimate(value=value, low=float(low), high=float(high))


def wilson(successes: int, trials: int) -> Estimate:
    """A share with its Wilson interval; NaN without trials."""
    if not trials:
        return NOTHING
    ends = stats.binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(value=successes / trials, low=float(ends.low), high=float(ends.high))

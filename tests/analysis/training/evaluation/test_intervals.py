"""Intervals cover what they should, and there is none where nothing was counted."""

import math

import numpy as np
from pytest import approx

from analysis.training.evaluation.intervals import bootstrap, wilson


def mean(values):
    return float(np.mean(values))


def test_the_bootstrap_of_a_mean_is_as_wide_as_theory_says():
    values = list(np.random.default_rng(1).normal(5, 2, 400))
    found = bootstrap(values, mean)
    half = 1.96 * 2 / math.sqrt(400)
    assert found.value == approx(np.mean(values))
    assert found.high - found.low == approx(2 * half, rel=0.15)


def test_the_bootstrap_covers_the_truth_about_as_often_as_stated():
    rng = np.random.default_rng(2)
    hits = [
        interval.low <= 0 <= interval.high
        for interval in (bootstrap(list(rng.normal(size=40)), mean) for _ in range(60))
    ]
    assert np.mean(hits) > 0.85


def test_one_item_has_a_value_and_no_interval():
    found = bootstrap([3.0], mean)
    assert found.value == 3 and math.isnan(found.low)


def test_resamples_without_a_value_do_not_enter():
    values = [math.nan] * 5 + [1.0, 2.0]
    found = bootstrap(
        values, lambda drawn: float(np.nanmean(drawn)) if np.isfinite(drawn).any() else math.nan
    )
    assert 1 <= found.low <= found.value <= found.high <= 2


def test_wilson_keeps_room_at_the_ends():
    """0 of 10: from 0 to z²/(n + z²) (Wilson, 1927)."""
    none = wilson(0, 10)
    assert (none.value, none.low) == (0, approx(0, abs=1e-9))
    assert none.high == approx(1.96**2 / (10 + 1.96**2), abs=1e-3)
    assert math.isnan(wilson(0, 0).value)

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from schema.distribution import (
    Estimate,
    deciles,
    moments,
    nice_edges,
    power_sums,
    proportion,
    with_calibration,
)
from schema.resampling import FieldBootstrap

sizes = arrays(np.float64, st.integers(1, 200), elements=st.floats(0.1, 1000))


def test_half_of_a_hundred_has_the_interval_of_the_textbook():
    # Newcombe 1998, table I: 81 of 263 by Wilson's score is 0.2553 to 0.3662.
    found = proportion(81, 263)
    assert (found.low, found.high) == (
        pytest.approx(0.2553, abs=5e-5),
        pytest.approx(0.3662, abs=5e-5),
    )


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_holds_its_share_and_stays_a_share(count, total):
    count = min(count, total)
    found = proportion(count, total)
    assert 0 <= found.low <= found.value <= found.high <= 1 or math.isclose(found.value, found.high)


def test_a_share_of_nothing_is_unknown():
    found = proportion(0, 0)
    assert (found.value, found.low, found.high) == (None, None, None)


def intervals(values, field, fields, seed=0):
    """The 95 % intervals of median and mean, with equal weights."""
    bootstrap = FieldBootstrap(fields, np.random.default_rng(seed))
    weight, terms = np.ones(values.size), power_sums(values, np.ones(values.size))
    drawn = bootstrap.sums(field, terms)
    median = deciles(field, values, weight, bootstrap).d50
    return median, moments(terms.sum(axis=0), values.size, bootstrap, drawn).mean


def width(estimate):
    return estimate.high - estimate.low


def test_particles_of_one_field_alike_tell_less_than_their_number():
    # Ten fields of fifty equal particles hold ten independent values, not five hundred.
    per_field = np.random.default_rng(1).normal(5, 1, 10)
    values, field = np.repeat(per_field, 50), np.repeat(np.arange(10), 50)
    by_field, by_particle = intervals(values, field, 10), intervals(values, np.arange(500), 500)
    for wide, narrow in zip(by_field, by_particle, strict=True):
        assert width(wide) > 3 * width(narrow)


def test_the_intervals_of_independent_values_have_the_width_of_theory():
    # Of N normal values the mean scatters by σ/√N, the median by 1.2533 times that.
    values = np.random.default_rng(2).normal(10, 1, 390)
    median, mean = intervals(values, np.arange(390), 390)
    assert width(mean) / (2 * 1.96) == pytest.approx(1 / math.sqrt(390), rel=0.15)
    assert width(median) / (2 * 1.96) == pytest.approx(1.2533 / math.sqrt(390), rel=0.25)


def test_the_same_seed_gives_the_same_intervals():
    values, field = np.arange(1.0, 41.0), np.arange(40) % 8
    assert intervals(values, field, 8) == intervals(values, field, 8)


def test_few_fields_of_view_have_figures_without_an_interval():
    median, mean = intervals(np.arange(1.0, 10.0), np.arange(9) % 4, 4)
    assert (median.value, median.low, mean.value, mean.high) == (5.0, None, 5.0, None)


def test_figures_are_those_of_numpy_where_all_weights_are_one():
    values = np.random.default_rng(3).lognormal(1.5, 0.3, 77)
    terms = power_sums(values, np.ones(77))
    found = moments(terms.sum(axis=0), 77, None, np.full((1, 5), np.nan))
    assert found.mean.value == pytest.approx(values.mean())
    assert found.standard_deviation.value == pytest.approx(values.std(ddof=1))
    assert found.coefficient_of_variation.value == pytest.approx(values.std(ddof=1) / values.mean())
    assert found.geometric_mean.value == pytest.approx(np.exp(np.log(values).mean()))
    assert found.geometric_standard_deviation.value == pytest.approx(
        np.exp(np.log(values).std(ddof=1))
    )
    ten, half, ninety = np.quantile(values, (0.1, 0.5, 0.9), method="hazen")
    quantiles = deciles(np.zeros(77, int), values, np.ones(77), None)
    assert (quantiles.d10.value, quantiles.d50.value, quantiles.d90.value) == (
        pytest.approx(ten),
        pytest.approx(half),
        pytest.approx(ninety),
    )


def test_the_interval_of_a_spread_lies_as_far_above_it_as_its_resamples_lie_below():
    rng = np.random.default_rng(4)
    field = np.repeat(np.arange(8), 20)
    values = rng.lognormal(1.8 + rng.normal(0, 0.2, 8)[field], 0.1)
    bootstrap = FieldBootstrap(8, np.random.default_rng(5))
    terms = power_sums(values, np.ones(160))
    drawn = bootstrap.sums(field, terms)
    found = moments(terms.sum(axis=0), 160, bootstrap, drawn)
    variance = (drawn[:, 2] / drawn[:, 0] - (drawn[:, 1] / drawn[:, 0]) ** 2) * 160 / 159
    logs = (drawn[:, 4] / drawn[:, 0] - (drawn[:, 3] / drawn[:, 0]) ** 2) * 160 / 159
    for spread, resampled in (
        (found.standard_deviation, np.sqrt(variance)),
        (found.coefficient_of_variation, np.sqrt(variance) * drawn[:, 0] / drawn[:, 1]),
        (logarithm(found.geometric_standard_deviation), np.sqrt(logs)),
    ):
        low, high = bootstrap.interval(resampled)
        assert spread.high / spread.value == pytest.approx(spread.value / low, rel=0.01)
        assert spread.value / spread.low == pytest.approx(high / spread.value, rel=0.01)
        assert spread.high / spread.value > 1.05 * spread.value / spread.low


def logarithm(found):
    return Estimate(value=math.log(found.value), low=math.log(found.low), high=math.log(found.high))


def test_a_spread_of_nothing_has_no_interval():
    terms = power_sums(np.full(40, 5.0), np.ones(40))
    bootstrap = FieldBootstrap(8, np.random.default_rng(5))
    drawn = bootstrap.sums(np.repeat(np.arange(8), 5), terms)
    spread = moments(terms.sum(axis=0), 40, bootstrap, drawn).standard_deviation
    assert spread == Estimate(value=pytest.approx(0.0, abs=1e-6))


def test_a_weight_of_three_counts_as_three_particles():
    once = power_sums(np.array([4.0, 7.0]), np.array([3.0, 1.0])).sum(axis=0)
    thrice = power_sums(np.array([4.0, 4.0, 4.0, 7.0]), np.ones(4)).sum(axis=0)
    assert once == pytest.approx(thrice)


@given(sizes)
def test_every_size_lies_in_one_of_at_most_sixty_even_bins(values):
    edges = nice_edges(values)
    assert 1 <= edges.size - 1 <= 60
    assert np.histogram(values, edges)[0].sum() == values.size
    widths = np.diff(edges)
    assert widths == pytest.approx(np.full(widths.size, widths[0]), rel=1e-6)


def test_edges_are_round_numbers():
    # Freedman and Diaconis: 2 · 1.349σ / ∛500 = 0.17, rounded down to 0.1.
    edges = nice_edges(np.random.default_rng(0).normal(5, 0.5, 500))
    assert np.diff(edges) == pytest.approx(0.1)
    assert edges == pytest.approx(np.round(edges, 1))


def test_no_size_has_no_edges():
    assert nice_edges(np.empty(0)).size == 0


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_that_of_scipy(counts):
    from scipy.stats import binomtest

    found = proportion(*counts)
    theirs = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_calibration_widens_an_interval_as_squares_add():
    found = with_calibration(Estimate(value=10.0, low=9.7, high=10.3), 0.04)
    assert (found.low, found.high) == (pytest.approx(9.5), pytest.approx(10.5))  # 3-4-5
    assert found.value == 10.0
    assert with_calibration(Estimate(value=10.0), 0.04) == Estimate(value=10.0)

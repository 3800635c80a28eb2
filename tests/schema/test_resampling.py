import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from schema.resampling import (
    CELLS,
    FieldBootstrap,
    Weighted,
    expanded_tail,
    quantiles_at,
)

sizes = arrays(np.float64, st.integers(1, 60), elements=st.floats(0.1, 1000))


def bootstrap(fields, resamples=1000, seed=0):
    return FieldBootstrap(fields, np.random.default_rng(seed), resamples)


@given(sizes, st.floats(0, 1), st.floats(1e-3, 1e3))
def test_of_equal_weights_a_quantile_is_that_of_hazen(values, share, weight):
    values = np.sort(values)
    found = quantiles_at(values, np.full(values.size, weight), (share, 0.5))
    expected = [np.quantile(values, share, method="hazen"), np.median(values)]
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_value_that_counts_three_times_holds_the_middle_as_three_equal_ones_would():
    # Total 5: the middle one of 1, 7, 7, 7, 9.
    values, weights = np.array([1.0, 7.0, 9.0]), np.array([1.0, 3.0, 1.0])
    assert quantiles_at(values, weights, (0.5,)) == pytest.approx([7.0])


@given(st.data(), arrays(np.float64, st.integers(1, 20), elements=st.floats(1, 100), unique=True))
def test_integer_weights_put_the_median_where_repeated_values_put_it(data, values):
    # A block of equal values is a plateau, its weight one point: between two middles of weights
    # lie both medians, never further apart than two neighbours of the middle.
    values = np.sort(values)
    counts = data.draw(arrays(np.int64, values.size, elements=st.integers(1, 9)))
    (weighted,) = quantiles_at(values, counts.astype(float), (0.5,))
    repeated = np.median(np.repeat(values, counts))
    place = int(np.searchsorted(values, repeated))
    nearest = values[max(place - 1, 0) : place + 2]
    assert nearest.min() <= weighted <= nearest.max()


@given(sizes, st.data())
def test_a_value_without_weight_is_not_there(values, data):
    values = np.sort(values)
    there = data.draw(arrays(np.bool_, values.size))
    found = quantiles_at(values, there.astype(float), (0.1, 0.5, 0.9))
    expected = (
        np.quantile(values[there], (0.1, 0.5, 0.9), method="hazen")
        if there.any()
        else np.full(3, math.nan)
    )
    assert found == pytest.approx(expected, nan_ok=True)


@given(st.integers(1, 400), st.integers(1, 20))
def test_a_resample_draws_as_many_fields_as_there_are(fields, resamples):
    one_each = bootstrap(fields, resamples).sums(np.arange(fields), np.ones((fields, 1)))
    assert np.array_equal(one_each, np.full((resamples, 1), fields))


def test_a_field_is_drawn_with_all_its_particles_or_not_at_all():
    field = np.repeat(np.arange(7), 3)
    drawn = bootstrap(7).sums(field, np.eye(7)[field])
    assert np.array_equal(drawn % 3, np.zeros_like(drawn))
    assert np.array_equal(drawn.sum(axis=1), np.full(1000, 21))


def test_sums_are_those_of_the_drawn_fields():
    rng = np.random.default_rng(1)
    field, terms = rng.integers(0, 12, 200), rng.normal(size=(200, 3))
    of_fields = np.array([terms[field == each].sum(axis=0) for each in range(12)])
    times = bootstrap(12).sums(np.arange(12), np.eye(12))
    assert bootstrap(12).sums(field, terms) == pytest.approx(times @ of_fields)


def test_a_field_without_a_particle_takes_its_place_in_the_draw():
    # Two fields, one empty: both particles are drawn 0, 1 or 2 times, in 1, 2 and 1 of 4 cases.
    times = bootstrap(2, 4000).sums(np.array([0]), np.ones((1, 1)))[:, 0]
    shares = np.bincount(times.astype(int), minlength=3) / 4000
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=4 * math.sqrt(0.25 / 4000))


def test_one_seed_gives_one_result():
    field, values = np.arange(40) % 8, np.arange(40.0)
    first, again, other = (
        bootstrap(8, seed=seed).quantiles(field, Weighted(values, np.ones(40)), (0.5,))
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_resample_of_one_field_is_the_sample():
    values = np.array([4.0, 9.0, 5.0, 7.0])
    found = bootstrap(1, 3).quantiles(np.zeros(4, int), Weighted(values, np.ones(4)), (0.5,))
    assert np.array_equal(found, np.full((3, 1), 6.0))


def test_a_resample_without_a_particle_has_no_quantile():
    # Of three fields one has particles: it is left out in (2/3)³ = 30 % of the resamples.
    found = bootstrap(3, 4000).quantiles(
        np.zeros(2, int), Weighted(np.array([5.0, 6.0]), np.ones(2)), (0.1, 0.9)
    )
    missing = np.isnan(found).all(axis=1)
    assert missing.mean() == pytest.approx((2 / 3) ** 3, abs=4 * math.sqrt(0.21 / 4000))
    assert np.isfinite(found[~missing]).all()


@pytest.mark.parametrize(("particles", "cell_nm"), [(CELLS, 1e-9), (12_000, 4 / CELLS)])
def test_cells_of_many_particles_move_no_quantile_by_more_than_a_cell(particles, cell_nm):
    # Sizes lie evenly from 4 to 8 nm, so a cell is 0.004 nm; up to 1,024 there are no cells.
    rng = np.random.default_rng(5)
    field, values = rng.integers(0, 20, particles), rng.permutation(np.linspace(4, 8, particles))
    weight, shares = rng.uniform(1, 4, particles), (0.1, 0.5, 0.9)
    found = bootstrap(20, 50).quantiles(field, Weighted(values, weight), shares)
    order = np.argsort(values)
    times = bootstrap(20, 50).sums(np.arange(20), np.eye(20))[:, field[order]]
    exact = np.array([quantiles_at(values[order], row * weight[order], shares) for row in times])
    assert found == pytest.approx(exact, abs=cell_nm)
    assert np.mean(found - exact) == pytest.approx(0, abs=cell_nm / 10)


samples = st.sampled_from(
    [
        lambda rng, size: rng.lognormal(1.8, 0.2, size),
        lambda rng, size: np.round(rng.lognormal(1.8, 0.2, size), 2),  # many are equal
        lambda rng, size: np.append(rng.normal(5, 1, size - 1), 1e6),  # one bin holds nearly all
        lambda rng, size: np.full(size, 5.0),
        lambda rng, size: np.append(rng.normal(5, 1, size - 1), np.inf),
        lambda rng, size: np.sort(rng.integers(0, 8, size).astype(float)),
    ]
)
some = st.one_of(st.integers(1, 30), st.integers(CELLS - 1, 3 * CELLS))


@given(samples, some, st.integers(0, 2**32 - 1))
def test_in_whatever_order_values_come_their_quantiles_are_those_of_the_sorted(draw, size, seed):
    rng = np.random.default_rng(seed)
    values, weights = draw(rng, size), rng.uniform(1, 4, size)
    order, shares = np.argsort(values, kind="stable"), (0.0, 0.1, 0.5, 0.9, 0.999)
    expected = quantiles_at(values[order], weights[order], shares)
    assert Weighted(values, weights).quantiles(shares) == pytest.approx(expected, rel=1e-9)


@given(samples, some, st.integers(0, 2**32 - 1))
def test_cells_ascend_with_the_values_and_none_is_empty(draw, size, seed):
    sample = Weighted(draw(np.random.default_rng(seed), size), np.ones(size))
    assert np.array_equal(np.unique(sample.cell), np.arange(sample.cells))
    assert (np.diff(sample.cell[np.argsort(sample.values, kind="stable")]) >= 0).all()
    assert sample.cells <= CELLS
    assert np.bincount(sample.cell).max() <= 4 * math.ceil(size / CELLS)


def test_particles_of_each_kind_are_summed_as_if_each_kind_stood_alone():
    rng = np.random.default_rng(6)
    field, kind = rng.integers(0, 9, 300), rng.integers(0, 4, 300)
    weight = rng.uniform(1, 2, 300)
    found = bootstrap(9, 40).tallies(field, kind, 5, weight)  # no particle is of the fifth
    alone = bootstrap(9, 40).sums(field, np.eye(5)[kind] * weight[:, np.newaxis])
    assert found == pytest.approx(alone)


def test_fewer_than_eight_fields_have_no_interval():
    draws = np.arange(1000.0)
    assert bootstrap(7).interval(draws) is None
    assert bootstrap(8).interval(draws) is not None


def test_a_figure_that_one_resample_in_twenty_lacks_has_no_interval():
    draws = np.random.default_rng(0).normal(size=1000)
    draws[:50] = math.nan
    low, high = bootstrap(10).interval(draws)
    assert low < 0 < high
    draws[50] = math.nan
    assert bootstrap(10).interval(draws) is None


def test_the_tails_are_those_of_students_t():
    # t at 97.5 % with 4, 9 and 19 degrees of freedom, from any table: 2.776, 2.262, 2.093.
    for fields, t in ((5, 2.776), (10, 2.262), (20, 2.093)):
        expected = norm.sf(t * math.sqrt(fields / (fields - 1)))
        assert expanded_tail(fields) == pytest.approx(expected, rel=2e-3)


@given(st.integers(5, 5000))
def test_few_fields_stretch_the_interval_and_many_do_not(fields):
    # The excess over the normal law falls as 1/F: t ≈ z·(1 + (z² + 1)/4F), and √(F/(F−1)) on top.
    tail = expanded_tail(fields)
    assert tail < expanded_tail(fields + 1) < 0.025
    assert 0.025 - tail < 0.25 / fields


def test_the_interval_of_a_mean_of_ten_fields_is_that_of_student():
    values = np.random.default_rng(7).normal(5, 1, 10)
    means = bootstrap(10, 20_000).sums(np.arange(10), values[:, np.newaxis])[:, 0] / 10
    low, high = bootstrap(10, 20_000).interval(means)
    student = 2 * 2.262 * values.std(ddof=1) / math.sqrt(10)
    assert high - low == pytest.approx(student, rel=0.08)


def test_particles_of_one_field_alike_tell_less_than_their_number():
    # Ten fields of fifty equal particles hold ten independent values, not five hundred.
    values, field = np.repeat(np.random.default_rng(1).normal(5, 1, 10), 50), np.arange(500) // 50
    widths = []
    for fields, lies in ((10, field), (500, np.arange(500))):
        drawn = bootstrap(fields)
        sums = drawn.sums(lies, np.column_stack([values, np.ones(500)]))
        low, high = drawn.interval(sums[:, 0] / sums[:, 1])
        widths.append(high - low)
    assert widths[0] > 0.8 * math.sqrt(50) * widths[1]


@pytest.mark.parametrize("fields", [300, 401, 2000])
def test_groups_of_fields_scatter_as_the_fields_do(fields):
    # Fields take turns between 4 and 6, as two grids would: the groups are made by chance.
    values = 4.0 + 2 * (np.arange(fields) % 2)
    drawn = bootstrap(fields)
    sums = drawn.sums(np.arange(fields), np.column_stack([values, np.ones(fields)]))
    low, high = drawn.interval(sums[:, 0] / sums[:, 1])
    # The scatter of 400 groups is known to 1/√800 = 3.5 %, its quantiles in 1,000 draws to 5 %.
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(fields), rel=0.15)


def test_the_interval_of_a_median_has_the_width_of_theory():
    # The median of N normal values scatters by 1.2533·σ/√N.
    values = np.random.default_rng(2).normal(0, 1, 2000)
    drawn = bootstrap(2000)
    draws = drawn.quantiles(np.arange(2000), Weighted(values, np.ones(2000)), (0.5,))[:, 0]
    low, high = drawn.interval(draws)
    assert (high - low) / (2 * 1.96) == pytest.approx(1.2533 / math.sqrt(2000), rel=0.25)


def test_the_interval_covers_the_median_of_populations_clustered_by_field():
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        field = np.arange(80) // 10
        values = rng.normal(5, 0.3, 8)[field] + rng.normal(0, 1, 80)
        drawn = FieldBootstrap(8, rng, 400)
        low, high = drawn.interval(
            drawn.quantiles(field, Weighted(values, np.ones(80)), (0.5,))[:, 0]
        )
        covered += low <= 5 <= high
    # 190 of 200 are due; binomial scatter is 3.1.
    assert covered >= 180


def test_no_field_has_no_figure():
    none = bootstrap(0, 5)
    assert none.interval(np.full(5, math.nan)) is None
    assert np.array_equal(none.sums(np.empty(0, int), np.empty((0, 2))), np.zeros((5, 2)))
    empty = np.empty(0)
    assert np.isnan(none.quantiles(np.empty(0, int), Weighted(empty, empty), (0.5,))).all()

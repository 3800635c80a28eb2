import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from schema.distribution import median_interval, nice_edges, proportion

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


def test_particles_of_one_field_alike_tell_less_than_their_number():
    # Ten fields of fifty equal particles hold ten independent values, not five hundred.
    rng = np.random.default_rng(1)
    per_field = rng.normal(5, 1, 10)
    values, field = np.repeat(per_field, 50), np.repeat(np.arange(10), 50)
    by_field = median_interval(values, field, 10, rng, 1000)
    by_particle = median_interval(values, np.arange(500), 500, rng, 1000)
    assert by_field[1] - by_field[0] > 3 * (by_particle[1] - by_particle[0])


def test_the_interval_of_independent_values_has_the_width_of_theory():
    # The median of N normal values scatters by 1.2533·σ/√N.
    rng = np.random.default_rng(2)
    values = rng.normal(0, 1, 2000)
    low, high = median_interval(values, np.arange(2000), 2000, rng, 2000)
    assert (high - low) / (2 * 1.96) == pytest.approx(1.2533 / math.sqrt(2000), rel=0.25)


def test_the_interval_covers_the_truth_of_populations_clustered_by_field():
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        field = np.repeat(np.arange(25), 10)
        values = rng.normal(5, 0.3, 25)[field] + rng.normal(0, 1, 250)
        low, high = median_interval(values, field, 25, rng, 200)
        covered += low <= 5 <= high
    # 95 of 100 are due; binomial scatter is 2.2.
    assert 88 <= covered <= 100


def test_the_same_seed_gives_the_same_interval():
    values, field = np.arange(40.0), np.arange(40) % 8
    first, again = (
        median_interval(values, field, 8, np.random.default_rng(3), 200) for _ in range(2)
    )
    assert first == again


def test_one_field_of_view_has_no_interval():
    rng = np.random.default_rng(0)
    assert median_interval(np.arange(9.0), np.zeros(9, int), 1, rng, 10) is None
    assert median_interval(np.empty(0), np.empty(0, int), 5, rng, 10) is None


def test_fields_without_a_particle_do_not_stop_the_interval():
    rng = np.random.default_rng(0)
    low, high = median_interval(np.array([5.0, 6.0]), np.array([0, 0]), 3, rng, 500)
    assert low == high == 5.5


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

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from schema.correction import PRIOR, Confusion, true_shares

CLASSES = 5
tallies = arrays(np.float64, (3, CLASSES), elements=st.floats(0, 1000))
matrices = arrays(np.float64, (CLASSES, CLASSES), elements=st.floats(0, 100))


def right_in(share):
    """Faults and no faults are told apart in this share of cases, other classes always."""
    rates = np.eye(CLASSES)
    rates[:2, :2] = [[share, 1 - share], [1 - share, share]]
    return rates


def with_faults(share):
    return np.array([share, 1 - share, 0, 0, 0])


@given(matrices, arrays(np.float64, CLASSES, elements=st.floats(0.01, 1)))
def test_what_a_matrix_made_of_the_truth_its_inverse_undoes(counts, truth):
    # Right in more than half of each row: such a matrix is always invertible.
    counts = counts + np.diag(counts.sum(axis=1) + 1)
    rates, truth = Confusion(counts=counts, source="reviewed").rates(), truth / truth.sum()
    found = true_shares(500 * (truth @ rates)[np.newaxis], rates[np.newaxis])
    assert found[0] == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize(
    ("observed", "truth"), [(0.30, 0.16 / 0.72), (0.14, 0.0), (0.10, 0.0), (0.86, 1.0), (0.5, 0.5)]
)
def test_a_classifier_right_in_86_of_100_finds_14_faults_where_there_are_none(observed, truth):
    # Rogan and Gladen: (observed − 0.14) / (0.86 − 0.14), and no share outside of 0 to 1.
    found = true_shares(with_faults(observed)[np.newaxis], right_in(0.86)[np.newaxis])
    assert found[0] == pytest.approx(with_faults(truth), abs=1e-6)


@given(tallies, arrays(np.float64, (3, CLASSES, CLASSES), elements=st.floats(0.01, 1)))
def test_true_shares_are_shares(observed, rates):
    found = true_shares(observed, rates / rates.sum(axis=2, keepdims=True))
    there = observed.sum(axis=1) > 0
    assert np.all(found[there] >= 0)
    assert found[there].sum(axis=1) == pytest.approx(np.ones(there.sum()))
    assert np.isnan(found[~there]).all()


@given(arrays(np.float64, CLASSES, elements=st.floats(0, 1)), matrices)
def test_no_other_shares_come_nearer_to_those_observed(observed, counts):
    # The squared distance is convex: a step towards any one class would be nearer, if any were.
    observed = observed + 0.01
    observed /= observed.sum()
    rates = Confusion(counts=counts + np.eye(CLASSES), source="reviewed").rates()
    found = true_shares(observed[np.newaxis], rates[np.newaxis])[0]

    def distance(shares):
        return np.sum((shares @ rates - observed) ** 2)

    for towards in np.eye(CLASSES):
        assert distance(found) <= distance(found + 0.01 * (towards - found)) + 1e-7


@pytest.mark.parametrize("seed", range(8))
def test_what_is_not_there_has_a_share_of_exactly_nothing(seed):
    # Shares of 1e-17 and of -1e-17 would make a fraction of nothing but noise.
    rates = np.random.default_rng(seed).uniform(0.01, 0.2, (CLASSES, CLASSES)) + np.eye(CLASSES)
    rates /= rates.sum(axis=1, keepdims=True)
    truth = np.array([0.0, 0.0, 0.25, 0.75, 0.0])
    (found,) = true_shares((truth @ rates)[np.newaxis], rates[np.newaxis])
    assert found[[0, 1, 4]].tolist() == [0.0, 0.0, 0.0]
    assert found == pytest.approx(truth)


def test_each_row_of_observations_has_its_own_rates():
    observed = np.array([with_faults(0.3), np.zeros(CLASSES), with_faults(0.3)])
    rates = np.array([np.eye(CLASSES), np.eye(CLASSES), right_in(0.86)])
    found = true_shares(observed, rates)
    assert found[[0, 2], 0] == pytest.approx([0.3, 0.16 / 0.72])
    assert np.isnan(found[1]).all()


def test_a_class_never_seen_is_not_invented():
    # Agglomerates are taken for faults in half of the cases; none was given its own class.
    rates = np.eye(CLASSES)
    rates[3] = [0.5, 0, 0, 0.5, 0]
    found = true_shares(np.array([[40.0, 60.0, 0, 0, 0]]), rates[np.newaxis])
    assert found[0] == pytest.approx([0.4, 0.6, 0, 0, 0], abs=1e-6)


def test_rates_are_shares_of_the_true_class():
    counts = np.array([[86.0, 14.0], [5.0, 15.0]])
    rates = Confusion(counts=counts, source="reviewed").rates()
    assert rates == pytest.approx(np.array([[0.86, 0.14], [0.25, 0.75]]))


def test_drawn_rates_scatter_about_the_measured_ones_as_dirichlet_has_it():
    counts = np.array([[270.0, 23, 4, 13], [23, 336, 29, 19], [9, 15, 211, 3], [17, 13, 34, 251]])
    drawn = Confusion(counts=counts, source="reviewed").drawn(np.random.default_rng(0), 4000)[1:]
    assert drawn.shape == (4000, 4, 4)
    assert drawn.sum(axis=2) == pytest.approx(np.ones((4000, 4)))
    total = counts.sum(axis=1, keepdims=True) + 4 * PRIOR
    mean = (counts + PRIOR) / total
    spread = np.sqrt(mean * (1 - mean) / (total + 1))
    assert np.abs(drawn.mean(axis=0) - mean).max() < 5 * spread.max() / math.sqrt(4000)
    assert drawn.std(axis=0) == pytest.approx(spread, rel=0.08)


def test_a_hundred_times_the_particles_tell_ten_times_as_much():
    few = np.array([[86.0, 14.0], [14.0, 86.0]])
    spreads = [
        Confusion(counts=counts, source="reviewed")
        .drawn(np.random.default_rng(1), 4000)[1:, 0, 0]
        .std()
        for counts in (few, 100 * few)
    ]
    assert spreads[0] / spreads[1] == pytest.approx(10, rel=0.08)


def test_a_mistake_not_yet_seen_may_be_made():
    confusion = Confusion(counts=200 * np.eye(3), source="reviewed")
    measured, *drawn = confusion.drawn(np.random.default_rng(2), 50)
    assert np.array_equal(measured, np.eye(3))
    assert np.all(np.array(drawn) > 0)

"""What goes with what, where it does, and where nothing can be said."""

import itertools

import numpy as np
import pytest

from schema.correlation import (
    by_size,
    drift,
    fault_slope,
    rank_matrix,
    relations,
    size_shift,
)
from schema.fractions import FAULT, MISORIENTED, NO_FAULT
from schema.sample import Sample

FACTOR = 1.6  # by which the odds of a fault rise per nm


def logistic(count=6000, fields=60, seed=0, factor=FACTOR):
    """Sizes, faults and fields of particles whose odds of a fault rise with size."""
    rng = np.random.default_rng(seed)
    size = rng.normal(5, 1, count)
    odds = 0.4 * factor ** (size - 5)
    return size, rng.random(count) < odds / (1 + odds), rng.integers(0, fields, count)


def test_the_slope_is_the_factor_the_particles_were_made_with():
    found = fault_slope(*logistic())
    assert found.low < FACTOR < found.high
    assert found.odds_ratio_per_nm == pytest.approx(FACTOR, rel=0.1)
    assert found.p_value < 1e-9


def test_no_slope_is_found_where_there_is_none():
    found = fault_slope(*logistic(factor=1.0))
    assert found.low < 1 < found.high
    assert found.p_value > 0.01


def test_fields_that_repeat_their_particles_say_no_more_than_once():
    size, fault, field = logistic(count=600)
    once = fault_slope(size, fault, field)
    tenfold = fault_slope(*(np.tile(column, 10) for column in (size, fault, field)))
    assert tenfold.odds_ratio_per_nm == pytest.approx(once.odds_ratio_per_nm)
    assert tenfold.high / tenfold.low == pytest.approx(once.high / once.low, rel=0.02)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s, f, g: (s[:19], f[:19], g[:19]), "fewer than 20 observable particles"),
        (lambda s, f, g: (s, f & False, g), "fewer than 5 particles with a fault, or without"),
        (lambda s, f, g: (s, f, g % 7), "fewer than 8 fields of view"),
        (lambda s, f, g: (s * 0 + 5, f, g), "all of one size"),
        (lambda s, f, g: (s, s > 5, g), "parts faulted from faultless particles entirely"),
    ],
)
def test_where_no_slope_can_be_had_a_sentence_says_why(change, words):
    found = fault_slope(*change(*logistic(count=200)))
    assert found.odds_ratio_per_nm is None
    assert words in found.reason


def test_larger_faulted_particles_are_larger_in_as_many_pairs():
    # Of N(6, 1) and N(5, 1) the first is larger with a chance of Φ(1/√2) = 0.760.
    rng = np.random.default_rng(1)
    size = np.concatenate([rng.normal(6, 1, 2000), rng.normal(5, 1, 2000)])
    found = size_shift(size, np.arange(4000) < 2000)
    assert found.larger == pytest.approx(0.760, abs=0.02)
    assert found.p_value_if_independent < 1e-9
    assert size_shift(size[:4], np.array([True, False, True, False])).larger is None


def test_ranges_of_size_hold_as_many_particles_and_all_of_them():
    size, fault, _ = logistic(count=805)
    bins = by_size(size, fault)
    assert len(bins) == 8
    assert sum(each.faults.total for each in bins) == 805
    assert sum(each.faults.count for each in bins) == fault.sum()
    assert max(each.faults.total for each in bins) - min(each.faults.total for each in bins) <= 2
    assert bins[-1].faults.value > bins[0].faults.value
    assert all(low.high_nm == high.low_nm for low, high in itertools.pairwise(bins))


def test_few_or_equal_sizes_have_few_ranges():
    assert by_size(np.ones(9), np.ones(9, bool)) == ()
    (only,) = by_size(np.full(50, 5.0), np.arange(50) < 20)
    assert (only.low_nm, only.high_nm, only.faults.count, only.faults.total) == (5.0, 5.0, 20, 50)


def test_ranks_are_one_of_a_rising_pair_and_unknown_of_a_constant():
    rng = np.random.default_rng(2)
    first = rng.random(100)
    columns = np.column_stack([first, np.exp(first), -first, np.ones(100), rng.random(100)])
    columns[:85, 4] = np.nan
    found = rank_matrix(["a", "b", "c", "d", "e"], columns)
    assert (found.rho[0][1], found.rho[1][2]) == (pytest.approx(1), pytest.approx(-1))
    assert (found.rho[0][3], found.rho[0][4]) == (None, None)
    assert (found.counts[0][4], found.counts[0][1]) == (15, 100)
    assert all(found.rho[i][j] == found.rho[j][i] for i in range(5) for j in range(5))


def test_a_figure_that_rises_with_time_drifts_and_one_that_does_not_does_not():
    rng = np.random.default_rng(3)
    time, noise = np.arange(40.0), rng.normal(0, 1, 40)
    rising = drift(time, time / 10 + noise)
    assert rising.rho > 0.5
    assert rising.p_value < 0.001
    assert drift(time, noise).p_value > 0.01
    assert drift(time[:7], noise[:7]).reason == "fewer than 8 fields of view have particles"
    assert drift(time, np.ones(40)).reason == "the same in all fields of view"


def test_fields_without_a_particle_are_not_asked_about_drift():
    values = np.where(np.arange(12) < 6, np.nan, np.arange(12.0))
    assert drift(np.arange(12.0), values).fields == 6


def test_observable_particles_enter_in_the_order_of_their_fields_in_time():
    size, fault, field = logistic(count=3000, fields=30)
    code = np.where(fault, FAULT, NO_FAULT).astype(np.int8)
    code[::10] = MISORIENTED
    seen = np.arange(30.0)[::-1]  # the last field was imaged first
    grown = size + field / 10
    grown[::13] = np.nan
    counted = Sample(
        fields=30,
        field=field,
        class_code=code,
        diameter_nm=grown,
        aspect_ratio=np.ones(3000),
        circularity=np.ones(3000),
        weight=np.ones(3000),
        is_sized=np.isfinite(grown) & (np.arange(3000) % 7 > 0),
        seen_seconds=seen,
    )
    found = relations(counted, ["size"], grown[:, np.newaxis])
    observable = (code != MISORIENTED) & np.isfinite(grown)
    assert sum(each.faults.total for each in found.fault_by_size) == observable.sum()
    assert found.drift_of_median.rho < -0.8
    assert abs(found.drift_of_faults.rho) < 0.5
    assert found.ranks.counts[0][0] == counted.is_sized.sum()


def test_faults_are_of_observable_particles_whatever_sizes_are_asked_for():
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 5, 200).astype(np.int8)
    counted = Sample(
        fields=10,
        field=np.arange(200) % 10,
        class_code=codes,
        diameter_nm=rng.uniform(4, 8, 200),
        aspect_ratio=np.ones(200),
        circularity=np.ones(200),
        weight=np.ones(200),
        is_sized=codes == 3,
        seen_seconds=np.arange(10.0),
    )
    found = relations(counted, ["x"], rng.random((200, 1)))
    observable = int(np.isin(codes, (0, 1)).sum())
    assert sum(each.faults.total for each in found.fault_by_size) == observable
    assert found.ranks.counts == ((int((codes == 3).sum()),),)

import math

import numpy as np
import pytest

from schema.correction import Classifier, Confusion
from schema.fractions import FAULT, NO_FAULT, Tallies, fractions, tallied
from schema.resampling import FieldBootstrap

UNKNOWN = Classifier(reason="the model was not measured on PbS")
PERFECT = 1e6 * np.eye(5)


def right_in(share, particles):
    """So many of each class: faults and no faults told apart in this share, the others always."""
    counts = particles * np.eye(5)
    counts[:2, :2] = particles * np.array([[share, 1 - share], [1 - share, share]])
    return Classifier(confusion=Confusion(counts=counts, source="reviewed"))


def tallies(per_field, resamples=500, seed=0, weight=1.0):
    """Of fields of view with so many particles of each class."""
    counts = np.array(per_field, np.float64)
    bootstrap = FieldBootstrap(len(counts), np.random.default_rng(seed), resamples)
    drawn = bootstrap.sums(np.arange(len(counts)), counts)
    rows = np.concatenate([counts.sum(axis=0)[np.newaxis], drawn])
    return Tallies(counts=rows, weights=rows * weight, bootstrap=bootstrap)


def alone(counts, weights=None):
    """One sample without a bootstrap."""
    counts = np.array([counts], np.float64)
    weights = counts if weights is None else np.array([weights], np.float64)
    return Tallies(counts=counts, weights=weights, bootstrap=None)


def fields(faults, fault_share=0.3, seed=1):
    """Forty fields of fifty observable particles, thirty misoriented ones."""
    rng = np.random.default_rng(seed)
    found = rng.binomial(50, fault_share, 40) if faults is None else np.full(40, faults)
    return np.column_stack([found, 50 - found, np.full(40, 30), np.zeros((40, 2))])


def rng():
    return np.random.default_rng(9)


def test_faults_are_among_observable_and_observable_among_single_crystals():
    found = fractions(alone([30, 70, 50, 20, 10]), UNKNOWN, None)
    fault, observable = found.stacking_fault.wilson, found.observable.wilson
    assert (fault.count, fault.total, fault.value) == (30, 100, 0.3)
    assert (observable.count, observable.total, observable.value) == (100, 150, 100 / 150)
    assert found.stacking_fault.by_field.value == 0.3
    assert found.observable.by_field.value == 100 / 150


def test_no_fault_at_all_may_still_be_a_few():
    fraction = fractions(tallies(fields(0)), UNKNOWN, rng()).stacking_fault
    assert (fraction.by_field.value, fraction.by_field.low, fraction.by_field.high) == (
        0,
        None,
        None,
    )
    # Wilson: z² / (N + z²) of N = 2,000 with no fault among them.
    assert fraction.wilson.low == 0
    assert fraction.wilson.high == pytest.approx(1.96**2 / (2000 + 1.96**2), rel=1e-3)


def test_faults_everywhere_have_no_interval_by_field_either():
    fraction = fractions(tallies(fields(50)), UNKNOWN, rng()).stacking_fault
    assert (fraction.by_field.value, fraction.by_field.low) == (1, None)


def test_without_fields_to_draw_only_wilson_has_an_interval():
    found = fractions(alone([30, 70, 50, 0, 0]), right_in(0.86, 200), rng())
    for fraction in (found.stacking_fault, found.observable):
        assert (fraction.by_field.low, fraction.by_field.high) == (None, None)
        assert (fraction.corrected.low, fraction.corrected.high) == (None, None)
        assert fraction.wilson.low < fraction.wilson.value < fraction.wilson.high


def test_independent_particles_scatter_by_field_as_wilson_has_it():
    fraction = fractions(tallies(fields(None)), UNKNOWN, rng()).stacking_fault
    by_field, wilson = fraction.by_field, fraction.wilson
    assert by_field.low < by_field.value < by_field.high
    # The scatter of 40 fields is known to 1/√80 = 11 %.
    assert by_field.high - by_field.low == pytest.approx(wilson.high - wilson.low, rel=0.35)


def test_fields_that_differ_tell_less_than_their_particles():
    # Half of the fields are full of faults: forty coins, not two thousand.
    half = np.concatenate([fields(50)[:20], fields(0)[:20]])
    fraction = fractions(tallies(half), UNKNOWN, rng()).stacking_fault
    width = fraction.by_field.high - fraction.by_field.low
    assert width == pytest.approx(2 * 2.02 * 0.5 / math.sqrt(40), rel=0.15)
    assert width > 5 * (fraction.wilson.high - fraction.wilson.low)


def test_a_withheld_correction_says_why():
    found = fractions(tallies(fields(None)), UNKNOWN, rng())
    for corrected in (found.observable.corrected, found.stacking_fault.corrected):
        assert corrected.reason == "the model was not measured on PbS"
        assert (corrected.value, corrected.low, corrected.source) == (None, None, None)


def test_observed_thirty_of_a_hundred_are_twenty_two():
    corrected = fractions(alone([30, 70, 50, 0, 0]), right_in(0.86, 200), None).stacking_fault
    assert corrected.corrected.value == pytest.approx(0.16 / 0.72, abs=1e-6)
    assert (corrected.corrected.source, corrected.corrected.reason) == ("reviewed", None)
    assert corrected.by_field.value == 0.3


def test_faults_taken_for_misoriented_are_given_back():
    # Half of the faults are seen as misoriented: of 60 there, 30 are theirs.
    counts = PERFECT.copy()
    counts[0] = [5e5, 0, 5e5, 0, 0]
    classifier = Classifier(confusion=Confusion(counts=counts, source="simulation-based"))
    found = fractions(alone([30, 40, 60, 0, 0]), classifier, None)
    assert found.stacking_fault.corrected.value == pytest.approx(60 / 100, abs=1e-6)
    assert found.observable.corrected.value == pytest.approx(100 / 130, abs=1e-6)


def test_a_classifier_without_errors_leaves_what_chance_made():
    classifier = Classifier(confusion=Confusion(counts=PERFECT, source="reviewed"))
    found = fractions(tallies(fields(None)), classifier, rng())
    for fraction in (found.stacking_fault, found.observable):
        assert fraction.corrected.value == pytest.approx(fraction.by_field.value, abs=1e-6)
    by_field, corrected = found.stacking_fault.by_field, found.stacking_fault.corrected
    assert corrected.low == pytest.approx(by_field.low, abs=1e-4)
    assert corrected.high == pytest.approx(by_field.high, abs=1e-4)


def test_a_poor_classifier_widens_what_chance_made():
    found = fractions(tallies(fields(None)), right_in(0.7, 40), rng()).stacking_fault
    corrected, by_field = found.corrected, found.by_field
    assert corrected.low <= corrected.value <= corrected.high
    # Slope 1/(2·0.7 − 1) = 2.5 of the inverse, and errors known from 40 particles on top.
    assert corrected.high - corrected.low > 2.5 * (by_field.high - by_field.low)


def test_the_corrected_interval_covers_the_truth_of_a_classifier_measured_on_few():
    covered = 0
    for seed in range(60):
        chance = np.random.default_rng(seed)
        counts = 100 * np.eye(5)
        for true, rate in ((0, 0.8), (1, 0.1)):
            given = chance.binomial(100, rate)
            counts[true, :2] = given, 100 - given
        # A quarter is faulted: seen are 0.25·0.8 + 0.75·0.1.
        seen = fields(None, 0.25 * 0.8 + 0.75 * 0.1, seed)
        classifier = Classifier(confusion=Confusion(counts=counts, source="reviewed"))
        found = fractions(tallies(seen, 200, seed), classifier, chance).stacking_fault.corrected
        covered += found.low <= 0.25 <= found.high
    # 57 of 60 are due; binomial scatter is 1.7.
    assert covered >= 52


def test_weights_of_the_border_enter_what_is_corrected_and_not_what_is_counted():
    classifier = Classifier(confusion=Confusion(counts=PERFECT, source="reviewed"))
    found = fractions(
        alone([30, 70, 50, 0, 0], weights=[60, 70, 50, 0, 0]), classifier, None
    ).stacking_fault
    assert (found.wilson.value, found.by_field.value) == (0.3, 0.3)
    assert found.corrected.value == pytest.approx(60 / 130, abs=1e-6)


def test_without_a_generator_a_corrected_fraction_has_no_interval():
    corrected = fractions(tallies(fields(None)), right_in(0.86, 200), None).stacking_fault.corrected
    assert corrected.value is not None
    assert (corrected.low, corrected.high) == (None, None)


@pytest.mark.parametrize("counts", [[0, 0, 0, 0, 0], [0, 0, 50, 20, 0]])
def test_where_nothing_is_observable_there_is_no_share_of_it(counts):
    classifier = Classifier(confusion=Confusion(counts=PERFECT, source="reviewed"))
    fraction = fractions(alone(counts), classifier, rng()).stacking_fault
    assert fraction.corrected.reason == "no observable particle"
    assert (fraction.corrected.value, fraction.by_field.value) == (None, None)
    assert (fraction.wilson.total, fraction.wilson.value) == (0, None)


def test_one_seed_gives_one_fraction():
    first, again = (
        fractions(tallies(fields(None), 50), right_in(0.86, 200), rng()) for _ in range(2)
    )
    assert first == again


@pytest.mark.parametrize("faulted", [0, 18])
def test_none_or_all_of_them_is_no_certainty_after_the_correction_either(faulted):
    """Eighteen particles of six fields, and a classifier that errs."""
    code = np.full(18, NO_FAULT, np.int8)
    code[:faulted] = FAULT
    rng = np.random.default_rng(1)
    found = tallied(np.arange(18) % 6, code, np.ones(18), FieldBootstrap(6, rng))
    known = Classifier(confusion=Confusion(counts=90 * np.eye(5) + 2, source="simulation-based"))
    found = fractions(found, known, rng).stacking_fault
    assert found.by_field.low is None
    assert (found.corrected.value, found.corrected.low) == (None, None)
    assert found.corrected.reason == "none, or all, of them: no interval"

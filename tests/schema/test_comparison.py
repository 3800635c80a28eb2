"""Two selections differ by what they were made to differ by, and not by chance."""

from dataclasses import replace

import numpy as np
import pytest

from schema.comparison import compare
from schema.correction import Classifier, Confusion
from schema.fractions import FAULT, NO_FAULT
from schema.sample import Sample

NOT_KNOWN = Classifier(reason="not asked for")


def selection(centre=5.0, share=0.3, fields=40, per_field=20, seed=0) -> Sample:
    """Particles around a size, faulted in a share, of fields that differ a little."""
    rng = np.random.default_rng(seed)
    field = np.repeat(np.arange(fields), per_field)
    size = centre + rng.normal(0, 0.1, fields)[field] + rng.normal(0, 0.5, field.size)
    return Sample(
        fields=fields,
        field=field,
        class_code=np.where(rng.random(field.size) < share, FAULT, NO_FAULT).astype(np.int8),
        diameter_nm=size,
        aspect_ratio=np.ones(field.size),
        circularity=np.ones(field.size),
        weight=np.ones(field.size),
        is_sized=np.ones(field.size, bool),
        seen_seconds=np.arange(float(fields)),
    )


def between(first, second, classifier=NOT_KNOWN, seed=0):
    return compare(first, second, np.random.default_rng(seed), classifier)


def test_a_difference_is_second_minus_first_and_its_interval_holds_it():
    found = between(selection(), selection(5.4, 0.5, seed=1))
    assert found.median_nm.low < 0.4 < found.median_nm.high
    assert found.faults.low < 0.2 < found.faults.high
    assert found.median_nm.low > 0
    assert found.faults_newcombe[0] < found.faults.value < found.faults_newcombe[1]
    assert found.field_p_value < 1e-3
    assert found.distance_p_if_independent < 1e-3


def test_turned_round_a_difference_has_the_other_sign():
    first, second = selection(), selection(5.4, 0.5, seed=1)
    there, back = between(first, second), between(second, first)
    assert there.median_nm.value == pytest.approx(-back.median_nm.value)
    assert there.faults.value == pytest.approx(-back.faults.value)
    assert there.distance == pytest.approx(back.distance)


def test_two_of_one_kind_differ_by_nothing_that_chance_would_not_do():
    inside = 0
    for seed in range(40):
        found = between(selection(seed=2 * seed), selection(seed=2 * seed + 1), seed=seed)
        inside += found.median_nm.low <= 0 <= found.median_nm.high
    assert inside >= 34  # 38 are due; fewer than 34 in one of a hundred runs


def test_what_the_classifier_confuses_makes_a_difference_larger_than_it_looks():
    # Right in 80 of 100 cases, it shows (2 · 0.8 - 1) of a difference.
    counts = 1000.0 * np.eye(5)
    counts[:2, :2] = [[800.0, 200.0], [200.0, 800.0]]
    classifier = Classifier(confusion=Confusion(counts=counts, source="reviewed"))
    found = between(selection(share=0.35), selection(share=0.5, seed=1), classifier)
    assert found.corrected_faults.value == pytest.approx(found.faults.value / 0.6, rel=1e-6)
    assert found.corrected_faults.low < found.corrected_faults.value < found.corrected_faults.high


def test_an_interval_is_as_wide_as_the_side_with_fewer_fields_makes_it():
    many, few = selection(fields=200), selection(fields=8, seed=1)
    found = between(many, few)
    assert found.median_nm.low is not None
    nothing = between(many, selection(fields=4, seed=1))
    assert (nothing.median_nm.low, nothing.field_p_value) == (None, None)
    assert nothing.median_nm.value is not None


def test_nothing_to_compare_is_nothing_and_no_nan():
    full = selection()
    nobody = replace(full, is_sized=full.is_sized & False, class_code=full.class_code * 0 + 4)
    found = between(full, nobody)
    assert (found.median_nm.value, found.faults.value, found.distance) == (None, None, None)
    assert found.faults_newcombe is None

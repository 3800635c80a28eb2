"""Summaries of scores made by hand."""

import math

import numpy as np
from pytest import approx

from analysis.training.evaluation.summaries import (
    ALL,
    bias,
    class_balanced_accuracy,
    instance_f1,
    summarised,
    summed_by_material,
)
from tests.analysis.training.evaluation.made import particle, score


def test_pixels_are_averaged_over_micrographs_and_particles_pooled():
    good = score(particle(5, 5), particle(5, 5), particle(5, 5), overlap=100)
    bad = score(particle(5), overlap=0, seen=0)
    found = summarised([good, bad])
    assert found.dice.value == approx(0.5)
    assert (found.precision.value, found.recall.value) == (approx(0.5), approx(0.5))
    assert found.instance_f1.value == approx(2 * 3 / (2 * 3 + 1))
    assert (found.micrographs, found.particles) == (2, 4)


def test_empty_micrographs_count_by_false_area_alone():
    empty = score(true=0, overlap=0, seen=30, size=1000)
    found = summarised(
        [score(particle(5, 5), overlap=100), empty, score(true=0, seen=0, overlap=0)]
    )
    assert found.false_area.value == approx(0.015)
    assert found.dice.value == 1
    assert (found.micrographs, found.empty_micrographs) == (1, 2)


def test_a_sliver_at_the_border_is_neither_missed_nor_invented():
    whole = particle(5, 5)
    assert instance_f1([score(whole, particle(1.9), particle(None, 1.9))]) == 1
    assert instance_f1([score(whole, particle(2.1))]) == approx(2 / 3)
    assert instance_f1([score(whole, particle(None, 2.1))]) == approx(2 / 3)
    assert math.isnan(instance_f1([score()]))


def test_the_bias_is_of_whole_single_particles():
    scores = [
        score(
            particle(5, 5.5),
            particle(10, 11),
            particle(4, 8, at_border=True),
            particle(4, 8, true_class="agglomeration"),
            particle(4),
        )
    ]
    found = bias(scores)
    assert found.particles == 2
    assert found.relative.value == approx(0.1)
    assert found.absolute_nm.value == approx(0.75)
    assert bias(scores, lambda each: each.true_nm > 6).absolute_nm.value == approx(1)


def test_mixed_fields_count_among_all_and_under_no_material():
    scores = [score(material="Au"), score(material="CdSe"), score(material="mixed")]
    found = summed_by_material(scores)
    assert list(found) == [ALL, "Au", "CdSe"]
    assert [found[name].micrographs for name in found] == [3, 1, 1]


def test_class_accuracy_leaves_out_classes_with_few_examples():
    often = [particle(5, 5, shown_class="misoriented", found_class="misoriented")] * 15
    wrong = [particle(5, 5, shown_class="misoriented", found_class="background")] * 5
    rare = [particle(5, 5, shown_class="stacking_fault", found_class="misoriented")] * 9
    assert class_balanced_accuracy([score(*often, *wrong, *rare)]) == approx(0.75)
    assert math.isnan(class_balanced_accuracy([score(particle(5, 5))]))


def test_the_interval_is_over_micrographs():
    """Ten particles of one micrograph are no ten micrographs."""
    particles = [particle(5, 5 + shift) for shift in np.random.default_rng(1).normal(0, 0.5, 12)]
    one_each = bias([score(each) for each in particles]).absolute_nm
    ten_each = bias([score(*[each] * 10) for each in particles]).absolute_nm
    assert (ten_each.low, ten_each.high) == (approx(one_each.low), approx(one_each.high))

"""Curves, and the domain the rule reads off them."""

from dataclasses import replace

import pytest
from pytest import approx

from analysis.training.evaluation.curves import (
    DEFOCUS,
    DIAMETER,
    DOSE,
    PIXEL_SIZE,
    VARIABLES,
    CurvePoint,
    point,
    size_curve,
)
from analysis.training.evaluation.intervals import NOTHING, Estimate
from analysis.training.evaluation.limits import is_reliable, reliable_domain
from analysis.training.micrographs import CORE
from tests.analysis.training.evaluation.made import particle, score


def at(value, dice=0.95, f1=0.95, bias=0.0, particles=50):
    return CurvePoint(
        value=value,
        low=value,
        high=value,
        particles=particles,
        dice=Estimate(value=dice),
        instance_f1=Estimate(value=f1),
        bias=Estimate(value=bias),
        class_accuracy=NOTHING,
    )


def test_a_variable_changes_one_range_of_the_core_conditions():
    assert VARIABLES[DOSE].conditions(50.0) == replace(CORE, dose_e_per_a2=(50.0, 50.0))
    assert VARIABLES[DEFOCUS].conditions(-70.0) == replace(CORE, defocus_nm=(-70.0, -70.0))
    assert VARIABLES[PIXEL_SIZE].conditions(0.1) == replace(CORE, pixel_size_nm=(0.1, 0.1))


def test_a_point_is_of_micrographs_with_particles():
    found = point(100.0, [score(particle(5, 5.5)), score(true=0, seen=50, overlap=0)])
    assert (found.value, found.particles) == (100, 1)
    assert (found.dice.value, found.bias.value) == (approx(0.9), approx(0.1))


def test_a_size_class_holds_particles_by_their_true_diameter():
    scores = [
        score(
            particle(2.2, 2.6, iou=0.6),  # found larger: still of its true class
            particle(2.4),
            particle(2.4, at_border=True),
            particle(None, 2.3),
            particle(6, 6, iou=1.0),
        )
    ]
    small, large = size_curve(scores, (2.0, 2.5, 8.0))
    assert small.particles == 2
    assert small.dice.value == approx((2 * 0.6 / 1.6 + 0) / 2)
    assert small.instance_f1.value == approx(2 / (2 + 1 + 1))
    assert (large.low, large.high, large.dice.value) == (2.5, 8.0, 1)


@pytest.mark.parametrize(
    "worse", [{"dice": 0.89}, {"f1": 0.89}, {"bias": 0.06}, {"bias": -0.06}, {"particles": 9}]
)
def test_every_part_of_the_rule_must_hold(worse):
    assert is_reliable(at(1, dice=0.9, f1=0.9, bias=-0.05, particles=10))
    assert not is_reliable(at(1, **worse))
    assert not is_reliable(at(1, bias=float("nan")))


def test_the_domain_ends_where_the_rule_first_fails():
    doses = [at(20), at(50, dice=0.5), at(200), at(800), at(1600), at(3000), at(5000, f1=0.1)]
    found = reliable_domain({DOSE: doses})
    assert found.dose_e_per_a2 == (200, 3000)  # 20 e/Å² beyond the gap does not count
    assert found.pixel_size_nm is None


def test_nothing_is_reliable_where_the_middle_is_not():
    assert reliable_domain({DOSE: [at(200), at(1000, dice=0), at(3000)]}).dose_e_per_a2 is None


def test_the_smallest_reliable_diameter_is_the_lower_end_of_its_class():
    edges = [(1.5, 2, 0.5), (2, 3, 0.92), (3, 5, 0.95), (5, 8, 0.95), (8, 12, 0.95)]
    sizes = [
        replace(at((low * high) ** 0.5, dice=dice), low=low, high=high) for low, high, dice in edges
    ]
    found = reliable_domain({DIAMETER: sizes})
    assert (found.smallest_diameter_nm, found.largest_diameter_nm) == (2, 12)
    assert "0.9" in found.as_manifest()["rule"]
